// SPDX-License-Identifier: Apache-2.0
// The simulated accelerator: tasks, the queue that orders them and one thread per core.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "simulator/device/device_interface.hpp"
#include "simulator/device/memory.hpp"
#include "simulator/device/scheduler.hpp"
#include "simulator/device/task.hpp"
#include "simulator/device/wake_up.hpp"
#include "simulator/watching/device_trace.hpp"

namespace hbm::simulator {

class SimulatedDevice final : public Device {
 public:
  explicit SimulatedDevice(const Profile& profile);

  // The one device of this process.
  [[nodiscard]] static SimulatedDevice& instance();

  [[nodiscard]] Memory& memory() noexcept { return memory_; }

  // The task functions of the ABI, with its statuses.
  [[nodiscard]] int32_t submit(hbUCPTaskHandle_t handle, const hbUCPSchedParam* param);
  [[nodiscard]] int32_t wait(hbUCPTaskHandle_t handle, int32_t timeout_ms);
  [[nodiscard]] int32_t set_callback(hbUCPTaskHandle_t handle, hbUCPTaskDoneCb callback,
                                     void* user_data);
  [[nodiscard]] int32_t release(hbUCPTaskHandle_t handle);

  [[nodiscard]] const Profile& profile() const noexcept override { return profile_; }
  [[nodiscard]] const std::string& environment_error() const noexcept override;
  [[nodiscard]] int32_t create_task(std::shared_ptr<Operation> operation,
                                    hbUCPTaskHandle_t* task) override;
  [[nodiscard]] int32_t append(hbUCPTaskHandle_t handle,
                               std::shared_ptr<Operation> operation) override;
  [[nodiscard]] int32_t run_and_wait(std::shared_ptr<Operation> operation) override;
  [[nodiscard]] std::shared_ptr<Operation> finished_operation(hbUCPTaskHandle_t handle,
                                                              int32_t sub_task) override;
  [[nodiscard]] bool owns(const void* address, uint64_t size) const override;
  [[nodiscard]] uint64_t bytes_from(const void* address) const override;
  [[nodiscard]] std::byte* device_side(const hbUCPSysMem& memory) const override {
    return memory_.device_side(memory);
  }
  void written_by_device(void* address, uint64_t size) override {
    memory_.written_by_device(address, size);
  }
  [[nodiscard]] bool reserve(uint64_t bytes) override { return memory_.reserve(bytes); }
  void unreserve(uint64_t bytes) noexcept override { memory_.unreserve(bytes); }
  void count_packed(int change) noexcept override { packed_ += change; }
  [[nodiscard]] bool is_forked() const noexcept override;
  void shut_down() noexcept override;

  // What is alive of "memory" (bytes), "tasks" or "models" (packed handles); -1 otherwise.
  [[nodiscard]] int64_t live(std::string_view kind) const;
  // At exit of the process that made the device: ends the cores, writes trace and report.
  void finish() noexcept;

 private:
  using TaskPtr = std::shared_ptr<Task>;

  struct Core {
    std::thread thread;
    WakeUp work;           // `task` was given, or the device stops
    WakeUp ended;          // the thread is about to return
    Task* task = nullptr;  // guarded by the device's mutex
  };

  // WakeUps to ring once the mutex is free: whoever wakes needs it.
  class WakeUps;

  // device.cpp: the life of tasks.
  [[nodiscard]] TaskPtr find(hbUCPTaskHandle_t handle) const;
  [[nodiscard]] uint32_t cores_for(const Task& task, uint64_t backend) const;
  void enqueue(Task& task, WakeUps& wake_ups);
  void cancel(Task& task, WakeUps& wake_ups);
  void finish_task(Task& task, int32_t status, WakeUps& wake_ups);
  void report_held() const;

  // waiting.cpp: how threads wait for tasks.
  [[nodiscard]] bool await(Task& task, std::optional<Clock::time_point> deadline);
  [[nodiscard]] bool may_lend(const Task& task, std::optional<Clock::time_point> deadline) const;
  void lend_thread(Task& task, std::optional<Clock::time_point> deadline);

  // cores.cpp: what the threads do.
  void start_cores();  // throws std::runtime_error
  void dispatch(WakeUps& wake_ups);
  void run_core(std::size_t index);
  void run_task(std::unique_lock<std::mutex>& lock, TaskPtr task);
  void end_late(std::unique_lock<std::mutex>& lock, Task& task);
  void call_back_from_afar(Task& task);
  [[nodiscard]] int32_t run_call(Task& task, Operation& operation);
  void hold_cores(Task& task, Clock::time_point end, bool is_last) const;
  void begin_to_run(Task& task);
  void trace_stage(const Task& task, SpanKind kind, bool last);
  void trace_call(const Task& task, const Operation& operation, SpanKind kind,
                  Clock::time_point begin, int32_t status);

  const Profile profile_;
  Memory memory_;
  const pid_t owner_;  // the process whose threads the cores are
  DeviceTrace trace_;
  mutable std::mutex mutex_;
  std::unordered_map<hbUCPTaskHandle_t, TaskPtr> tasks_;
  Scheduler scheduler_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::size_t started_cores_ = 0;  // the first ones have threads
  uint64_t next_number_ = 1;
  bool stopping_ = false;
  std::atomic<int> lent_threads_{0};
  std::atomic<int> packed_{0};
  // Of waiters, after the submission: many runs are short; and when the end is near.
  SpinBudget first_spin_{std::chrono::microseconds(100)};
  SpinBudget last_spin_{std::chrono::microseconds(250)};
};

// True on the thread of a core: what it waits for would wait for it.
[[nodiscard]] bool is_core_thread() noexcept;

class SimulatedDevice::WakeUps {
 public:
  // A waiter that sees its wake_up may drop the task at once: the wake_up keeps it until it has
  // rung.
  void add(Task& task, WakeUp& wake_up) {
    wake_ups_.emplace_back(task.shared_from_this(), &wake_up);
  }
  void add(Core& core) { wake_ups_.emplace_back(std::shared_ptr<void>(), &core.work); }
  void signal() noexcept {
    for (const auto& wake_up : wake_ups_) wake_up->signal();
    wake_ups_.clear();
  }

 private:
  std::vector<std::shared_ptr<WakeUp>> wake_ups_;
};

}  // namespace hbm::simulator
