// SPDX-License-Identifier: Apache-2.0
// How many asynchronous runs of one runtime may be unfinished at once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/board/deadline.hpp"
#include "core/board/error.hpp"

namespace hbm {

class RunLimit {
 public:
  // What the counters below can hold.
  static constexpr std::size_t kMost = 2'147'483'647;

  // Throws Error(kInput) for a limit outside of [1, kMost].
  explicit RunLimit(std::size_t limit) : limit_(limit) {
    if (limit >= 1 && limit <= kMost) return;
    throw Error(ErrorKind::kInput, "max_in_flight: expected an int from 1 to " +
                                       std::to_string(kMost) + ", got " + std::to_string(limit));
  }

  // Throws Error(kBusy) at once if `wait` is false, Error(kTimeout) at the deadline otherwise,
  // and Error(kClosed) once it is closed. Results that nobody has taken over yet count on their
  // own, but not for the thread that is `delivering` them: it would wait for itself.
  void enter(bool wait, bool delivering, const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    const auto limit = static_cast<int64_t>(limit_);
    while (!closed_ && (count_ >= limit_ || (!delivering && undelivered_ >= limit))) {
      if (!wait || deadline.passed()) {
        throw Error(wait ? ErrorKind::kTimeout : ErrorKind::kBusy,
                    std::to_string(limit_) + " runs (max_in_flight) are unfinished" +
                        (wait ? ", and the deadline passed before one was done"
                              : "; try again later, or pass when_full=\"wait\""));
      }
      deadline.wait(left_, lock);
    }
    if (closed_) throw Error(ErrorKind::kClosed, "the runtime is closed");
    ++count_;
  }
  void leave() noexcept {
    change([this] { --count_; });
  }
  // leave() of a run whose end its owner has yet to be told.
  void ended() noexcept {
    change([this] {
      --count_;
      ++undelivered_;
    });
  }
  // The owner of a run knows of its end; once for each, perhaps before ended().
  void delivered() noexcept {
    change([this] { --undelivered_; });
  }
  // Refuses new runs, also those that wait.
  void close() noexcept {
    change([this] { closed_ = true; });
  }
  // False when runs are left at the deadline.
  [[nodiscard]] bool wait_until_empty(const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    while (count_ > 0) {
      if (deadline.passed()) return false;
      deadline.wait(left_, lock);
    }
    return true;
  }

 private:
  template <typename Work>
  void change(const Work& work) noexcept {
    {
      const std::lock_guard lock(mutex_);
      work();
    }
    left_.notify_all();
  }

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable left_;
  std::size_t count_ = 0;
  int64_t undelivered_ = 0;
  bool closed_ = false;
};

}  // namespace hbm
