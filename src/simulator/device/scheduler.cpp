// SPDX-License-Identifier: Apache-2.0
// The policy of the simulated chip's queue.
#include "simulator/device/scheduler.hpp"

namespace hbm::simulator {

void Scheduler::add(Job& job) {
  job.arrival = next_arrival_++;
  job.queued = true;
  queue_.insert(&job);
}

bool Scheduler::withdraw(Job& job) {
  if (!job.queued) return false;
  queue_.erase(&job);
  job.queued = false;
  return true;
}

// The cores of `open` that the job would take; 0 when they do not suffice.
uint32_t Scheduler::place_for(const Job& job, uint32_t open) const noexcept {
  const uint32_t usable = job.core_mask & open;
  if (job.core_count > 1) return usable == job.core_mask ? usable : 0;
  return usable & (~usable + 1U);  // the lowest
}

Job* Scheduler::start_next() {
  uint32_t open = free_cores();
  for (auto next = queue_.begin(); next != queue_.end() && open != 0; ++next) {
    Job& job = **next;
    const uint32_t cores = place_for(job, open);
    if (cores != 0) {
      queue_.erase(next);
      job.queued = false;
      job.begun = true;
      job.cores = cores;
      busy_ |= cores;
      return &job;
    }
    if (job.core_count > 1) open &= ~job.core_mask;
  }
  return nullptr;
}

bool Scheduler::must_yield(const Job& job) const {
  if (!preemption_ || !job.preemptible) return false;
  for (const Job* waiting : queue_) {
    if (waiting->priority < kLowestPreemptingPriority || waiting->priority <= job.priority) break;
    if ((waiting->core_mask & job.cores) != 0) return true;
  }
  return false;
}

void Scheduler::put_back(Job& job) {
  end(job);
  job.queued = true;
  queue_.insert(&job);
}

void Scheduler::end(Job& job) {
  busy_ &= ~job.cores;
  job.cores = 0;
}

}  // namespace hbm::simulator
