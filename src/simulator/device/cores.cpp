// SPDX-License-Identifier: Apache-2.0
// The threads of the simulated cores: they run what the scheduler gives them, call by call.
#include <limits.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>

#include "simulator/device/default_floats.hpp"
#include "simulator/device/device.hpp"
#include "simulator/watching/faults.hpp"

namespace hbm::simulator {
namespace {

// A sleeping thread wakes late by about that much; the rest of a hold is spun.
constexpr std::chrono::microseconds kWakeTime{80};
// The waiter needs longer than the core to wake.
constexpr std::chrono::microseconds kNudgeBefore{120};

// Covers what a program does between two runs.
constexpr std::chrono::microseconds kLongestIdleSpin{200};
// Longer computations do not end when they are expected to, nor does it matter.
constexpr std::chrono::milliseconds kForeseeable{5};

// Of a strict device.
constexpr std::chrono::milliseconds kLongestLateness{20};
constexpr std::chrono::microseconds kLatenessStep{200};
constexpr std::chrono::microseconds kCallbackDelay{500};
constexpr std::size_t kCallbackStack = 64U << 10U;  // bytes

thread_local bool on_core = false;

}  // namespace

bool is_core_thread() noexcept { return on_core; }

// Nothing runs until every core has its thread; those that could not be had are started by the next
// submission.
void SimulatedDevice::start_cores() {
  while (started_cores_ < cores_.size()) {
    const std::size_t index = started_cores_;
    try {
      cores_[index]->thread = std::thread([this, index] { run_core(index); });
    } catch (const std::system_error& error) {
      throw std::runtime_error("the thread of core " + std::to_string(index) +
                               " cannot be started: " + error.what() +
                               "; nothing was submitted, and the next submission tries again");
    }
    ++started_cores_;
  }
}

// Hands out what can start. The lowest of a task's cores computes, the others are only taken.
void SimulatedDevice::dispatch(WakeUps& wake_ups) {
  if (stopping_) return;
  while (ScheduledTask* next = scheduler_.start_next()) {
    auto& task = static_cast<Task&>(*next);
    Core& core = *cores_[static_cast<std::size_t>(__builtin_ctz(task.cores))];
    task.state = TaskState::kRunning;
    core.task = &task;
    wake_ups.add(core);
  }
}

void SimulatedDevice::run_core(std::size_t index) {
  on_core = true;
  const DefaultFloats floats;
  static_cast<void>(::prctl(PR_SET_TIMERSLACK, 1UL));  // ns, this thread only; 50 µs otherwise
  SpinBudget budget(kLongestIdleSpin);
  std::unique_lock lock(mutex_);
  Core& core = *cores_[index];
  while (true) {
    if (core.task != nullptr) {
      TaskPtr task = core.task->shared_from_this();
      core.task = nullptr;
      run_task(lock, std::move(task));
      continue;
    }
    if (stopping_) break;
    lock.unlock();
    const auto start = Clock::now();
    const bool spun_enough = core.work.spin_until(start + budget.spin_time());
    if (!spun_enough) static_cast<void>(core.work.sleep_until(std::nullopt));
    core.work.reset();
    budget.waited(Clock::now() - start, spun_enough);
    lock.lock();
  }
  lock.unlock();
  core.ended.signal();
}

void SimulatedDevice::run_task(std::unique_lock<std::mutex>& lock, TaskPtr task) {
  WakeUps wake_ups;
  begin_to_run(*task);
  int32_t status = HB_UCP_SUCCESS;
  while (true) {
    if (task->cancelled) status = HB_UCP_TASK_RUN_FAILED;
    if (status != HB_UCP_SUCCESS || task->operation == task->operations.size()) break;
    Operation& operation = *task->operations[task->operation];
    task->preemptible = operation.preemptible();
    lock.unlock();
    status = run_call(*task, operation);
    lock.lock();
    if (++task->call == operation.call_count()) {
      task->call = 0;
      ++task->operation;
    }
    if (task->operation == task->operations.size()) continue;
    if (!scheduler_.must_yield(*task)) continue;
    trace_stage(*task, SpanKind::kRunning, false);
    task->since = Clock::now();
    task->preempted = true;
    task->state = TaskState::kQueued;
    scheduler_.put_back(*task);
    dispatch(wake_ups);
    lock.unlock();
    wake_ups.signal();
    task.reset();
    lock.lock();
    return;
  }

  if (profile_.strict) end_late(lock, *task);
  task->status = status;
  trace_stage(*task, SpanKind::kRunning, true);
  // A released task has no caller left, so its callback must not run.
  const bool call_back = task->callback != nullptr && !task->cancelled;
  if (call_back) task->callback_thread = std::this_thread::get_id();
  finish_task(*task, status, wake_ups);
  if (call_back) {  // the core is taken until it returned
    lock.unlock();
    wake_ups.signal();
    if (profile_.strict) {
      call_back_from_afar(*task);
    } else {
      task->callback(task->handle, task->status, task->user_data);
    }
    lock.lock();
    task->callback_thread = std::thread::id();
  }
  wake_ups.add(*task, task->drained);
  scheduler_.end(*task);
  dispatch(wake_ups);
  lock.unlock();
  wake_ups.signal();
  task.reset();  // may free much
  lock.lock();
}

// A strict device lets tasks that run side by side end in the order that a program expects least:
// later ones first. Nothing promises another order.
void SimulatedDevice::end_late(std::unique_lock<std::mutex>& lock, Task& task) {
  const auto a_later_one_runs = [&] {
    return std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& entry) {
      const Task& other = *entry.second;
      const bool ends = other.state == TaskState::kDone && !other.drained.is_signalled();
      return other.number > task.number && (other.state == TaskState::kRunning || ends);
    });
  };
  const auto end = Clock::now() + kLongestLateness;
  while (!stopping_ && !task.cancelled && a_later_one_runs() && Clock::now() < end) {
    lock.unlock();
    static_cast<void>(task.cancel.sleep_until(Clock::now() + kLatenessStep));
    lock.lock();
  }
}

// A strict device calls back late, and on a thread that the program has not seen before, which has
// a small stack.
void SimulatedDevice::call_back_from_afar(Task& task) {
  static_cast<void>(task.cancel.sleep_until(Clock::now() + kCallbackDelay));
  pthread_attr_t attributes;
  static_cast<void>(::pthread_attr_init(&attributes));
  const auto smallest = static_cast<std::size_t>(PTHREAD_STACK_MIN);
  static_cast<void>(::pthread_attr_setstacksize(&attributes, std::max(smallest, kCallbackStack)));
  struct Call {
    Task& task;
    std::mutex& mutex;
  } call{task, mutex_};
  const auto run = [](void* argument) -> void* {
    on_core = true;  // the device waits for it as for a core
    auto& [called, mutex] = *static_cast<Call*>(argument);
    {
      const std::lock_guard lock(mutex);
      called.callback_thread = std::this_thread::get_id();
    }
    called.callback(called.handle, called.status, called.user_data);
    return nullptr;
  };
  pthread_t thread{};
  if (::pthread_create(&thread, &attributes, run, &call) == 0) {
    static_cast<void>(::pthread_join(thread, nullptr));
  } else {
    task.callback(task.handle, task.status, task.user_data);
  }
  static_cast<void>(::pthread_attr_destroy(&attributes));
}

// Runs the next function call; without the device's mutex.
int32_t SimulatedDevice::run_call(Task& task, Operation& operation) {
  Faults& faults = Faults::instance();
  const bool is_last =
      task.call + 1 == operation.call_count() && task.operation + 1 == task.operations.size();
  const auto begin = Clock::now();
  if (is_last) {
    Clock::duration usual = operation.usual_time_of_last_call();
    if (usual > kForeseeable) usual = Clock::duration(0);
    usual = std::max<Clock::duration>(usual, operation.least_time(task.call));
    if (usual.count() > 0) task.expected_end = (begin + usual).time_since_epoch().count();
  }
  int32_t status = task.call == 0 ? faults.on_call(kRunFault) : HB_UCP_SUCCESS;
  for (int core = 0; core < profile_.core_count; ++core) {
    if ((task.cores & (1U << static_cast<unsigned>(core))) == 0) continue;
    const int32_t fault = faults.on_core(core);
    if (status == HB_UCP_SUCCESS) status = fault;
  }
  const auto computed_from = Clock::now();
  if (trace_.on() && computed_from - begin >= std::chrono::milliseconds(1)) {
    trace_call(task, operation, SpanKind::kStall, begin, status);
  }
  if (status == HB_UCP_SUCCESS) status = operation.run_call(task.call);
  if (status == HB_UCP_SUCCESS) {
    hold_cores(task, computed_from + operation.least_time(task.call), is_last);
  }
  if (trace_.on()) trace_call(task, operation, SpanKind::kCall, computed_from, status);
  return status;
}

// Keeps the cores busy until then, or until the task is cancelled.
void SimulatedDevice::hold_cores(Task& task, Clock::time_point end, bool is_last) const {
  if (Clock::now() >= end) return;
  if (is_last) {
    if (task.cancel.sleep_until(end - kNudgeBefore)) return;
    task.done.nudge();
  }
  if (task.cancel.sleep_until(end - kWakeTime)) return;
  while (!task.cancel.is_signalled() && Clock::now() < end) {
  }
}

void SimulatedDevice::begin_to_run(Task& task) {
  trace_stage(task, task.preempted ? SpanKind::kPreempted : SpanKind::kQueued, false);
  task.since = Clock::now();
}

void SimulatedDevice::trace_stage(const Task& task, SpanKind kind, bool last) {
  if (!trace_.on()) return;
  Span span;
  span.kind = kind;
  span.task = task.number;
  span.model = trace_.number_of(task.operations[0]->model());
  span.cores = kind == SpanKind::kRunning ? task.cores : task.core_mask;
  span.priority = task.priority;
  span.custom_id = task.custom_id;
  span.status = task.status;
  span.last = last;
  span.begin = task.since;
  span.end = Clock::now();
  trace_.add(span);
}

void SimulatedDevice::trace_call(const Task& task, const Operation& operation, SpanKind kind,
                                 Clock::time_point begin, int32_t status) {
  Span span;
  span.kind = kind;
  span.task = task.number;
  span.model = trace_.number_of(operation.model());
  span.cores = task.cores;
  span.call = task.call;
  span.call_count = operation.call_count();
  span.priority = task.priority;
  span.custom_id = task.custom_id;
  span.status = status;
  span.begin = begin;
  span.end = Clock::now();
  trace_.add(span);
}

}  // namespace hbm::simulator
