// SPDX-License-Identifier: Apache-2.0
// Which task runs on which cores: order, core masks, several cores at once, preemption. No threads.
#pragma once

#include <cstdint>
#include <set>
#include <tuple>

#include "simulator/device/profile.hpp"

namespace hbm::simulator {

// Priorities that interrupt running work instead of only going first in the queue (UCP
// introduction, task scheduling).
inline constexpr int32_t kLowestPreemptingPriority = 254;

// What the scheduler knows of a task. It must stay where it is while the scheduler has it.
struct ScheduledTask {
  int32_t priority = 0;      // 0 to 255, higher first
  int64_t custom_id = 0;     // smaller first among equal priorities
  uint32_t core_mask = 1;    // where it may run; with core_count > 1 exactly where it runs
  int core_count = 1;        // cores that it takes at the same time
  bool preemptible = false;  // what it runs now has function-call boundaries

  // The scheduler's own.
  uint64_t arrival = 0;
  bool begun = false;
  bool queued = false;
  uint32_t cores = 0;  // those it runs on, 0 while it does not
};

// A queue and the cores it feeds. A task that cannot start leaves its place to later ones, with one
// exception: a task of several cores keeps later ones off each core that it waits for, so that
// single-core tasks cannot starve it. It takes its cores only when all are free, so that two of
// them cannot wait for each other.
class Scheduler {
 public:
  Scheduler(uint32_t core_mask, bool preemption) : all_(core_mask), preemption_(preemption) {}

  // Puts a task behind those that go before it.
  void add(ScheduledTask& task);
  // Takes a task out of the queue; false when it is not there.
  bool withdraw(ScheduledTask& task);
  // Starts the next task that can: its `cores` are then taken. Null when none can.
  [[nodiscard]] ScheduledTask* start_next();
  // At a boundary of a running task: whether a more urgent one wants a core of it.
  [[nodiscard]] bool must_yield(const ScheduledTask& task) const;
  // Takes the cores of a running task and puts it back into the queue, where it goes before all
  // tasks of its priority that have not begun.
  void put_back(ScheduledTask& task);
  // A running task is done.
  void end(ScheduledTask& task);

  // The next in the queue, whether it can start or not; null when the queue is empty.
  [[nodiscard]] ScheduledTask* first_queued() const {
    return queue_.empty() ? nullptr : *queue_.begin();
  }
  [[nodiscard]] uint32_t free_cores() const noexcept { return all_ & ~busy_; }

 private:
  struct GoesFirst {
    [[nodiscard]] bool operator()(const ScheduledTask* a, const ScheduledTask* b) const noexcept {
      return std::tuple(-a->priority, !a->begun, a->custom_id, a->arrival) <
             std::tuple(-b->priority, !b->begun, b->custom_id, b->arrival);
    }
  };

  [[nodiscard]] uint32_t place_for(const ScheduledTask& task, uint32_t open) const noexcept;

  const uint32_t all_;
  const bool preemption_;
  std::set<ScheduledTask*, GoesFirst> queue_;
  uint32_t busy_ = 0;
  uint64_t next_arrival_ = 0;
};

}  // namespace hbm::simulator
