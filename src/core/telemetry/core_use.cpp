// SPDX-License-Identifier: Apache-2.0
// Integrates over time how many cores the tasks in flight occupy.
#include "core/telemetry/core_use.hpp"

#include <algorithm>
#include <cstdlib>

namespace hbm {

CoreUse::CoreUse(int core_count, int64_t now)
    : core_count_(std::clamp(core_count, 1, kMaxCores)),
      since_(now),
      last_(now),
      cores_(static_cast<std::size_t>(core_count_)) {}

// Threads read the clock before they get here: a reading that is behind adds no time.
void CoreUse::advance(int64_t now) noexcept {
  const int64_t elapsed = now - last_;
  if (elapsed <= 0) return;
  last_ = now;
  occupied_ns_ += elapsed * std::min<int64_t>(wanted_, core_count_);
  for (Core& core : cores_) {
    if (core.tasks > 0) core.pinned_ns += elapsed;
  }
}

void CoreUse::change(uint32_t core_mask, int64_t now, int64_t by, int occupied) noexcept {
  const uint32_t all = core_count_ == kMaxCores ? ~0U : (1U << core_count_) - 1;
  const uint32_t mask = (core_mask & all) == 0 ? all : core_mask & all;
  const std::lock_guard lock(mutex_);
  advance(now);
  wanted_ += by * occupied;
  if (__builtin_popcount(mask) > occupied) return;  // the accelerator has a choice
  for (std::size_t core = 0; core < cores_.size(); ++core) {
    if ((mask >> core & 1U) != 0) cores_[core].tasks += by;
  }
}

void CoreUse::started(uint32_t core_mask, int64_t now, int occupied) noexcept {
  change(core_mask, now, 1, occupied);
}

void CoreUse::ended(uint32_t core_mask, int64_t now, int occupied) noexcept {
  change(core_mask, now, -1, occupied);
}

CoreUse::Snapshot CoreUse::snapshot(int64_t now) const {
  Snapshot snapshot;
  snapshot.pinned_ns.resize(cores_.size());
  const std::lock_guard lock(mutex_);
  // Up to this moment, without moving the state: this is const.
  const int64_t elapsed = std::max<int64_t>(now - last_, 0);
  snapshot.elapsed_ns = std::max(now, last_) - since_;
  snapshot.occupied_ns = occupied_ns_ + elapsed * std::min<int64_t>(wanted_, core_count_);
  snapshot.wanted_now = wanted_;
  for (std::size_t core = 0; core < cores_.size(); ++core) {
    snapshot.pinned_ns[core] = cores_[core].pinned_ns + (cores_[core].tasks > 0 ? elapsed : 0);
  }
  return snapshot;
}

void CoreUse::reset(int64_t now) noexcept {
  const std::lock_guard lock(mutex_);
  last_ = std::max(last_, now);
  since_ = last_;
  occupied_ns_ = 0;
  for (Core& core : cores_) core.pinned_ns = 0;
}

}  // namespace hbm
