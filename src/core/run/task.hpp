// SPDX-License-Identifier: Apache-2.0
// One task of the accelerator with an owner.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/board/deadline.hpp"
#include "core/board/library.hpp"

namespace hbm {

class Task {
 public:
  Task(std::shared_ptr<const Library> library, std::string model)
      : library_(std::move(library)), model_(std::move(model)) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  // Cancels a task in flight and waits until the accelerator let go of its memory.
  ~Task() { release(); }

  // The tensors' memory must outlive the task. Throws Error, as all of these do.
  void create(hbDNNHandle_t handle, std::vector<hbDNNTensor>& outputs,
              const std::vector<hbDNNTensor>& inputs);
  // Before submit: `done` is called once, on a thread of the accelerator.
  void call_when_done(hbUCPTaskDoneCb done, void* user_data);
  void submit(const hbUCPSchedParam& param);
  // Throws Error(kTimeout) at the deadline; the task is then still the accelerator's.
  void wait(const Deadline& deadline);
  // The same error as wait's for the status that a callback was given.
  void check_done(int32_t status) const;
  [[nodiscard]] hbDNNTensorProperties output_properties(int32_t index) const;
  // As the destructor; the object can be used again.
  void release() noexcept;

  [[nodiscard]] bool exists() const noexcept { return handle_ != nullptr; }
  // Submitted and, as far as anybody has looked, not done.
  [[nodiscard]] bool is_in_flight() const noexcept { return in_flight_; }
  void saw_end() noexcept { in_flight_ = false; }

 private:
  std::shared_ptr<const Library> library_;
  std::string model_;
  hbUCPTaskHandle_t handle_ = nullptr;
  bool in_flight_ = false;
};

}  // namespace hbm
