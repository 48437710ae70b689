// SPDX-License-Identifier: Apache-2.0
// Durations counted in buckets whose width grows with the duration: quantiles in fixed memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hbm {

// A quantile is the middle of a bucket 1/32 wide, hence at most 1.6 % from the exact one, up to
// 73 minutes (2^42 ns); longer durations share the last bucket. Count, sum and maximum are exact.
class Histogram {
 public:
  // Powers of two in ns at which `below` counts, 4.1 µs to 17 s.
  static constexpr int kFirstBound = 12;
  static constexpr int kLastBound = 34;
  static constexpr std::size_t kBounds = kLastBound - kFirstBound + 1;

  struct Summary {
    uint64_t count = 0;
    int64_t sum = 0;  // this and all below in ns
    int64_t p50 = 0;
    int64_t p90 = 0;
    int64_t p99 = 0;
    int64_t max = 0;
    // below[i]: how many were shorter than 2^(kFirstBound + i) ns.
    std::array<uint64_t, kBounds> below{};
  };

  // Any thread, lock-free, no memory is allocated; a negative duration counts as 0.
  void add(int64_t ns) noexcept;

  // Any thread, also while others add. The count and the quantiles are of the same values; sum
  // and max may be ahead of or behind them by those that are being added at this moment.
  [[nodiscard]] Summary summary() const noexcept;

  // Back to none. A value that is being added at this moment may be kept in part.
  void reset() noexcept;

 private:
  static constexpr int kSubBits = 5;  // 32 buckets for each power of two
  static constexpr int kTopBit = 42;
  static constexpr std::size_t kBuckets = std::size_t{kTopBit - kSubBits + 1} << kSubBits;

  [[nodiscard]] static std::size_t bucket_of(uint64_t ns) noexcept;
  [[nodiscard]] static int64_t middle_of(std::size_t bucket) noexcept;

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<int64_t> sum_{0};
  std::atomic<int64_t> max_{0};
};

}  // namespace hbm
