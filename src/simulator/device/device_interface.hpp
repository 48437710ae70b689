// SPDX-License-Identifier: Apache-2.0
// What libdnn.so needs of libhbucp.so inside the simulator: operations in, tasks out.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "abi/hb_ucp.h"
#include "simulator/device/profile.hpp"

namespace hbm::simulator {

// One piece of work: function calls that run one after the other on the same cores, unless a more
// urgent task comes between two of them.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  // The name of the model, for the trace and the log.
  [[nodiscard]] virtual const std::string& model() const noexcept = 0;
  // At least 1.
  [[nodiscard]] virtual uint32_t call_count() const noexcept = 0;
  // Whether the chip may put it aside between two calls.
  [[nodiscard]] virtual bool preemptible() const noexcept = 0;
  // Cores that it occupies at the same time.
  [[nodiscard]] virtual int core_count() const noexcept = 0;
  // How long a call keeps its cores busy at least.
  [[nodiscard]] virtual std::chrono::microseconds least_time(uint32_t call) const noexcept = 0;
  // How long the last call took lately; 0 when that is not known or depends on the input.
  [[nodiscard]] virtual std::chrono::nanoseconds usual_time_of_last_call() const noexcept = 0;

  // Runs on a core's thread, call after call, not always on the same thread; returns a status.
  [[nodiscard]] virtual int32_t run_call(uint32_t call) noexcept = 0;
  // From any thread, before or while a call runs: makes it return soon.
  virtual void cancel() noexcept = 0;
  // No call will run any more. Called once if the operation was ever submitted.
  virtual void ended() noexcept = 0;
};

class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  [[nodiscard]] virtual const Profile& profile() const noexcept = 0;
  // What is wrong with the environment; empty when nothing is. No model is loaded with it.
  [[nodiscard]] virtual const std::string& environment_error() const noexcept = 0;
  // Makes a task; the caller releases it with hbUCPReleaseTask.
  [[nodiscard]] virtual int32_t create_task(std::shared_ptr<Operation> operation,
                                            hbUCPTaskHandle_t* task) = 0;
  // Appends a sub-task to a task that was not submitted yet.
  [[nodiscard]] virtual int32_t append(hbUCPTaskHandle_t task,
                                       std::shared_ptr<Operation> operation) = 0;
  // Runs on any core with the lowest priority and waits for the end.
  [[nodiscard]] virtual int32_t run_and_wait(std::shared_ptr<Operation> operation) = 0;
  // Null unless the task ended well and has such a sub-task.
  [[nodiscard]] virtual std::shared_ptr<Operation> finished_operation(hbUCPTaskHandle_t task,
                                                                      int32_t sub_task) = 0;
  // Whether `size` bytes from `address` lie inside one allocation of device memory.
  [[nodiscard]] virtual bool owns(const void* address, uint64_t size) const = 0;
  // Bytes from `address` to the end of its allocation, 0 for foreign memory.
  [[nodiscard]] virtual uint64_t bytes_from(const void* address) const = 0;
  // Where the device reads and writes what the CPU sees at `memory.virAddr`; null when phyAddr and
  // virAddr do not name the same place. See Memory.
  [[nodiscard]] virtual std::byte* device_side(const hbUCPSysMem& memory) const = 0;
  // The device wrote there: what the CPU sees is undefined until it is invalidated.
  virtual void written_by_device(void* address, uint64_t size) = 0;
  // Device memory for a model's weights; false when there is not so much.
  [[nodiscard]] virtual bool reserve(uint64_t bytes) = 0;
  virtual void unreserve(uint64_t bytes) noexcept = 0;
  // Keeps count of the packed handles that libdnn.so has given out.
  virtual void count_packed(int change) noexcept = 0;
  // Whether this process is a child of the one that the cores run in.
  [[nodiscard]] virtual bool is_forked() const noexcept = 0;
  // Cancels everything and ends the core threads; before the engine is unloaded.
  virtual void shut_down() noexcept = 0;
};

}  // namespace hbm::simulator

extern "C" hbm::simulator::Device* hbSimDevice();
