// SPDX-License-Identifier: Apache-2.0
// The end that every wait of the core has: a time, and a look at the caller now and then.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

namespace hbm {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  // `look_up` is called between slices of a long wait and may throw to end it.
  explicit Deadline(std::optional<Clock::duration> timeout = std::nullopt,
                    std::function<void()> look_up = {})
      : look_up_(std::move(look_up)) {
    if (timeout) end_ = Clock::now() + *timeout;
  }

  [[nodiscard]] bool passed() const { return end_ && Clock::now() >= *end_; }

  // How long to wait before looking up: at least 1 ms, because 0 means "for ever" to the
  // ABI (UCP API reference, hbUCPWaitTaskDone).
  [[nodiscard]] std::chrono::milliseconds slice() const {
    constexpr std::chrono::milliseconds longest{50};
    if (!end_) return longest;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end_ - Clock::now());
    return std::clamp(left, std::chrono::milliseconds{1}, longest);
  }

  void look_up() const {
    if (look_up_) look_up_();
  }

  // Waits for one slice, then looks up without the lock.
  void wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock) const {
    changed.wait_for(lock, slice());
    lock.unlock();
    look_up();
    lock.lock();
  }

 private:
  std::optional<Clock::time_point> end_;
  std::function<void()> look_up_;
};

}  // namespace hbm
