// SPDX-License-Identifier: Apache-2.0
// The policy of the simulated chip's queue.
#include "simulator/device/scheduler.hpp"

namespace hbm::simulator {

void Scheduler::add(ScheduledTask& task) {
  task.arrival = next_arrival_++;
  task.queued = true;
  queue_.insert(&task);
}

bool Scheduler::withdraw(ScheduledTask& task) {
  if (!task.queued) return false;
  queue_.erase(&task);
  task.queued = false;
  return true;
}

// The cores of `open` that the task would take; 0 when they do not suffice.
uint32_t Scheduler::place_for(const ScheduledTask& task, uint32_t open) const noexcept {
  const uint32_t usable = task.core_mask & open;
  if (task.core_count > 1) return usable == task.core_mask ? usable : 0;
  return usable & (~usable + 1U);  // the lowest
}

ScheduledTask* Scheduler::start_next() {
  uint32_t open = free_cores();
  for (auto next = queue_.begin(); next != queue_.end() && open != 0; ++next) {
    ScheduledTask& task = **next;
    const uint32_t cores = place_for(task, open);
    if (cores != 0) {
      queue_.erase(next);
      task.queued = false;
      task.begun = true;
      task.cores = cores;
      busy_ |= cores;
      return &task;
    }
    if (task.core_count > 1) open &= ~task.core_mask;
  }
  return nullptr;
}

bool Scheduler::must_yield(const ScheduledTask& task) const {
  if (!preemption_ || !task.preemptible) return false;
  for (const ScheduledTask* waiting : queue_) {
    if (waiting->priority < kLowestPreemptingPriority || waiting->priority <= task.priority) break;
    if ((waiting->core_mask & task.cores) != 0) return true;
  }
  return false;
}

void Scheduler::put_back(ScheduledTask& task) {
  end(task);
  task.queued = true;
  queue_.insert(&task);
}

void Scheduler::end(ScheduledTask& task) {
  busy_ &= ~task.cores;
  task.cores = 0;
}

}  // namespace hbm::simulator
