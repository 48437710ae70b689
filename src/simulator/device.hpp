// SPDX-License-Identifier: Apache-2.0
// The simulated accelerator: a queue of tasks and one thread per core that takes from it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "device_interface.hpp"
#include "memory.hpp"
#include "task.hpp"

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
  void count_packed(int change) noexcept override { packed_ += change; }
  [[nodiscard]] bool is_forked() const noexcept override;
  void shut_down() noexcept override;

  // What is alive of "memory" (bytes), "tasks" or "models" (packed handles); -1 otherwise.
  [[nodiscard]] int64_t live(std::string_view kind) const;

 private:
  using TaskPtr = std::shared_ptr<Task>;

  struct Core {
    std::thread thread;
    std::condition_variable work;
    TaskPtr current;  // the task that runs here
    bool idle = false;
  };

  void run_core(int index);
  void start_cores();
  void enqueue(const TaskPtr& task);
  void wake_one_core(uint32_t core_mask);
  void cancel(const TaskPtr& task);
  void finish(const TaskPtr& task, int32_t status);
  [[nodiscard]] TaskPtr take(int core);
  [[nodiscard]] TaskPtr find(hbUCPTaskHandle_t handle) const;

  const Profile profile_;
  Memory memory_;
  const pid_t owner_;  // the process whose threads the cores are
  mutable std::mutex mutex_;
  std::unordered_map<hbUCPTaskHandle_t, TaskPtr> tasks_;
  std::set<TaskPtr, RunsBefore> queue_;
  std::vector<Core> cores_;
  uint64_t next_handle_ = 1;
  uint64_t next_arrival_ = 0;
  bool stopping_ = false;
  std::atomic<int> packed_{0};
};

}  // namespace hbm::simulator
