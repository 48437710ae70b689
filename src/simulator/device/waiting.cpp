// SPDX-License-Identifier: Apache-2.0
// How a thread waits for a task: it spins, sleeps, or runs the task itself.
#include <pthread.h>

#include <algorithm>

#include "simulator/device/default_floats.hpp"
#include "simulator/device/device.hpp"
#include "simulator/watching/faults.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

// A waiter wakes so long before the probable end, since waking takes its time.
constexpr std::chrono::microseconds kWakeBefore{120};
// If spinning then was in vain, it sleeps so long in the hope that the end is near.
constexpr std::chrono::milliseconds kNear{1};
// A waiter computes itself what takes no longer than that, and no longer than a part of its
// time-out; its thread must have a stack that the engine can live on.
constexpr std::chrono::milliseconds kLongestLoan{10};
constexpr int kLoanPartOfTimeout = 4;
constexpr std::size_t kLeastStack = 1U << 20U;  // bytes

bool has_large_stack() noexcept {
  thread_local const bool is_large = [] {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return false;
    std::size_t size = 0;
    const bool known = ::pthread_attr_getstacksize(&attributes, &size) == 0;
    ::pthread_attr_destroy(&attributes);
    return known && size >= kLeastStack;
  }();
  return is_large;
}

}  // namespace

int32_t SimulatedDevice::wait(hbUCPTaskHandle_t handle, int32_t timeout_ms) {
  TaskPtr task;
  {
    const std::lock_guard lock(mutex_);
    task = find(handle);
    if (task == nullptr || task->state == TaskState::kCreated) return HB_UCP_TASK_HANDLE_INVALID;
    if (task->state == TaskState::kDone) return task->status;
    if (is_core_thread()) {
      log(LogLevel::kError,
          "hbUCPWaitTaskDone in a callback: the core that calls back would wait for itself");
      return HB_UCP_API_USE_ERROR;
    }
    if (task->has_waiter.exchange(true)) {
      log(LogLevel::kError,
          "hbUCPWaitTaskDone: another thread waits for this task of model '%s' already; boards "
          "wake only one of them, the other one sleeps on",
          task->operations[0]->model().c_str());
      return HB_UCP_API_USE_ERROR;
    }
  }
  std::optional<Clock::time_point> deadline;
  if (timeout_ms > 0) deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  lend_thread(*task, deadline);
  const bool done = await(*task, deadline);
  task->has_waiter = false;
  return done ? task->status : HB_UCP_TASK_TIMEOUT;
}

// False when the deadline passed first.
bool SimulatedDevice::await(Task& task, std::optional<Clock::time_point> deadline) {
  const auto not_after_deadline = [&](Clock::time_point time) {
    return deadline ? std::min(time, *deadline) : time;
  };
  const auto begin = Clock::now();
  if (task.done.spin_until(not_after_deadline(begin + first_spin_.spin_time()))) {
    first_spin_.waited(Clock::now() - begin, true);
    return true;
  }
  while (true) {
    const auto now = Clock::now();
    if (deadline && now >= *deadline) return task.done.is_signalled();
    const Clock::time_point expected{Clock::duration(task.expected_end.load())};
    const bool is_ahead = expected - kWakeBefore > now;
    if (task.done.sleep_until(is_ahead ? not_after_deadline(expected - kWakeBefore) : deadline)) {
      (is_ahead ? last_spin_ : first_spin_).waited(Clock::now() - (is_ahead ? now : begin), false);
      return true;
    }
    // The end is near, or so is the deadline.
    const auto woken = Clock::now();
    const auto end = not_after_deadline(woken + last_spin_.spin_time());
    const bool spun_enough = task.done.spin_until(end);
    if (end == deadline) continue;
    if (!spun_enough && !task.done.sleep_until(not_after_deadline(woken + kNear))) {
      last_spin_.waited(kNear, false);
      continue;
    }
    last_spin_.waited(Clock::now() - woken, spun_enough);
    return true;
  }
}

int32_t SimulatedDevice::run_and_wait(std::shared_ptr<Operation> operation) {
  if (operation->core_count() > 1) {
    log(LogLevel::kError,
        "model '%s' runs on %d cores at once: make a task and name the cores when it is submitted",
        operation->model().c_str(), operation->core_count());
    return HB_UCP_INVALID_ARGUMENT;
  }
  if (is_core_thread()) {
    log(LogLevel::kError,
        "hbDNNInferV2 without a task in a callback: the core that calls back would wait for "
        "itself");
    return HB_UCP_API_USE_ERROR;
  }
  const auto task = std::make_shared<Task>();
  task->operations.push_back(std::move(operation));
  WakeUps wake_ups;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return HB_UCP_API_USE_ERROR;
    task->number = next_number_++;
    task->core_mask = profile_.core_mask();
    enqueue(*task, wake_ups);
  }
  wake_ups.signal();
  lend_thread(*task, std::nullopt);
  static_cast<void>(await(*task, std::nullopt));
  return task->status;
}

// Not what calls back, which happens on the device's own threads, nor what may take long.
bool SimulatedDevice::may_lend(const Task& task, std::optional<Clock::time_point> deadline) const {
  if (task.callback != nullptr || task.operations.size() > 1 || Faults::instance().any()) {
    return false;
  }
  const Operation& operation = *task.operations[0];
  if (operation.call_count() > 1) return false;
  const auto usual = operation.usual_time_of_last_call();
  const Clock::duration time = std::max<Clock::duration>(usual, operation.least_time(0));
  if (usual.count() == 0 || time > kLongestLoan) return false;
  return !deadline || Clock::now() + kLoanPartOfTimeout * time < *deadline;
}

// A thread that is about to wait takes the place of the task's core if that still wakes up: no
// thread has to be woken then, and the data stay in the caches where they are.
void SimulatedDevice::lend_thread(Task& task, std::optional<Clock::time_point> deadline) {
  std::unique_lock lock(mutex_);
  if (stopping_ || task.state != TaskState::kRunning) return;
  Core& core = *cores_[static_cast<std::size_t>(__builtin_ctz(task.cores))];
  if (core.task != &task || !may_lend(task, deadline) || !has_large_stack()) return;
  core.task = nullptr;
  ++lent_threads_;
  const DefaultFloats floats;
  run_task(lock, task.shared_from_this());
  --lent_threads_;
}

}  // namespace hbm::simulator
