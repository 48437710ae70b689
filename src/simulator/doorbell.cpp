// SPDX-License-Identifier: Apache-2.0
// Spins and sleeps.
#include "doorbell.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace hbm::simulator {
namespace {

// Threads of this process that spin right now, and how many may: all but none on one CPU.
std::atomic<int> spinning{0};

int most_spinning() noexcept {
  static const auto cpus = static_cast<int>(std::thread::hardware_concurrency());
  return cpus > 1 ? cpus : 0;
}

}  // namespace

void Doorbell::ring() noexcept {
  rung_.store(true);  // sequentially consistent: either we see a sleeper or it sees this
  if (!sleeping_.load()) return;
  { const std::lock_guard lock(mutex_); }
  changed_.notify_one();
}

void Doorbell::nudge() noexcept {
  if (!sleeping_.load()) return;
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  changed_.notify_one();
}

bool Doorbell::spin_until(Clock::time_point end) const noexcept {
  if (is_rung()) return true;
  if (spinning.fetch_add(1, std::memory_order_relaxed) < most_spinning()) {
    while (!is_rung() && Clock::now() < end) ::sched_yield();  // whoever computes goes first
  }
  spinning.fetch_sub(1, std::memory_order_relaxed);
  return is_rung();
}

bool Doorbell::sleep_until(std::optional<Clock::time_point> end) noexcept {
  std::unique_lock lock(mutex_);
  nudged_ = false;
  sleeping_.store(true);
  const auto over = [this] { return is_rung() || nudged_; };
  if (end) {
    changed_.wait_until(lock, *end, over);
  } else {
    changed_.wait(lock, over);
  }
  sleeping_.store(false);
  return is_rung();
}

void SpinBudget::waited(Clock::duration time) noexcept {
  // Spinning would have been enough: allow some more than that. Otherwise: ever less.
  if (time <= kLongest) {
    time_ = std::clamp<Clock::duration>(2 * time, time_, kLongest);
  } else {
    time_ = std::max<Clock::duration>(time_ / 2, kShortest);
  }
}

}  // namespace hbm::simulator
