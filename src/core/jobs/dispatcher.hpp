// SPDX-License-Identifier: Apache-2.0
// The one thread that hands queued jobs over, ends finished ones and keeps their deadlines.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/board/deadline.hpp"
#include "core/board/fork_guard.hpp"

namespace hbm {

class Job;

class Dispatcher {
 public:
  [[nodiscard]] static Dispatcher& of_process();

  // Starts the thread if needed. Throws Error(kClosed) after stop().
  void check_running();
  // Ends the job then, unless it ended before; a job that ended takes its deadline back.
  void expire_at(Deadline::Clock::time_point when, const std::shared_ptr<Job>& job) noexcept;
  void forget_deadline(Deadline::Clock::time_point when, const Job& job) noexcept;
  [[nodiscard]] std::size_t deadline_count();
  // There is a slot for the job.
  void push_ready(std::shared_ptr<Job> job) noexcept;
  // All tasks of the job are done.
  void push_done(std::shared_ptr<Job> job) noexcept;
  // A job that ages has been queued.
  void look_at_ages() noexcept;

  // What the accelerator gets as user data of a task, instead of an address that may be stale.
  [[nodiscard]] uint64_t ticket_for(std::shared_ptr<Job> job, std::size_t index);
  void forget(uint64_t ticket) noexcept;
  // The callback of every asynchronous task.
  static void task_done(void* task, int32_t status, void* ticket);

  // Ends the thread; what is unfinished then never ends by itself. False if it did not come back.
  bool stop(std::chrono::milliseconds patience);

 private:
  // Does it under the lock and wakes the thread.
  template <typename Work>
  void arrive(const Work& work) noexcept {
    {
      const std::lock_guard lock(mutex_);
      work();
    }
    arrived_.notify_one();
  }
  void work();
  // Both take the lock away and give it back.
  bool do_one(std::unique_lock<std::mutex>& lock);
  void sleep(std::unique_lock<std::mutex>& lock,
             std::optional<Deadline::Clock::time_point> next_age);

  const ForkGuard fork_guard_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable stopped_;
  std::deque<std::shared_ptr<Job>> ready_;
  std::deque<std::shared_ptr<Job>> done_;
  // The address tells jobs with the same deadline apart.
  std::map<std::pair<Deadline::Clock::time_point, const Job*>, std::weak_ptr<Job>> deadlines_;
  std::unordered_map<uint64_t, std::pair<std::shared_ptr<Job>, std::size_t>> tickets_;
  uint64_t next_ticket_ = 1;
  bool ages_changed_ = false;
  bool running_ = false;
  bool stopping_ = false;
};

}  // namespace hbm
