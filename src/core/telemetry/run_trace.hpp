// SPDX-License-Identifier: Apache-2.0
// Records when each stage of each run began and ended, on demand, in bounded memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/board/fork_guard.hpp"
#include "core/telemetry/stage_times.hpp"

namespace hbm {

// One run of one model, recorded once, when it ended.
struct TracedRun {
  uint32_t model = 0;      // RunTrace::model_id
  uint32_t core_mask = 0;  // the cores that it might use, bit by bit, 0 for any
  int32_t priority = 0;
  Outcome outcome = Outcome::kOk;
  int64_t custom_id = 0;
  StageSpans stages;
  uint64_t number = 0;  // given by the trace: 0, 1, 2, … in the order in which runs ended
};

// One for each runtime. While off it costs a run the one read in on().
class RunTrace {
 public:
  // A quarter of a million runs, that is a million spans, 24 MB once filled.
  static constexpr std::size_t kDefaultCapacity = 250'000;
  static constexpr std::size_t kMostCapacity = 100'000'000;  // 10 GB

  struct Recording {
    std::vector<TracedRun> runs;  // by number
    std::vector<std::string> models;
    uint64_t dropped = 0;  // runs that ended when the memory was full
  };

  RunTrace() = default;
  RunTrace(const RunTrace&) = delete;
  RunTrace& operator=(const RunTrace&) = delete;
  ~RunTrace() = default;

  [[nodiscard]] bool on() const noexcept { return on_.load(std::memory_order_relaxed); }

  // The number of a model's name, the same for ever: ask at load, this takes a lock.
  [[nodiscard]] uint32_t model_id(const std::string& name);

  // Records from now on, at most `capacity` runs. Throws Error(kInput) if it already does or the
  // capacity is outside of [1, kMostCapacity], Error(kMemory) without memory for it.
  void start(std::size_t capacity = kDefaultCapacity);

  // Any thread, lock-free, nothing is allocated; does nothing while off.
  void record(const TracedRun& run) noexcept;

  // Ends the recording and hands it over; an empty one if none was on.
  [[nodiscard]] Recording stop();

 private:
  struct FreeSlots {
    void operator()(void* slots) const noexcept { ::operator delete(slots); }
  };

  ForkGuard fork_guard_;
  std::atomic<bool> on_{false};
  std::atomic<uint32_t> writers_{0};
  std::atomic<uint64_t> next_{0};
  // Changed only while off and without writers.
  std::unique_ptr<TracedRun, FreeSlots> slots_;
  std::size_t capacity_ = 0;
  std::mutex mutex_;  // of start, stop and the names
  std::vector<std::string> models_;
};

}  // namespace hbm
