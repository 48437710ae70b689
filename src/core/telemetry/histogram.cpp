// SPDX-License-Identifier: Apache-2.0
// Counts durations and reads quantiles off the counts.
#include "core/telemetry/histogram.hpp"

#include <algorithm>

namespace hbm {

std::size_t Histogram::bucket_of(uint64_t ns) noexcept {
  constexpr uint64_t kSubs = uint64_t{1} << kSubBits;
  if (ns < kSubs) return static_cast<std::size_t>(ns);
  const int shift = 63 - __builtin_clzll(ns) - kSubBits;
  const std::size_t bucket = (static_cast<std::size_t>(shift) << kSubBits) + (ns >> shift);
  return std::min(bucket, kBuckets - 1);
}

int64_t Histogram::middle_of(std::size_t bucket) noexcept {
  constexpr std::size_t kSubs = std::size_t{1} << kSubBits;
  if (bucket < 2 * kSubs) return static_cast<int64_t>(bucket);
  const std::size_t shift = (bucket >> kSubBits) - 1;
  const std::size_t lowest = (kSubs + bucket % kSubs) << shift;
  const std::size_t width = std::size_t{1} << shift;
  return static_cast<int64_t>(lowest + (width - 1) / 2);
}

void Histogram::add(int64_t ns) noexcept {
  const int64_t value = std::max<int64_t>(ns, 0);
  buckets_[bucket_of(static_cast<uint64_t>(value))].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  int64_t max = max_.load(std::memory_order_relaxed);
  while (value > max && !max_.compare_exchange_weak(max, value, std::memory_order_relaxed)) {
  }
}

Histogram::Summary Histogram::summary() const noexcept {
  std::array<uint64_t, kBuckets> counts;
  Summary summary;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    // Bounds are powers of two, at which a bucket begins.
    if (bucket >= bucket_of(uint64_t{1} << kFirstBound) && bucket % (1U << kSubBits) == 0) {
      const std::size_t bound = (bucket - bucket_of(uint64_t{1} << kFirstBound)) >> kSubBits;
      if (bound < kBounds) summary.below[bound] = summary.count;
    }
    counts[bucket] = buckets_[bucket].load(std::memory_order_relaxed);
    summary.count += counts[bucket];
  }
  if (summary.count == 0) return summary;
  summary.sum = sum_.load(std::memory_order_relaxed);
  summary.max = max_.load(std::memory_order_relaxed);

  // The smallest value that `percent` of all values do not exceed.
  const auto rank = [&](uint64_t percent) { return (summary.count * percent + 99) / 100; };
  std::size_t bucket = 0;
  uint64_t seen = counts[0];
  const auto quantile = [&](uint64_t percent) {
    while (seen < rank(percent)) seen += counts[++bucket];
    if (bucket == kBuckets - 1) return summary.max;
    return std::min(middle_of(bucket), summary.max);
  };
  summary.p50 = quantile(50);
  summary.p90 = quantile(90);
  summary.p99 = quantile(99);
  return summary;
}

void Histogram::reset() noexcept {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  sum_.store(0, std::memory_order_relaxed);
  max_.store(0, std::memory_order_relaxed);
}

}  // namespace hbm
