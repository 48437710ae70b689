// SPDX-License-Identifier: Apache-2.0
// How one thread waits for another: it spins for a bounded moment, then sleeps.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace hbm::simulator {

using Clock = std::chrono::steady_clock;

// Waking a sleeping thread costs 50 to 100 µs on a virtual machine; a spinning one sees a wake_up
// in less than 1 µs. What one thread waits for and others ring.
class WakeUp {
 public:
  // For any thread; stays rung until reset.
  void signal() noexcept;
  // Wakes the sleeper without ringing: what it waits for is near, so that it had better spin.
  void nudge() noexcept;
  [[nodiscard]] bool is_signalled() const noexcept {
    return signalled_.load(std::memory_order_acquire);
  }
  // For the one who waits, once the wake_up was rung.
  void reset() noexcept { signalled_.store(false, std::memory_order_relaxed); }

  // These are for one thread at a time and return whether the wake_up is rung.
  bool spin_until(Clock::time_point end) const noexcept;
  // Returns early when nudged. No end: until rung or nudged.
  bool sleep_until(std::optional<Clock::time_point> end) noexcept;

 private:
  std::atomic<bool> signalled_{false};
  std::atomic<bool> sleeping_{false};
  bool nudged_ = false;  // guarded by mutex_
  std::mutex mutex_;
  std::condition_variable changed_;
};

// How long waiters of one kind had better spin before they sleep, learnt from how it went: not at
// all when wake_ups come late anyway, nor when spinning keeps those from running who would ring.
// Threads may share one; a lost update does no harm.
class SpinBudget {
 public:
  explicit SpinBudget(std::chrono::microseconds longest) : longest_(longest), time_(longest) {}

  [[nodiscard]] Clock::duration spin_time() noexcept;
  // After each wait: how long it was, and whether spinning was enough.
  void waited(Clock::duration time, bool spun_enough) noexcept;

 private:
  const Clock::duration longest_;
  std::atomic<Clock::duration> time_;
  std::atomic<int> misses_{0};  // wake_ups in a row that came soon, but not while spinning
  std::atomic<int> rests_{0};   // waits since then that did not spin
};

}  // namespace hbm::simulator
