// SPDX-License-Identifier: Apache-2.0
// Makes, submits, waits for and releases tasks of the accelerator.
#include "task.hpp"

#include <cstdlib>
#include <utility>

#include "error.hpp"
#include "release.hpp"

namespace hbm {
namespace {

constexpr std::size_t kDefaultTaskLimit = 32;

std::size_t task_limit() {
  const char* text = std::getenv("HB_UCP_MAX_TASK_NUM");
  const long value = text != nullptr ? std::strtol(text, nullptr, 10) : 0;
  return value > 0 ? static_cast<std::size_t>(value) : kDefaultTaskLimit;
}

}  // namespace

TaskSlots& TaskSlots::of_process() {
  static TaskSlots slots(task_limit());
  return slots;
}

void TaskSlots::acquire(std::size_t count, const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  while (used_ + count > limit_) {
    if (deadline.passed()) {
      throw Error(ErrorKind::kTimeout,
                  "the deadline passed while all " + std::to_string(limit_) +
                      " tasks of the accelerator (HB_UCP_MAX_TASK_NUM) were in use");
    }
    freed_.wait_for(lock, deadline.slice());
    lock.unlock();
    deadline.look_up();
    lock.lock();
  }
  used_ += count;
}

void TaskSlots::release(std::size_t count) noexcept {
  {
    const std::lock_guard lock(mutex_);
    used_ -= count;
  }
  freed_.notify_all();
}

Task::Task(std::shared_ptr<const Library> library, std::string model, hbDNNHandle_t handle,
           std::vector<hbDNNTensor>& outputs, const std::vector<hbDNNTensor>& inputs)
    : library_(std::move(library)), model_(std::move(model)) {
  check(library_->hbDNNInferV2(&handle_, outputs.data(), inputs.data(), handle), "hbDNNInferV2",
        "make a task", {model_, {}});
}

Task::~Task() {
  if (handle_ == nullptr || !library_->is_usable()) return;
  release_or_log("hbUCPReleaseTask", [this] { return library_->hbUCPReleaseTask(handle_); });
}

void Task::submit(const SchedParam& param) {
  hbUCPSchedParam abi = to_abi(param);
  check(library_->hbUCPSubmitTask(handle_, &abi), "hbUCPSubmitTask", "submit the task",
        {model_, {}});
}

void Task::wait(const Deadline& deadline) {
  while (true) {
    const auto slice = static_cast<int32_t>(deadline.slice().count());
    const int32_t status = library_->hbUCPWaitTaskDone(handle_, slice);
    if (status != HB_UCP_TASK_TIMEOUT) {
      check(status, "hbUCPWaitTaskDone", "run the task", {model_, {}});
      return;
    }
    if (deadline.passed()) {
      throw Error(ErrorKind::kTimeout,
                  "model '" + model_ + "': the deadline passed before the task was done",
                  {model_, {}}, "hbUCPWaitTaskDone", HB_UCP_TASK_TIMEOUT);
    }
    deadline.look_up();
  }
}

hbDNNTensorProperties Task::output_properties(int32_t index) const {
  hbDNNTensorProperties properties{};
  check(library_->hbDNNGetTaskOutputTensorProperties(&properties, handle_, 0, index),
        "hbDNNGetTaskOutputTensorProperties", "read an output's properties", {model_, {}});
  return properties;
}

}  // namespace hbm
