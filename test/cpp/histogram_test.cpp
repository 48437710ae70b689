// SPDX-License-Identifier: Apache-2.0
// Quantiles come from buckets: close to the exact ones; count, sum and maximum are exact.
#include "core/telemetry/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace hbm {
namespace {

constexpr double kRelativeError = 0.03;

int64_t exact_quantile(const std::vector<int64_t>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[rank - 1];
}

void expect_close(int64_t got, int64_t exact) {
  EXPECT_LE(std::abs(static_cast<double>(got - exact)), kRelativeError * static_cast<double>(exact))
      << "got " << got << ", exact " << exact;
}

class Distribution : public testing::TestWithParam<std::function<int64_t(std::mt19937_64&)>> {};

TEST_P(Distribution, HasQuantilesWithinThreePercent) {
  std::mt19937_64 random(20240607);
  Histogram histogram;
  std::vector<int64_t> values(20'001);
  int64_t sum = 0;
  for (int64_t& value : values) {
    value = GetParam()(random);
    sum += value;
    histogram.add(value);
  }
  std::sort(values.begin(), values.end());
  const Histogram::Summary summary = histogram.summary();
  EXPECT_EQ(summary.count, values.size());
  EXPECT_EQ(summary.sum, sum);
  EXPECT_EQ(summary.max, values.back());
  expect_close(summary.p50, exact_quantile(values, 0.5));
  expect_close(summary.p90, exact_quantile(values, 0.9));
  expect_close(summary.p99, exact_quantile(values, 0.99));
}

INSTANTIATE_TEST_SUITE_P(
    Histogram, Distribution,
    testing::Values(
        [](std::mt19937_64& random) {
          return std::uniform_int_distribution<int64_t>(0, 40)(random);
        },
        [](std::mt19937_64& random) {
          return std::uniform_int_distribution<int64_t>(900'000, 1'100'000)(random);
        },
        [](std::mt19937_64& random) {
          return static_cast<int64_t>(std::lognormal_distribution<double>(15, 3)(random));
        },
        [](std::mt19937_64& random) {  // two humps, as of a model that at times waits for another
          return std::bernoulli_distribution(0.05)(random)
                     ? std::uniform_int_distribution<int64_t>(40'000'000, 60'000'000)(random)
                     : std::uniform_int_distribution<int64_t>(1'000'000, 1'010'000)(random);
        },
        [](std::mt19937_64& random) {  // up to the last duration with a bucket of its own
          return std::uniform_int_distribution<int64_t>(0, (int64_t{1} << 42) - 1)(random);
        }));

TEST(Histogram, IsExactForEveryDurationBelow64Nanoseconds) {
  for (int64_t ns = 0; ns < 64; ++ns) {
    Histogram histogram;
    histogram.add(ns);
    histogram.add(64);  // so that the maximum does not help
    EXPECT_EQ(histogram.summary().p50, ns);
  }
}

TEST(Histogram, HasEveryBucketEdgeInTheRightBucket) {
  for (int bit = 6; bit < 42; ++bit) {
    for (int64_t sub = 0; sub < 32; ++sub) {
      const int64_t edge = (32 + sub) << (bit - 5);
      for (const int64_t value : {edge - 1, edge}) {
        Histogram histogram;
        histogram.add(value);
        histogram.add(int64_t{1} << 42);
        expect_close(histogram.summary().p50, value);
      }
    }
  }
}

TEST(Histogram, CountsWhatIsBelowAPowerOfTwoExactly) {
  Histogram histogram;
  const auto bound = [](std::size_t index) { return int64_t{1} << (12 + index); };
  for (std::size_t index = 0; index < Histogram::kBounds; ++index) {
    histogram.add(bound(index) - 1);
    histogram.add(bound(index));
  }
  const Histogram::Summary summary = histogram.summary();
  for (std::size_t index = 0; index < Histogram::kBounds; ++index) {
    EXPECT_EQ(summary.below[index], 2 * index + 1) << "below " << bound(index);
  }
}

TEST(Histogram, KeepsTheMaximumOfDurationsBeyondItsRange) {
  Histogram histogram;
  histogram.add(INT64_MAX / 2);
  histogram.add(int64_t{1} << 50);
  const Histogram::Summary summary = histogram.summary();
  EXPECT_EQ(summary.count, 2);
  EXPECT_EQ(summary.max, INT64_MAX / 2);
  EXPECT_EQ(summary.p99, INT64_MAX / 2);
}

TEST(Histogram, NeverTellsAQuantileAboveTheMaximum) {
  Histogram histogram;
  histogram.add(1'000'000);
  const Histogram::Summary summary = histogram.summary();
  EXPECT_LE(summary.p50, 1'000'000);
  EXPECT_LE(summary.p99, 1'000'000);
}

TEST(Histogram, TakesNegativeDurationsAsZero) {
  Histogram histogram;
  histogram.add(-5);
  EXPECT_EQ(histogram.summary().count, 1);
  EXPECT_EQ(histogram.summary().sum, 0);
  EXPECT_EQ(histogram.summary().p50, 0);
}

TEST(Histogram, IsAllZeroWhenEmptyAndAfterReset) {
  Histogram histogram;
  EXPECT_EQ(histogram.summary().count, 0);
  histogram.add(12'345);
  histogram.reset();
  const Histogram::Summary summary = histogram.summary();
  EXPECT_EQ(summary.count, 0);
  EXPECT_EQ(summary.sum, 0);
  EXPECT_EQ(summary.p99, 0);
  EXPECT_EQ(summary.max, 0);
  EXPECT_EQ(summary.below.back(), 0);
}

TEST(Histogram, LosesNothingOfManyThreadsWhileItIsRead) {
  constexpr int kThreads = 4;
  constexpr int64_t kEach = 50'000;
  Histogram histogram;
  std::atomic<bool> running{true};
  std::thread reader([&] {
    uint64_t before = 0;
    while (running) {
      const Histogram::Summary summary = histogram.summary();
      EXPECT_GE(summary.count, before) << "a count went back";
      EXPECT_LE(summary.p50, summary.p90);
      EXPECT_LE(summary.p90, summary.p99);
      EXPECT_LE(summary.below.back(), summary.count);
      before = summary.count;
    }
  });
  std::vector<std::thread> writers;
  for (int64_t thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&histogram, thread] {
      for (int64_t index = 0; index < kEach; ++index) histogram.add(thread * kEach + index);
    });
  }
  for (std::thread& writer : writers) writer.join();
  running = false;
  reader.join();
  const Histogram::Summary summary = histogram.summary();
  constexpr int64_t kAll = kThreads * kEach;
  EXPECT_EQ(summary.count, static_cast<uint64_t>(kAll));
  EXPECT_EQ(summary.sum, kAll * (kAll - 1) / 2);
  EXPECT_EQ(summary.max, kAll - 1);
}

}  // namespace
}  // namespace hbm
