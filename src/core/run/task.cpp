// SPDX-License-Identifier: Apache-2.0
// Makes, submits, waits for and releases tasks of the accelerator.
#include "core/run/task.hpp"

#include <utility>

#include "core/board/error.hpp"
#include "core/board/release.hpp"

namespace hbm {

void Task::create(hbDNNHandle_t handle, std::vector<hbDNNTensor>& outputs,
                  const std::vector<hbDNNTensor>& inputs) {
  check(library_->hbDNNInferV2(&handle_, outputs.data(), inputs.data(), handle), "hbDNNInferV2",
        "make a task", {model_, {}});
}

void Task::call_when_done(hbUCPTaskDoneCb done, void* user_data) {
  check(library_->hbUCPSetTaskDoneCb(handle_, done, user_data), "hbUCPSetTaskDoneCb",
        "be told of the task's end", {model_, {}});
}

void Task::submit(const hbUCPSchedParam& param) {
  hbUCPSchedParam copy = param;
  in_flight_ = true;  // before: the callback may come from inside
  const int32_t status = library_->hbUCPSubmitTask(handle_, &copy);
  if (status == HB_UCP_SUCCESS) return;
  in_flight_ = false;
  check(status, "hbUCPSubmitTask", "submit the task", {model_, {}});
}

void Task::wait(const Deadline& deadline) {
  while (true) {
    const auto slice = static_cast<int32_t>(deadline.slice().count());
    const int32_t status = library_->hbUCPWaitTaskDone(handle_, slice);
    if (status != HB_UCP_TASK_TIMEOUT) {
      in_flight_ = false;
      check_done(status);
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

void Task::check_done(int32_t status) const {
  check(status, "hbUCPWaitTaskDone", "run the task", {model_, {}});
}

hbDNNTensorProperties Task::output_properties(int32_t index) const {
  hbDNNTensorProperties properties{};
  check(library_->hbDNNGetTaskOutputTensorProperties(&properties, handle_, 0, index),
        "hbDNNGetTaskOutputTensorProperties", "read an output's properties", {model_, {}});
  return properties;
}

void Task::release() noexcept {
  in_flight_ = false;
  if (handle_ == nullptr) return;
  if (library_->is_usable()) {
    release_or_log("hbUCPReleaseTask", [this] { return library_->hbUCPReleaseTask(handle_); });
  }
  handle_ = nullptr;
}

}  // namespace hbm
