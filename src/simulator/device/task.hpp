// SPDX-License-Identifier: Apache-2.0
// One task of the simulated accelerator: its sub-tasks, its life and what waits for its end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "abi/hb_ucp.h"
#include "simulator/device/device_interface.hpp"
#include "simulator/device/scheduler.hpp"
#include "simulator/device/wake_up.hpp"

namespace hbm::simulator {

enum class TaskState { kCreated, kQueued, kRunning, kDone };

// Guarded by the device's mutex, but for what says otherwise.
struct Task : ScheduledTask, std::enable_shared_from_this<Task> {
  hbUCPTaskHandle_t handle = nullptr;
  uint64_t number = 0;                                 // counted from 1, for the trace
  std::vector<std::shared_ptr<Operation>> operations;  // fixed once submitted
  TaskState state = TaskState::kCreated;
  int32_t status = HB_UCP_SUCCESS;  // of any thread once done was rung
  bool cancelled = false;

  // What comes next; of the core that runs the task while one does.
  std::size_t operation = 0;
  uint32_t call = 0;
  Clock::time_point since;  // when it was queued or began to run
  bool preempted = false;

  hbUCPTaskDoneCb callback = nullptr;
  void* user_data = nullptr;
  std::thread::id callback_thread;  // set while the callback runs

  // These are their own guards.
  WakeUp cancel;                        // the task is to end soon
  WakeUp done;                          // status is valid
  WakeUp drained;                       // done, and no callback runs: the device let go of it
  std::atomic<bool> has_waiter{false};  // a thread waits for `done`
  // When `done` will probably ring, in steady-clock ticks; 0: not known.
  std::atomic<Clock::rep> expected_end{0};
};

}  // namespace hbm::simulator
