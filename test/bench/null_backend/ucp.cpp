// SPDX-License-Identifier: Apache-2.0
// libhbucp.so of the null backend: ordinary memory, and tasks that are done when submitted.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>

#include "abi/hb_ucp.h"
#include "abi/status_table.hpp"
#include "task.hpp"

using hbm::null_backend::State;
using hbm::null_backend::Task;

namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kMostBytes = 1ULL << 40;

// Calls callbacks on a thread of its own, as the vendor's libraries do.
class CallbackThread {
 public:
  CallbackThread() : thread_([this] { work(); }) {}
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;
  ~CallbackThread() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // False when so many callbacks are waiting that there is no room.
  bool call_later(Task* task) {
    {
      const std::lock_guard lock(mutex_);
      if (count_ == waiting_.size()) return false;
      waiting_[(first_ + count_) % waiting_.size()] = task;
      ++count_;
    }
    changed_.notify_all();
    return true;
  }

  // Returns once the task's callback has run. On this thread nothing can be waited for: the task
  // whose callback is running is let go, and one that still waits for its turn loses it.
  void wait_for(Task* task) {
    std::unique_lock lock(mutex_);
    if (std::this_thread::get_id() == thread_.get_id()) {
      if (task == running_) running_ = nullptr;
      std::replace(waiting_.begin(), waiting_.end(), task, static_cast<Task*>(nullptr));
      task->callback_pending.store(false, std::memory_order_relaxed);
      return;
    }
    changed_.wait(lock, [&] { return !task->callback_pending.load(std::memory_order_acquire); });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || count_ > 0; });
      if (count_ == 0) return;
      running_ = waiting_[first_];
      waiting_[first_] = nullptr;
      first_ = (first_ + 1) % waiting_.size();
      --count_;
      if (running_ == nullptr) continue;
      Task* const task = running_;
      lock.unlock();
      task->callback(task, HB_UCP_SUCCESS, task->user_data);
      lock.lock();
      if (running_ != nullptr) {  // otherwise its callback released it, and it may be another's now
        task->callback_pending.store(false, std::memory_order_release);
        running_ = nullptr;
      }
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Task*, 1024> waiting_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  Task* running_ = nullptr;  // the one whose callback is being called
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the others
};

enum class CallbackPlace { kSubmit, kThread, kUnknown };

// From HBM_NULL_CALLBACK: inside hbUCPSubmitTask (the default), or on a thread.
CallbackPlace callback_place() {
  static const CallbackPlace place = [] {
    const char* text = std::getenv("HBM_NULL_CALLBACK");
    const std::string_view name = text != nullptr ? text : "submit";
    return name == "submit"   ? CallbackPlace::kSubmit
           : name == "thread" ? CallbackPlace::kThread
                              : CallbackPlace::kUnknown;
  }();
  return place;
}

CallbackThread& callback_thread() {
  static CallbackThread thread;
  return thread;
}

int32_t allocate(hbUCPSysMem* memory, uint64_t size) {
  if (memory == nullptr || size == 0) return HB_UCP_INVALID_ARGUMENT;
  if (size > kMostBytes) return HB_UCP_MEM_ALLOC_FAIL;
  const uint64_t bytes = (size + kAlignment - 1) / kAlignment * kAlignment;
  void* const block = std::aligned_alloc(kAlignment, bytes);
  if (block == nullptr) return HB_UCP_MEM_ALLOC_FAIL;
  std::memset(block, 0, bytes);
  *memory = {reinterpret_cast<uint64_t>(block), block, size};
  return HB_UCP_SUCCESS;
}

Task* task_of(hbUCPTaskHandle_t handle) { return static_cast<Task*>(handle); }

}  // namespace

extern "C" {

const char* hbUCPGetVersion(void) { return "0.0.0"; }

const char* hbUCPGetSocName(void) {
  const char* name = std::getenv("HBM_NULL_SOC_NAME");
  return name != nullptr ? name : "D-Robotics RDK S600 MCB V0p2";  // 4 cores
}

int32_t hbUCPMalloc(hbUCPSysMem* memory, uint64_t size, int32_t /*device_id*/) {
  return allocate(memory, size);
}

int32_t hbUCPMallocCached(hbUCPSysMem* memory, uint64_t size, int32_t /*device_id*/) {
  return allocate(memory, size);
}

int32_t hbUCPMemFlush(const hbUCPSysMem* memory, int32_t flag) {
  const bool known = flag == HB_SYS_MEM_CACHE_INVALIDATE || flag == HB_SYS_MEM_CACHE_CLEAN;
  return memory != nullptr && known ? HB_UCP_SUCCESS : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbUCPFree(hbUCPSysMem* memory) {
  if (memory == nullptr) return HB_UCP_INVALID_ARGUMENT;
  if (memory->virAddr == nullptr) return HB_UCP_MEM_FREE_FAIL;
  std::free(memory->virAddr);
  *memory = {};
  return HB_UCP_SUCCESS;
}

int32_t hbUCPSubmitTask(hbUCPTaskHandle_t handle, hbUCPSchedParam* param) {
  Task* const task = task_of(handle);
  if (task == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
  if (param == nullptr || param->priority < HB_UCP_PRIORITY_LOWEST ||
      param->priority > HB_UCP_PRIORITY_HIGHEST) {
    return HB_UCP_INVALID_ARGUMENT;
  }
  const CallbackPlace place = callback_place();
  if (place == CallbackPlace::kUnknown) return HB_UCP_INIT_FAILED;
  State expected = State::kMade;
  if (!task->state.compare_exchange_strong(expected, State::kSubmitted,
                                           std::memory_order_relaxed)) {
    return expected == State::kFree ? HB_UCP_TASK_HANDLE_INVALID : HB_UCP_API_USE_ERROR;
  }
  task->compute();
  const hbUCPTaskDoneCb callback = task->callback;
  void* const user_data = task->user_data;
  if (callback == nullptr) {
    task->state.store(State::kDone, std::memory_order_release);
    return HB_UCP_SUCCESS;
  }
  if (place == CallbackPlace::kThread) {
    task->callback_pending.store(true, std::memory_order_relaxed);
    task->state.store(State::kDone, std::memory_order_release);
    // The table of tasks is as large as the queue: it cannot be full.
    return callback_thread().call_later(task) ? HB_UCP_SUCCESS : HB_UCP_UNKNOWN_ERROR;
  }
  task->state.store(State::kDone, std::memory_order_release);
  callback(handle, HB_UCP_SUCCESS, user_data);  // may release the task
  return HB_UCP_SUCCESS;
}

int32_t hbUCPWaitTaskDone(hbUCPTaskHandle_t handle, int32_t /*timeout_ms*/) {
  if (handle == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
  const State state = task_of(handle)->state.load(std::memory_order_acquire);
  return state == State::kDone ? HB_UCP_SUCCESS : HB_UCP_TASK_HANDLE_INVALID;
}

int32_t hbUCPSetTaskDoneCb(hbUCPTaskHandle_t handle, hbUCPTaskDoneCb callback, void* user_data) {
  if (callback == nullptr) return HB_UCP_INVALID_ARGUMENT;
  Task* const task = task_of(handle);
  if (task == nullptr || task->state.load(std::memory_order_relaxed) != State::kMade) {
    return HB_UCP_TASK_HANDLE_INVALID;
  }
  task->callback = callback;
  task->user_data = user_data;
  return HB_UCP_SUCCESS;
}

int32_t hbUCPReleaseTask(hbUCPTaskHandle_t handle) {
  Task* const task = task_of(handle);
  if (task == nullptr || task->state.load(std::memory_order_acquire) == State::kFree) {
    return HB_UCP_TASK_HANDLE_INVALID;
  }
  if (task->callback_pending.load(std::memory_order_acquire)) callback_thread().wait_for(task);
  task->state.store(State::kFree, std::memory_order_release);
  return HB_UCP_SUCCESS;
}

const char* hbUCPGetErrorDesc(int32_t status) {
  const hbm::abi::StatusRow* row = hbm::abi::find_status(status);
  return row != nullptr ? row->text : "no such status";
}

}  // extern "C"
