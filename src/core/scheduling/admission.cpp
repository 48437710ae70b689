// SPDX-License-Identifier: Apache-2.0
// Grants slots for tasks by priority and age.
#include "core/scheduling/admission.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>

#include "abi/environment.hpp"
#include "core/board/error.hpp"

namespace hbm {
namespace {

// A thread that waits for its slot.
class WaitingThread final : public Admission::Waiter {
 public:
  using Waiter::Waiter;
  void granted() noexcept override { wake.notify_one(); }

  std::condition_variable wake;
};

std::size_t row_of(int32_t priority) noexcept {
  return static_cast<std::size_t>(
      std::clamp<int32_t>(priority, HB_UCP_PRIORITY_LOWEST, HB_UCP_PRIORITY_HIGHEST));
}

}  // namespace

void TaskSlot::leave() noexcept {
  if (Admission* const admission = std::exchange(admission_, nullptr)) {
    admission->give_back(count_, priority_);
  }
}

TaskSlot TaskSlot::take_one() noexcept {
  TaskSlot one;
  one.admission_ = admission_;
  one.count_ = 1;
  one.priority_ = priority_;
  one.first_priority_ = first_priority_;
  if (--count_ == 0) admission_ = nullptr;
  return one;
}

void TaskSlot::apply_to(hbUCPSchedParam& sched) const noexcept {
  if (!first_priority_) return;
  sched.priority = std::max(sched.priority, *first_priority_);
  sched.customId = std::numeric_limits<int64_t>::min();
}

Admission& Admission::of_process() {
  // Never destroyed: tasks may end while the process does.
  static Admission& admission =
      *std::make_unique<Admission>(static_cast<std::size_t>(kTaskLimit.value())).release();
  return admission;
}

TaskSlot Admission::enter(const SlotRequest& request, const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  if (waiters_.empty() && fits(request, false)) return hand_out(request, false);
  WaitingThread waiter(request);
  lock.unlock();
  if (enter(waiter)) return take_slot(waiter);
  try {
    while (true) {
      lock.lock();
      const auto now = Deadline::Clock::now();
      auto end = now + deadline.slice();
      // Once it has aged, the next slot that is given back is its own.
      if (waiter.first_at_ && *waiter.first_at_ > now) end = std::min(end, *waiter.first_at_);
      if (!waiter.granted_) waiter.wake.wait_until(lock, end);
      if (!waiter.granted_ && waiter.first_at_) grant_waiting();
      const bool granted = waiter.granted_;
      lock.unlock();
      if (granted) return take_slot(waiter);
      if (deadline.passed()) {
        throw Error(ErrorKind::kTimeout,
                    "the deadline passed before the accelerator had a place for the task: all " +
                        std::to_string(limit_) +
                        " tasks (HB_UCP_MAX_TASK_NUM) or all cores were in use");
      }
      deadline.look_up();
    }
  } catch (...) {
    withdraw(waiter);
    throw;
  }
}

bool Admission::enter(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  waiter.arrival_ = next_arrival_++;
  if (waiters_.empty() && fits(waiter.request_, false)) {
    waiter.granted_ = true;
    waiter.slot_ = hand_out(waiter.request_, false);
    return true;
  }
  waiters_.insert(&waiter);
  if (waiter.request_.max_wait) {
    waiter.first_at_ = Deadline::Clock::now() + *waiter.request_.max_wait;
    ++aged_waiters_;
  }
  grant_waiting();
  // granted() may just have been called: the caller is told the same twice, which is harmless.
  return false;
}

TaskSlot Admission::take_slot(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  return std::move(waiter.slot_);
}

void Admission::withdraw(Waiter& waiter) noexcept {
  TaskSlot slot;
  const std::lock_guard lock(mutex_);
  if (waiters_.erase(&waiter) > 0 && waiter.first_at_) --aged_waiters_;
  slot = std::move(waiter.slot_);
}

std::optional<Deadline::Clock::time_point> Admission::review() noexcept {
  const std::lock_guard lock(mutex_);
  std::optional<Deadline::Clock::time_point> next;
  if (aged_waiters_ == 0) return next;
  // Before granting: whoever ages meanwhile is looked at again.
  const auto now = Deadline::Clock::now();
  grant_waiting();
  for (const Waiter* waiter : waiters_) {
    if (!waiter->first_at_ || *waiter->first_at_ <= now) continue;
    if (!next || *waiter->first_at_ < *next) next = waiter->first_at_;
  }
  return next;
}

std::size_t Admission::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

std::size_t Admission::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

bool Admission::fits(const SlotRequest& request, bool first) const noexcept {
  if (used_ + request.count > limit_) return false;
  return first || !request.max_wait || used_ < static_cast<std::size_t>(request.core_count);
}

TaskSlot Admission::hand_out(const SlotRequest& request, bool first) noexcept {
  TaskSlot slot;
  slot.admission_ = this;
  slot.count_ = request.count;
  slot.priority_ = request.priority;
  if (first) {
    for (std::size_t priority = used_by_priority_.size(); priority-- > 0;) {
      if (used_by_priority_[priority] == 0) continue;
      slot.first_priority_ = static_cast<int32_t>(priority);
      break;
    }
  }
  used_ += request.count;
  used_by_priority_[row_of(request.priority)] += request.count;
  return slot;
}

bool Admission::is_due(const Waiter& waiter) const {
  return waiter.first_at_ && Deadline::Clock::now() >= *waiter.first_at_;
}

void Admission::grant(Waiter& waiter, bool first) noexcept {
  waiters_.erase(&waiter);
  if (waiter.first_at_) --aged_waiters_;
  waiter.slot_ = hand_out(waiter.request_, first);
  waiter.granted_ = true;
  waiter.granted();
}

// Aged requests first, the oldest before the others; then by priority. A request that does not fit
// keeps later ones from overtaking it, unless it is only held back for the cores.
void Admission::grant_waiting() noexcept {
  while (aged_waiters_ > 0) {
    Waiter* oldest = nullptr;
    for (Waiter* waiter : waiters_) {
      if (!is_due(*waiter)) continue;
      if (oldest == nullptr || *waiter->first_at_ < *oldest->first_at_) oldest = waiter;
    }
    if (oldest == nullptr) break;
    if (!fits(oldest->request_, true)) return;
    grant(*oldest, true);
  }
  for (auto next = waiters_.begin(); next != waiters_.end();) {
    Waiter& waiter = **next++;
    if (fits(waiter.request_, false)) {
      grant(waiter, false);
    } else if (!waiter.request_.max_wait || used_ + waiter.request_.count > limit_) {
      return;
    }
  }
}

void Admission::give_back(std::size_t count, int32_t priority) noexcept {
  const std::lock_guard lock(mutex_);
  used_ -= count;
  used_by_priority_[row_of(priority)] -= count;
  if (!waiters_.empty()) grant_waiting();
}

}  // namespace hbm
