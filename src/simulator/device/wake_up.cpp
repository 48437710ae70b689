// SPDX-License-Identifier: Apache-2.0
// Spins and sleeps.
#include "simulator/device/wake_up.hpp"

#include <algorithm>
#include <thread>

namespace hbm::simulator {
namespace {

// Threads of this process that spin right now. One CPU stays for those that compute.
std::atomic<int> spinning{0};
// A thread that stops to spin makes room for one that begins because of it.
constexpr std::chrono::microseconds kRoomTime{5};

constexpr std::chrono::microseconds kShortest{10};
constexpr int kMostMisses = 4;
constexpr int kRests = 64;

int most_spinning() noexcept {
  static const auto cpus = static_cast<int>(std::thread::hardware_concurrency());
  return cpus - 1;
}

bool may_spin() noexcept {
  if (spinning.fetch_add(1, std::memory_order_relaxed) < most_spinning()) return true;
  spinning.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

// Never sched_yield(): on a busy machine it costs a whole time slice, and sleeping does not.
void pause() noexcept {
  for (int count = 0; count < 8; ++count) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
}

}  // namespace

void WakeUp::signal() noexcept {
  signalled_.store(true);  // sequentially consistent: either we see a sleeper or it sees this
  if (!sleeping_.load()) return;
  { const std::lock_guard lock(mutex_); }
  changed_.notify_one();
}

void WakeUp::nudge() noexcept {
  if (!sleeping_.load()) return;
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  changed_.notify_one();
}

bool WakeUp::spin_until(Clock::time_point end) const noexcept {
  if (is_signalled()) return true;
  const auto begin = Clock::now();
  bool spins = may_spin();
  while (!spins && Clock::now() < std::min(end, begin + kRoomTime)) {
    pause();
    spins = may_spin();
  }
  if (!spins) return is_signalled();
  while (!is_signalled() && Clock::now() < end) pause();
  spinning.fetch_sub(1, std::memory_order_relaxed);
  return is_signalled();
}

bool WakeUp::sleep_until(std::optional<Clock::time_point> end) noexcept {
  std::unique_lock lock(mutex_);
  nudged_ = false;
  sleeping_.store(true);
  const auto over = [this] { return is_signalled() || nudged_; };
  if (end) {
    changed_.wait_until(lock, *end, over);
  } else {
    changed_.wait(lock, over);
  }
  sleeping_.store(false);
  return is_signalled();
}

Clock::duration SpinBudget::spin_time() noexcept {
  if (misses_.load(std::memory_order_relaxed) < kMostMisses) {
    return time_.load(std::memory_order_relaxed);
  }
  if (rests_.fetch_add(1, std::memory_order_relaxed) < kRests) return Clock::duration(0);
  rests_.store(0, std::memory_order_relaxed);
  return longest_;  // things may have changed
}

void SpinBudget::waited(Clock::duration time, bool spun_enough) noexcept {
  const Clock::duration before = time_.load(std::memory_order_relaxed);
  if (spun_enough) {
    misses_.store(0, std::memory_order_relaxed);
    time_.store(std::clamp(2 * time, before, longest_), std::memory_order_relaxed);
  } else if (time <= 2 * longest_) {
    misses_.fetch_add(1, std::memory_order_relaxed);
    time_.store(longest_, std::memory_order_relaxed);
  } else {
    time_.store(std::max<Clock::duration>(before / 2, kShortest), std::memory_order_relaxed);
  }
}

}  // namespace hbm::simulator
