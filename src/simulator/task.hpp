// SPDX-License-Identifier: Apache-2.0
// One task of the simulated accelerator: its sub-tasks, its place in the queue and its end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <thread>
#include <tuple>
#include <vector>

#include "device_interface.hpp"
#include "hb_ucp.h"

namespace hbm::simulator {

enum class TaskState { kCreated, kQueued, kRunning, kDone };

// Every field but `operations` while running is guarded by the device's mutex.
struct Task {
  hbUCPTaskHandle_t handle = nullptr;
  std::vector<std::shared_ptr<Operation>> operations;
  TaskState state = TaskState::kCreated;
  int32_t status = HB_UCP_SUCCESS;  // valid once done
  bool cancelled = false;

  int32_t priority = 0;
  int64_t custom_id = 0;
  uint64_t arrival = 0;
  uint32_t core_mask = 0;

  hbUCPTaskDoneCb callback = nullptr;
  void* user_data = nullptr;
  std::thread::id callback_thread;  // set while the callback runs
  std::condition_variable changed;  // done, or callback returned
};

// The order of the queue: priority, then custom id, then arrival.
struct RunsBefore {
  [[nodiscard]] bool operator()(const std::shared_ptr<Task>& a,
                                const std::shared_ptr<Task>& b) const noexcept {
    return std::tuple(-a->priority, a->custom_id, a->arrival) <
           std::tuple(-b->priority, b->custom_id, b->arrival);
  }
};

}  // namespace hbm::simulator
