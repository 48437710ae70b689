// SPDX-License-Identifier: Apache-2.0
// A bounded buffer that many threads fill and one empties.
#include "core/telemetry/run_trace.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <string>
#include <thread>
#include <type_traits>

#include "core/board/error.hpp"

namespace hbm {

static_assert(std::is_trivially_copyable_v<TracedRun>, "slots are filled without a constructor");

uint32_t RunTrace::model_id(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find(models_.begin(), models_.end(), name);
  const auto id = static_cast<uint32_t>(std::distance(models_.begin(), found));
  if (found == models_.end()) models_.push_back(name);
  return id;
}

void RunTrace::start(std::size_t capacity) {
  if (capacity < 1 || capacity > kMostCapacity) {
    throw Error(ErrorKind::kInput, "max_runs: expected an int from 1 to " +
                                       std::to_string(kMostCapacity) + ", got " +
                                       std::to_string(capacity));
  }
  const std::lock_guard lock(mutex_);
  if (on()) {
    throw Error(ErrorKind::kInput, "a trace of this runtime is already being recorded; stop it");
  }
  // Not touched here: the system gives the pages as runs fill them.
  const std::size_t size = capacity * sizeof(TracedRun);
  auto* const memory = static_cast<TracedRun*>(::operator new(size, std::nothrow));
  if (memory == nullptr) {
    throw Error(ErrorKind::kMemory, "trace: no memory for " + std::to_string(capacity) +
                                        " runs (max_runs), " + std::to_string(size) +
                                        " bytes; record fewer");
  }
  slots_.reset(memory);
  capacity_ = capacity;
  next_.store(0, std::memory_order_relaxed);
  on_.store(true);
}

void RunTrace::record(const TracedRun& run) noexcept {
  // In this order, as stop() does it the other way round: either stop() sees this writer and
  // waits, or this writer sees that the trace is off.
  writers_.fetch_add(1);
  if (on_.load()) {
    const uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
    if (number < capacity_) {
      TracedRun* const slot = new (slots_.get() + number) TracedRun(run);
      slot->number = number;
    }
  }
  writers_.fetch_sub(1, std::memory_order_release);
}

RunTrace::Recording RunTrace::stop() {
  const std::lock_guard lock(mutex_);
  Recording recording;
  if (!on()) return recording;
  on_.store(false);
  // Each writer only copies one run; in a forked child there are none.
  while (writers_.load() != 0 && fork_guard_.is_own_process()) std::this_thread::yield();
  const uint64_t ended = next_.load(std::memory_order_relaxed);
  const std::size_t kept = std::min<std::size_t>(ended, capacity_);
  recording.runs.assign(slots_.get(), slots_.get() + kept);
  recording.models = models_;
  recording.dropped = ended - kept;
  slots_.reset();
  return recording;
}

}  // namespace hbm
