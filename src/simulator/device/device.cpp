// SPDX-License-Identifier: Apache-2.0
// The life of tasks: made, submitted, waited for, called back, released; and the device's end.
#include "simulator/device/device.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "simulator/watching/faults.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

constexpr uint64_t kBpuCoreBits =
    HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_2 | HB_UCP_BPU_CORE_3;

// For the callback to return.
constexpr std::chrono::microseconds kDrainSpin{20};
// How long exit waits for a core: one that computes a large node, or runs a callback.
constexpr std::chrono::seconds kPatience{10};

// At exit, in the process that made the device.
struct ExitGuard {
  ~ExitGuard() { SimulatedDevice::instance().finish(); }
};

int count_of(uint64_t bits) noexcept { return __builtin_popcountll(bits); }

}  // namespace

SimulatedDevice::SimulatedDevice(const Profile& profile)
    : profile_(profile),
      memory_(static_cast<uint64_t>(profile.memory_mib) << 20U, profile.strict),
      owner_(::getpid()),
      trace_(profile_.trace_path, profile_.chip.name, profile_.core_count),
      scheduler_(profile.core_mask(), profile.preemption) {
  for (int index = 0; index < profile_.core_count; ++index) {
    cores_.push_back(std::make_unique<Core>());
  }
}

SimulatedDevice& SimulatedDevice::instance() {
  // Never destroyed: a forked child must not touch the cores, and exit has its own order
  // (loaded_graph.cpp).
  static SimulatedDevice& device = *std::make_unique<SimulatedDevice>(read_profile()).release();
  static const ExitGuard guard;
  return device;
}

const std::string& SimulatedDevice::environment_error() const noexcept {
  return profile_.error.empty() ? Faults::instance().environment_error() : profile_.error;
}

int32_t SimulatedDevice::create_task(std::shared_ptr<Operation> operation,
                                     hbUCPTaskHandle_t* task) {
  auto made = std::make_shared<Task>();
  made->core_count = operation->core_count();
  made->operations.push_back(std::move(operation));
  const std::lock_guard lock(mutex_);
  if (tasks_.size() >= static_cast<std::size_t>(profile_.task_limit)) {
    log(LogLevel::kError,
        "%d tasks are alive, which is the limit (HB_UCP_MAX_TASK_NUM); release finished tasks",
        profile_.task_limit);
    return HB_UCP_TASK_NUMBER_EXCEED_LIMIT;
  }
  made->number = next_number_++;
  // Handles are numbers that never come again, so a stale one is always recognised.
  made->handle = reinterpret_cast<hbUCPTaskHandle_t>(made->number << 4U);
  *task = made->handle;
  tasks_.emplace(made->handle, std::move(made));
  return HB_UCP_SUCCESS;
}

int32_t SimulatedDevice::append(hbUCPTaskHandle_t handle, std::shared_ptr<Operation> operation) {
  const std::lock_guard lock(mutex_);
  const TaskPtr task = find(handle);
  if (task == nullptr || task->state != TaskState::kCreated) return HB_UCP_TASK_HANDLE_INVALID;
  if (task->core_count > 1 || operation->core_count() > 1) {
    log(LogLevel::kError, "a model of several cores runs in a task of its own: '%s' and '%s'",
        task->operations[0]->model().c_str(), operation->model().c_str());
    return HB_UCP_INVALID_ARGUMENT;
  }
  task->operations.push_back(std::move(operation));
  return HB_UCP_SUCCESS;
}

// The candidate cores that a backend names for the task; 0 when it cannot run there.
uint32_t SimulatedDevice::cores_for(const Task& task, uint64_t backend) const {
  const uint64_t named = backend & kBpuCoreBits;
  const uint32_t existing = static_cast<uint32_t>(named) & profile_.core_mask();
  if (task.core_count > 1) {
    const bool any = backend == HB_UCP_CORE_ANY || (backend & HB_UCP_BPU_CORE_ANY) != 0;
    if (!any && count_of(named) == task.core_count && existing == named) return existing;
    log(LogLevel::kError,
        "model '%s' runs on %d cores at once: the backend must name exactly so many of the %d "
        "cores of this chip, which 0x%llx does not",
        task.operations[0]->model().c_str(), task.core_count, profile_.core_count,
        static_cast<unsigned long long>(backend));
    return 0;
  }
  if (backend == HB_UCP_CORE_ANY || (backend & HB_UCP_BPU_CORE_ANY) != 0) {
    return profile_.core_mask();
  }
  if (existing == 0) {
    log(LogLevel::kError, "backend 0x%llx names no core of this chip, which has %d",
        static_cast<unsigned long long>(backend), profile_.core_count);
  }
  return existing;
}

int32_t SimulatedDevice::submit(hbUCPTaskHandle_t handle, const hbUCPSchedParam* param) {
  WakeUps wake_ups;
  {
    const std::lock_guard lock(mutex_);
    const TaskPtr task = find(handle);
    if (task == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
    if (task->state != TaskState::kCreated) return HB_UCP_API_USE_ERROR;
    if (param == nullptr || param->priority < HB_UCP_PRIORITY_LOWEST ||
        param->priority > HB_UCP_PRIORITY_HIGHEST) {
      return HB_UCP_INVALID_ARGUMENT;
    }
    const uint32_t cores = cores_for(*task, param->backend);
    if (cores == 0) return HB_UCP_INVALID_ARGUMENT;
    if (stopping_) return HB_UCP_API_USE_ERROR;
    task->priority = param->priority;
    task->custom_id = param->customId;
    task->core_mask = cores;
    enqueue(*task, wake_ups);
  }
  wake_ups.signal();
  return HB_UCP_SUCCESS;
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
  WakeUps wake_ups;
  TaskPtr task;  // outlives the lock: its operations may free much
  bool in_own_callback = false;
  {
    const std::lock_guard lock(mutex_);
    task = find(handle);
    if (task == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
    tasks_.erase(handle);
    if (task->state == TaskState::kCreated) return HB_UCP_SUCCESS;
    cancel(*task, wake_ups);
    in_own_callback = task->callback_thread == std::this_thread::get_id();
  }
  wake_ups.signal();
  // Until the device let go of the tensors.
  while (!in_own_callback && !task->drained.is_signalled()) {
    if (!task->drained.spin_until(Clock::now() + kDrainSpin)) {
      static_cast<void>(task->drained.sleep_until(std::nullopt));
    }
  }
  return HB_UCP_SUCCESS;
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
  if (kind == "memory") return static_cast<int64_t>(memory_.held().bytes);
  if (kind == "models") return packed_;
  const std::lock_guard lock(mutex_);
  return kind == "tasks" ? static_cast<int64_t>(tasks_.size()) : -1;
}

bool SimulatedDevice::is_forked() const noexcept { return ::getpid() != owner_; }

void SimulatedDevice::shut_down() noexcept {
  WakeUps wake_ups;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (profile_.report) report_held();
    stopping_ = true;
    for (const auto& [handle, task] : tasks_) cancel(*task, wake_ups);
    // Those of synchronous calls have no handle.
    while (ScheduledTask* next = scheduler_.first_queued())
      cancel(static_cast<Task&>(*next), wake_ups);
    for (const auto& core : cores_) wake_ups.add(*core);
  }
  Faults::instance().end_delays();
  wake_ups.signal();
  const auto end = Clock::now() + kPatience;
  for (const auto& core : cores_) {
    if (!core->thread.joinable()) continue;  // never started
    if (core->thread.get_id() == std::this_thread::get_id()) {
      core->thread.detach();  // exit() was called in a callback
    } else if (core->ended.sleep_until(end)) {
      core->thread.join();
    } else {
      log(LogLevel::kError, "a core is still busy at exit, with a callback or the engine");
      core->thread.detach();
    }
  }
  while (lent_threads_ > 0 && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void SimulatedDevice::finish() noexcept {
  if (is_forked()) return;
  shut_down();
  trace_.finish();
}

void SimulatedDevice::report_held() const {
  std::array<int, 4> by_state{};
  for (const auto& [handle, task] : tasks_) ++by_state[static_cast<std::size_t>(task->state)];
  const Memory::Held memory = memory_.held();
  std::fprintf(stderr,
               "[simulator] held at exit: memory %llu blocks %llu bytes; tasks %zu (created %d, "
               "queued %d, running %d, done %d); packed handles %d\n",
               static_cast<unsigned long long>(memory.blocks),
               static_cast<unsigned long long>(memory.bytes), tasks_.size(), by_state[0],
               by_state[1], by_state[2], by_state[3], packed_.load());
}

SimulatedDevice::TaskPtr SimulatedDevice::find(hbUCPTaskHandle_t handle) const {
  const auto found = tasks_.find(handle);
  return found == tasks_.end() ? nullptr : found->second;
}

void SimulatedDevice::enqueue(Task& task, WakeUps& wake_ups) {
  start_cores();
  task.state = TaskState::kQueued;
  task.since = Clock::now();
  scheduler_.add(task);
  dispatch(wake_ups);
}

// Ends a queued task now and asks a running one to end soon.
void SimulatedDevice::cancel(Task& task, WakeUps& wake_ups) {
  if (task.state == TaskState::kRunning) {
    task.cancelled = true;
    wake_ups.add(task, task.cancel);
    for (const auto& operation : task.operations) operation->cancel();
  } else if (task.state == TaskState::kQueued) {
    scheduler_.withdraw(task);
    task.status = HB_UCP_TASK_RUN_FAILED;
    trace_stage(task, task.preempted ? SpanKind::kPreempted : SpanKind::kQueued, true);
    finish_task(task, HB_UCP_TASK_RUN_FAILED, wake_ups);
    wake_ups.add(task, task.drained);
    dispatch(wake_ups);  // it may have kept cores free for itself
  }
}

void SimulatedDevice::finish_task(Task& task, int32_t status, WakeUps& wake_ups) {
  for (const auto& operation : task.operations) operation->ended();
  task.status = status;
  task.state = TaskState::kDone;
  wake_ups.add(task, task.done);
}

}  // namespace hbm::simulator
