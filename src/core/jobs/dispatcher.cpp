// SPDX-License-Identifier: Apache-2.0
// Waits for whatever comes next in the life of asynchronous jobs.
#include "core/jobs/dispatcher.hpp"

#include <algorithm>
#include <new>

#include "core/board/error.hpp"
#include "core/jobs/job.hpp"
#include "core/scheduling/admission.hpp"

namespace hbm {

Dispatcher& Dispatcher::of_process() {
  // Never destroyed: the accelerator may call back while the process ends.
  static Dispatcher& dispatcher = *std::make_unique<Dispatcher>().release();
  return dispatcher;
}

void Dispatcher::check_running() {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    throw Error(ErrorKind::kClosed, "the program is ending: no asynchronous run can be started");
  }
  if (running_) return;
  std::thread([this] { work(); }).detach();  // stop() waits for it
  running_ = true;
}

void Dispatcher::expire_at(Deadline::Clock::time_point when,
                           const std::shared_ptr<Job>& job) noexcept {
  bool is_next = false;
  try {
    const std::lock_guard lock(mutex_);
    is_next = deadlines_.empty() || when < deadlines_.begin()->first.first;
    deadlines_.emplace(std::pair(when, job.get()), job);
  } catch (const std::bad_alloc&) {
    static_cast<void>(job->expire());  // better early than never
  }
  if (is_next) arrived_.notify_one();
}

void Dispatcher::forget_deadline(Deadline::Clock::time_point when, const Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  deadlines_.erase({when, &job});
}

std::size_t Dispatcher::deadline_count() {
  const std::lock_guard lock(mutex_);
  return deadlines_.size();
}

void Dispatcher::push_ready(std::shared_ptr<Job> job) noexcept {
  arrive([&] { ready_.push_back(std::move(job)); });
}

void Dispatcher::push_done(std::shared_ptr<Job> job) noexcept {
  arrive([&] { done_.push_back(std::move(job)); });
}

void Dispatcher::look_at_ages() noexcept {
  arrive([this] { ages_changed_ = true; });
}

uint64_t Dispatcher::ticket_for(std::shared_ptr<Job> job, std::size_t index) {
  const std::lock_guard lock(mutex_);
  const uint64_t ticket = next_ticket_++;
  tickets_.emplace(ticket, std::pair(std::move(job), index));
  return ticket;
}

void Dispatcher::forget(uint64_t ticket) noexcept {
  std::shared_ptr<Job> job;  // let go without the lock
  const std::lock_guard lock(mutex_);
  const auto found = tickets_.find(ticket);
  if (found == tickets_.end()) return;
  job = std::move(found->second.first);
  tickets_.erase(found);
}

void Dispatcher::task_done(void*, int32_t status, void* ticket) {
  Dispatcher& self = of_process();
  if (!self.fork_guard_.is_own_process()) return;
  std::shared_ptr<Job> job;
  std::size_t index = 0;
  {
    const std::lock_guard lock(self.mutex_);
    const auto found = self.tickets_.find(reinterpret_cast<uintptr_t>(ticket));
    if (found == self.tickets_.end()) return;
    job = std::move(found->second.first);
    index = found->second.second;
    self.tickets_.erase(found);
  }
  job->task_done(index, status);
}

bool Dispatcher::stop(std::chrono::milliseconds patience) {
  if (!fork_guard_.is_own_process()) return true;
  std::unique_lock lock(mutex_);
  stopping_ = true;
  arrived_.notify_one();
  return stopped_.wait_for(lock, patience, [this] { return !running_; });
}

void Dispatcher::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (do_one(lock)) continue;
    lock.unlock();  // admission is never asked with our lock held
    const auto next_age = Admission::of_process().review();
    lock.lock();
    sleep(lock, next_age);
  }
  running_ = false;
  stopped_.notify_all();
}

bool Dispatcher::do_one(std::unique_lock<std::mutex>& lock) {
  std::shared_ptr<Job> job;
  if (!done_.empty()) {
    job = std::move(done_.front());
    done_.pop_front();
    lock.unlock();
    job->finish_if_done(true);
  } else if (!ready_.empty()) {
    job = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    job->submit(true);
  } else if (!deadlines_.empty() && deadlines_.begin()->first.first <= Deadline::Clock::now()) {
    job = deadlines_.begin()->second.lock();
    deadlines_.erase(deadlines_.begin());
    lock.unlock();
    if (job != nullptr) static_cast<void>(job->expire());
  } else {
    return false;
  }
  job.reset();  // perhaps the last owner, and that takes time
  lock.lock();
  return true;
}

void Dispatcher::sleep(std::unique_lock<std::mutex>& lock,
                       std::optional<Deadline::Clock::time_point> next_age) {
  const auto has_work = [this] {
    return stopping_ || ages_changed_ || !done_.empty() || !ready_.empty();
  };
  std::optional<Deadline::Clock::time_point> end = next_age;
  if (!deadlines_.empty()) {
    const auto first = deadlines_.begin()->first.first;
    end = end ? std::min(*end, first) : first;
  }
  if (has_work()) {
  } else if (end) {
    arrived_.wait_until(lock, *end);
  } else {
    arrived_.wait(lock);
  }
  ages_changed_ = false;
}

}  // namespace hbm
