// SPDX-License-Identifier: Apache-2.0
// Queue, cores and task life cycle of the simulated accelerator.
#include "device.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "faults.hpp"
#include "log.hpp"

namespace hbm::simulator {
namespace {

constexpr uint64_t kBpuCoreBits =
    HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_2 | HB_UCP_BPU_CORE_3;

// 0 when the backend names no core of this chip.
uint32_t cores_named_by(uint64_t backend, uint32_t existing) noexcept {
  if (backend == HB_UCP_CORE_ANY || (backend & HB_UCP_BPU_CORE_ANY) != 0) return existing;
  return static_cast<uint32_t>(backend & kBpuCoreBits) & existing;
}

}  // namespace

SimulatedDevice::SimulatedDevice(const Profile& profile)
    : profile_(profile),
      memory_(static_cast<uint64_t>(profile.memory_mib) << 20U),
      owner_(::getpid()) {}

SimulatedDevice& SimulatedDevice::instance() {
  // Never destroyed: a forked child must not touch the cores, and exit has its own order
  // (model.cpp).
  static SimulatedDevice& device = *std::make_unique<SimulatedDevice>(read_profile()).release();
  return device;
}

const std::string& SimulatedDevice::environment_error() const noexcept {
  return Faults::instance().environment_error();
}

int32_t SimulatedDevice::create_task(std::shared_ptr<Operation> operation,
                                     hbUCPTaskHandle_t* task) {
  const std::lock_guard lock(mutex_);
  if (tasks_.size() >= static_cast<std::size_t>(profile_.task_limit)) {
    log(LogLevel::kError,
        "%d tasks are alive, which is the limit (HB_UCP_MAX_TASK_NUM); release finished tasks",
        profile_.task_limit);
    return HB_UCP_TASK_NUMBER_EXCEED_LIMIT;
  }
  auto made = std::make_shared<Task>();
  // Handles are numbers that never come again, so a stale one is always recognised.
  made->handle = reinterpret_cast<hbUCPTaskHandle_t>(next_handle_++ << 4U);
  made->operations.push_back(std::move(operation));
  tasks_.emplace(made->handle, made);
  *task = made->handle;
  return HB_UCP_SUCCESS;
}

int32_t SimulatedDevice::append(hbUCPTaskHandle_t handle, std::shared_ptr<Operation> operation) {
  const std::lock_guard lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr || task->state != TaskState::kCreated) return HB_UCP_TASK_HANDLE_INVALID;
  task->operations.push_back(std::move(operation));
  return HB_UCP_SUCCESS;
}

int32_t SimulatedDevice::submit(hbUCPTaskHandle_t handle, const hbUCPSchedParam* param) {
  if (is_forked()) {
    log(LogLevel::kError, "a forked child cannot use the accelerator that its parent opened");
    return HB_UCP_API_USE_ERROR;
  }
  const std::lock_guard lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
  if (task->state != TaskState::kCreated) return HB_UCP_API_USE_ERROR;
  if (param == nullptr || param->priority < HB_UCP_PRIORITY_LOWEST ||
      param->priority > HB_UCP_PRIORITY_HIGHEST) {
    return HB_UCP_INVALID_ARGUMENT;
  }
  const uint32_t cores = cores_named_by(param->backend, profile_.core_mask());
  if (cores == 0) {
    log(LogLevel::kError, "backend 0x%llx names no core of this chip, which has %d",
        static_cast<unsigned long long>(param->backend), profile_.core_count);
    return HB_UCP_INVALID_ARGUMENT;
  }
  if (stopping_) return HB_UCP_API_USE_ERROR;
  task->priority = param->priority;
  task->custom_id = param->customId;
  task->core_mask = cores;
  enqueue(task);
  return HB_UCP_SUCCESS;
}

int32_t SimulatedDevice::wait(hbUCPTaskHandle_t handle, int32_t timeout_ms) {
  std::unique_lock lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr || task->state == TaskState::kCreated) return HB_UCP_TASK_HANDLE_INVALID;
  const auto done = [&task] { return task->state == TaskState::kDone; };
  if (timeout_ms <= 0) {
    task->changed.wait(lock, done);
  } else if (!task->changed.wait_until(
                 lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms),
                 done)) {
    return HB_UCP_TASK_TIMEOUT;
  }
  return task->status;
}

int32_t SimulatedDevice::set_callback(hbUCPTaskHandle_t handle, hbUCPTaskDoneCb callback,
                                      void* user_data) {
  if (callback == nullptr) return HB_UCP_INVALID_ARGUMENT;
  const std::lock_guard lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr || task->state != TaskState::kCreated) return HB_UCP_TASK_HANDLE_INVALID;
  task->callback = callback;
  task->user_data = user_data;
  return HB_UCP_SUCCESS;
}

int32_t SimulatedDevice::release(hbUCPTaskHandle_t handle) {
  std::unique_lock lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
  cancel(task);
  tasks_.erase(handle);
  // A callback that releases its own task must not wait for itself.
  task->changed.wait(lock, [&task] {
    return task->state != TaskState::kRunning &&
           (task->callback_thread == std::thread::id() ||
            task->callback_thread == std::this_thread::get_id());
  });
  lock.unlock();  // the operations may free much
  return HB_UCP_SUCCESS;
}

int32_t SimulatedDevice::run_and_wait(std::shared_ptr<Operation> operation) {
  auto task = std::make_shared<Task>();
  task->operations.push_back(std::move(operation));
  std::unique_lock lock(mutex_);
  if (stopping_) return HB_UCP_API_USE_ERROR;
  task->core_mask = profile_.core_mask();
  enqueue(task);
  task->changed.wait(lock, [&task] { return task->state == TaskState::kDone; });
  return task->status;
}

std::shared_ptr<Operation> SimulatedDevice::finished_operation(hbUCPTaskHandle_t handle,
                                                               int32_t sub_task) {
  const std::lock_guard lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr || task->state != TaskState::kDone || task->status != HB_UCP_SUCCESS ||
      sub_task < 0 || static_cast<std::size_t>(sub_task) >= task->operations.size()) {
    return nullptr;
  }
  return task->operations[static_cast<std::size_t>(sub_task)];
}

bool SimulatedDevice::owns(const void* address, uint64_t size) const {
  return size <= memory_.bytes_from(address);
}

uint64_t SimulatedDevice::bytes_from(const void* address) const {
  return memory_.bytes_from(address);
}

int64_t SimulatedDevice::live(std::string_view kind) const {
  if (kind == "memory") return static_cast<int64_t>(memory_.allocated());
  if (kind == "models") return packed_;
  if (kind != "tasks") return -1;
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(tasks_.size());
}

bool SimulatedDevice::is_forked() const noexcept { return ::getpid() != owner_; }

void SimulatedDevice::shut_down() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    while (!queue_.empty()) cancel(TaskPtr(*queue_.begin()));
    for (Core& core : cores_) {
      if (core.current != nullptr) cancel(core.current);
      core.work.notify_all();
    }
  }
  for (Core& core : cores_) {
    if (core.thread.joinable()) core.thread.join();
  }
}

SimulatedDevice::TaskPtr SimulatedDevice::find(hbUCPTaskHandle_t handle) const {
  const auto found = tasks_.find(handle);
  return found == tasks_.end() ? nullptr : found->second;
}

void SimulatedDevice::enqueue(const TaskPtr& task) {
  start_cores();
  task->arrival = next_arrival_++;
  task->state = TaskState::kQueued;
  queue_.insert(task);
  wake_one_core(task->core_mask);
}

void SimulatedDevice::start_cores() {
  if (!cores_.empty()) return;
  cores_ = std::vector<Core>(static_cast<std::size_t>(profile_.core_count));
  for (int index = 0; index < profile_.core_count; ++index) {
    cores_[static_cast<std::size_t>(index)].thread =
        std::thread([this, index] { run_core(index); });
  }
}

void SimulatedDevice::wake_one_core(uint32_t core_mask) {
  for (std::size_t index = 0; index < cores_.size(); ++index) {
    Core& core = cores_[index];
    if (!core.idle || (core_mask & (1U << index)) == 0) continue;
    core.idle = false;  // claimed: the next task wakes another core
    core.work.notify_one();
    return;
  }
}

// Ends a queued task now and asks a running one to end soon.
void SimulatedDevice::cancel(const TaskPtr& task) {
  if (task->state == TaskState::kQueued) {
    queue_.erase(task);
    finish(task, HB_UCP_TASK_RUN_FAILED);
  } else if (task->state == TaskState::kRunning) {
    task->cancelled = true;
    for (const auto& operation : task->operations) operation->cancel();
  }
}

void SimulatedDevice::finish(const TaskPtr& task, int32_t status) {
  task->status = status;
  task->state = TaskState::kDone;
  task->changed.notify_all();
}

SimulatedDevice::TaskPtr SimulatedDevice::take(int core) {
  const uint32_t bit = 1U << static_cast<unsigned>(core);
  const auto next = std::find_if(queue_.begin(), queue_.end(), [bit](const TaskPtr& task) {
    return (task->core_mask & bit) != 0;
  });
  if (next == queue_.end()) return nullptr;
  TaskPtr task = *next;
  queue_.erase(next);
  return task;
}

void SimulatedDevice::run_core(int index) {
  std::unique_lock lock(mutex_);
  Core& core = cores_[static_cast<std::size_t>(index)];
  while (true) {
    TaskPtr task = take(index);
    if (task == nullptr) {
      if (stopping_) return;
      core.idle = true;
      core.work.wait(lock, [&] { return !core.idle || stopping_; });
      core.idle = false;
      continue;
    }
    task->state = TaskState::kRunning;
    core.current = task;
    lock.unlock();
    int32_t status = HB_UCP_SUCCESS;
    for (const auto& operation : task->operations) {
      status = Faults::instance().on_call(kRunFault);
      if (status == HB_UCP_SUCCESS) status = operation->run();
      if (status != HB_UCP_SUCCESS) break;
    }
    lock.lock();
    core.current = nullptr;
    // A released task has no caller left, so its callback must not run.
    const bool call_back = task->callback != nullptr && !task->cancelled;
    if (call_back) task->callback_thread = std::this_thread::get_id();
    finish(task, task->cancelled ? HB_UCP_TASK_RUN_FAILED : status);
    if (!call_back) continue;
    lock.unlock();
    task->callback(task->handle, task->status, task->user_data);
    lock.lock();
    task->callback_thread = std::thread::id();
    task->changed.notify_all();
  }
}

}  // namespace hbm::simulator
