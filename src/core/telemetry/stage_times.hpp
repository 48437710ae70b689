// SPDX-License-Identifier: Apache-2.0
// The stages of a run: when each began and ended, how long it took, and how the run came out.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hbm {

// kQueue: from the call until the accelerator can take the task. kExecute: from the submission
// until the task is done; the accelerator's own queue is in it, because the ABI does not tell
// when a task began.
enum class RunStage : uint8_t { kQueue, kCopyIn, kExecute, kCopyOut };
inline constexpr std::size_t kRunStages = 4;

enum class Outcome : uint8_t {
  kOk,
  kTimeout,
  kCancelled,
  kRejected,  // refused before it was queued: the queue was full, or the input did not fit
  kFailed,    // the accelerator or its memory failed
};
inline constexpr std::size_t kOutcomes = 5;

// Nanoseconds of the steady clock (CLOCK_MONOTONIC), the one of all times in here.
[[nodiscard]] inline int64_t now_ns() noexcept {
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot).count();
}

struct StageTimes {
  int64_t queue_ns = 0;
  int64_t copy_in_ns = 0;
  int64_t execute_ns = 0;
  int64_t copy_out_ns = 0;

  [[nodiscard]] int64_t total() const noexcept {
    return queue_ns + copy_in_ns + execute_ns + copy_out_ns;
  }
};

// When each stage of one run began and ended; 0 for a stage that was not reached.
struct StageSpans {
  struct Span {
    int64_t begin = 0;
    int64_t end = 0;
  };
  std::array<Span, kRunStages> spans{};

  // One stage's end is often the next one's begin: both may be given the same reading.
  void begin(RunStage stage, int64_t now) noexcept { span(stage).begin = now; }
  void end(RunStage stage, int64_t now) noexcept { span(stage).end = now; }

  [[nodiscard]] StageTimes times() const noexcept {
    return {length(RunStage::kQueue), length(RunStage::kCopyIn), length(RunStage::kExecute),
            length(RunStage::kCopyOut)};
  }

 private:
  [[nodiscard]] Span& span(RunStage stage) noexcept {
    return spans[static_cast<std::size_t>(stage)];
  }
  [[nodiscard]] int64_t length(RunStage stage) const noexcept {
    const Span& span = spans[static_cast<std::size_t>(stage)];
    return span.end > span.begin ? span.end - span.begin : 0;  // 0 when it did not end
  }
};

}  // namespace hbm
