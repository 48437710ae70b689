// SPDX-License-Identifier: Apache-2.0
// Who may hand a task to the accelerator, and when: the limit of live tasks, priorities, ageing.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "abi/hb_ucp.h"
#include "core/board/deadline.hpp"

namespace hbm {

// What is asked for: slots for tasks that are submitted together.
struct SlotRequest {
  std::size_t count = 1;  // at most the limit
  int32_t priority = 0;
  int64_t custom_id = 0;
  // With it the task is held back while every core is busy, and goes first when this time is over.
  std::optional<Deadline::Clock::duration> max_wait;
  int core_count = 1;  // of the chip
};

class Admission;

// A slot for live tasks, given back at the end of a scope.
class TaskSlot {
 public:
  TaskSlot() = default;
  TaskSlot(TaskSlot&& other) noexcept { *this = std::move(other); }
  TaskSlot& operator=(TaskSlot&& other) noexcept {
    std::swap(admission_, other.admission_);
    std::swap(count_, other.count_);
    std::swap(priority_, other.priority_);
    std::swap(first_priority_, other.first_priority_);
    return *this;
  }
  ~TaskSlot() { leave(); }

  void leave() noexcept;
  // One of several slots, to be given back on its own.
  [[nodiscard]] TaskSlot take_one() noexcept;
  // Puts an aged task before all others that are with the accelerator.
  void apply_to(hbUCPSchedParam& sched) const noexcept;
  explicit operator bool() const noexcept { return admission_ != nullptr; }

 private:
  friend class Admission;

  Admission* admission_ = nullptr;
  std::size_t count_ = 0;
  int32_t priority_ = 0;
  std::optional<int32_t> first_priority_;  // of an aged task
};

// Slots of this process. Waiting requests get theirs by priority, then custom id, then arrival.
class Admission {
 public:
  explicit Admission(std::size_t limit) : limit_(limit) {}

  // The limit of the accelerator's libraries: HB_UCP_MAX_TASK_NUM, otherwise 32 (UCP
  // introduction, environment variables).
  [[nodiscard]] static Admission& of_process();

  class Waiter {
   public:
    explicit Waiter(const SlotRequest& request) : request_(request) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual ~Waiter() = default;
    // Called with a lock held once slot() can be taken: wakes whoever waits, and nothing else.
    virtual void granted() noexcept = 0;

   private:
    friend class Admission;
    const SlotRequest request_;
    uint64_t arrival_ = 0;
    std::optional<Deadline::Clock::time_point> first_at_;
    bool granted_ = false;
    TaskSlot slot_;
  };

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  // Waits in the calling thread; throws Error(kTimeout) at the deadline.
  [[nodiscard]] TaskSlot enter(const SlotRequest& request, const Deadline& deadline);
  // Queues the waiter unless it is granted at once, in which case granted() is not called.
  [[nodiscard]] bool enter(Waiter& waiter);
  // The slot of a waiter that was granted; an empty one for a waiter that is no longer queued.
  [[nodiscard]] TaskSlot take_slot(Waiter& waiter);
  // Takes the waiter out of the queue; gives back its slot if it has one.
  void withdraw(Waiter& waiter) noexcept;
  // Grants what has aged, and tells when to call this again. Requests that have aged but find no
  // slot get the next one that is given back.
  std::optional<Deadline::Clock::time_point> review() noexcept;
  [[nodiscard]] std::size_t used() const;
  [[nodiscard]] std::size_t waiting() const;

 private:
  friend class TaskSlot;

  struct Before {
    bool operator()(const Waiter* a, const Waiter* b) const noexcept {
      return std::tuple(-a->request_.priority, a->request_.custom_id, a->arrival_) <
             std::tuple(-b->request_.priority, b->request_.custom_id, b->arrival_);
    }
  };

  [[nodiscard]] bool fits(const SlotRequest& request, bool first) const noexcept;
  [[nodiscard]] TaskSlot hand_out(const SlotRequest& request, bool first) noexcept;
  [[nodiscard]] bool is_due(const Waiter& waiter) const;
  void grant(Waiter& waiter, bool first) noexcept;
  void grant_waiting() noexcept;
  void give_back(std::size_t count, int32_t priority) noexcept;

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::set<Waiter*, Before> waiters_;
  std::size_t aged_waiters_ = 0;  // queued ones with a max_wait
  std::size_t used_ = 0;
  std::array<std::size_t, HB_UCP_PRIORITY_HIGHEST + 1> used_by_priority_{};
  uint64_t next_arrival_ = 0;
};

}  // namespace hbm
