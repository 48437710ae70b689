// SPDX-License-Identifier: Apache-2.0
// One task of the accelerator with an owner, and the limit of how many may live at once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "deadline.hpp"
#include "library.hpp"
#include "scheduling.hpp"

namespace hbm {

// Counts the live tasks of this process, so that reaching the accelerator's limit means waiting.
class TaskSlots {
 public:
  explicit TaskSlots(std::size_t limit) : limit_(limit) {}

  // The limit of the accelerator's libraries: HB_UCP_MAX_TASK_NUM, otherwise 32.
  [[nodiscard]] static TaskSlots& of_process();

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  // Takes `count` slots at once (at most the limit); throws Error(kTimeout) at the deadline.
  void acquire(std::size_t count, const Deadline& deadline);
  void release(std::size_t count) noexcept;

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t used_ = 0;
};

// Slots that are given back at the end of a scope.
class TaskSlotLease {
 public:
  TaskSlotLease(TaskSlots& slots, std::size_t count, const Deadline& deadline)
      : slots_(slots), count_(count) {
    slots_.acquire(count, deadline);
  }
  TaskSlotLease(const TaskSlotLease&) = delete;
  TaskSlotLease& operator=(const TaskSlotLease&) = delete;
  ~TaskSlotLease() { slots_.release(count_); }

 private:
  TaskSlots& slots_;
  std::size_t count_;
};

class Task {
 public:
  // Makes the task; the tensors' memory must outlive it. Throws Error.
  Task(std::shared_ptr<const Library> library, std::string model, hbDNNHandle_t handle,
       std::vector<hbDNNTensor>& outputs, const std::vector<hbDNNTensor>& inputs);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  // Cancels a task in flight and waits until the accelerator let go of its memory.
  ~Task();

  void submit(const SchedParam& param);
  // Throws Error(kTimeout) at the deadline; the task is then still the accelerator's.
  void wait(const Deadline& deadline);
  [[nodiscard]] hbDNNTensorProperties output_properties(int32_t index) const;

 private:
  std::shared_ptr<const Library> library_;
  std::string model_;
  hbUCPTaskHandle_t handle_ = nullptr;
};

}  // namespace hbm
