// SPDX-License-Identifier: Apache-2.0
// Times submit to done through the C ABI alone: on an idle core, and behind long work on it.
//
// abi_latency FILE CALLS: the file holds the models "short" and "long", both of static tensors.
// Prints one JSON object of nanoseconds.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "hb_dnn.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int32_t kLowPriority = 10;
constexpr int32_t kUrgentPriority = 255;
constexpr int32_t kWaitMs = 60'000;
constexpr std::size_t kLongInQueue = 4;

void check(int32_t status, const char* call) {
  if (status == HB_UCP_SUCCESS) return;
  throw std::runtime_error(std::string(call) + ": " + hbUCPGetErrorDesc(status));
}

class ModelFile {
 public:
  explicit ModelFile(const char* path) {
    check(hbDNNInitializeFromFiles(&packed_, &path, 1), "hbDNNInitializeFromFiles");
  }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  ~ModelFile() { hbDNNRelease(packed_); }
  [[nodiscard]] hbDNNHandle_t model(const char* name) const {
    hbDNNHandle_t handle = nullptr;
    check(hbDNNGetModelHandle(&handle, packed_, name), "hbDNNGetModelHandle");
    return handle;
  }

 private:
  hbDNNPackedHandle_t packed_ = nullptr;
};

// The tensors of one task in device memory.
class Tensors {
 public:
  explicit Tensors(hbDNNHandle_t model) {
    int32_t count = 0;
    check(hbDNNGetInputCount(&count, model), "hbDNNGetInputCount");
    inputs_.resize(static_cast<std::size_t>(count));
    check(hbDNNGetOutputCount(&count, model), "hbDNNGetOutputCount");
    outputs_.resize(static_cast<std::size_t>(count));
    for (std::size_t index = 0; index < inputs_.size(); ++index) {
      check(hbDNNGetInputTensorProperties(&inputs_[index].properties, model,
                                          static_cast<int32_t>(index)),
            "hbDNNGetInputTensorProperties");
      allocate(inputs_[index]);
    }
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
      check(hbDNNGetOutputTensorProperties(&outputs_[index].properties, model,
                                           static_cast<int32_t>(index)),
            "hbDNNGetOutputTensorProperties");
      allocate(outputs_[index]);
    }
  }
  Tensors(const Tensors&) = delete;
  Tensors& operator=(const Tensors&) = delete;
  ~Tensors() {
    for (hbDNNTensor& tensor : inputs_) hbUCPFree(&tensor.sysMem);
    for (hbDNNTensor& tensor : outputs_) hbUCPFree(&tensor.sysMem);
  }
  [[nodiscard]] const hbDNNTensor* inputs() const { return inputs_.data(); }
  [[nodiscard]] hbDNNTensor* outputs() { return outputs_.data(); }

 private:
  static void allocate(hbDNNTensor& tensor) {
    const auto size = static_cast<uint64_t>(tensor.properties.alignedByteSize);
    check(hbUCPMallocCached(&tensor.sysMem, size, 0), "hbUCPMallocCached");
  }

  std::vector<hbDNNTensor> inputs_;
  std::vector<hbDNNTensor> outputs_;
};

// One task on core 0; its end waits until the accelerator let go of it.
class Task {
 public:
  Task(hbDNNHandle_t model, Tensors& tensors) {
    check(hbDNNInferV2(&handle_, tensors.outputs(), tensors.inputs(), model), "hbDNNInferV2");
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { hbUCPReleaseTask(handle_); }
  void submit(int32_t priority) {
    hbUCPSchedParam param{priority, 0, HB_UCP_BPU_CORE_0, 0};
    check(hbUCPSubmitTask(handle_, &param), "hbUCPSubmitTask");
  }
  // The callback is called on the accelerator's thread.
  void call_back(hbUCPTaskDoneCb callback, void* user_data) {
    check(hbUCPSetTaskDoneCb(handle_, callback, user_data), "hbUCPSetTaskDoneCb");
  }
  void wait() { check(hbUCPWaitTaskDone(handle_, kWaitMs), "hbUCPWaitTaskDone"); }

 private:
  hbUCPTaskHandle_t handle_ = nullptr;
};

double submit_to_done_ns(hbDNNHandle_t model, Tensors& tensors, int32_t priority) {
  Task task(model, tensors);
  const Clock::time_point start = Clock::now();
  task.submit(priority);
  task.wait();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// The core's own thread takes the task: the caller waits for the callback, not for the task.
double submit_to_callback_ns(hbDNNHandle_t model, Tensors& tensors) {
  struct Seen {
    std::promise<Clock::time_point> called;
  } seen;
  auto called = seen.called.get_future();
  Clock::time_point start;
  {
    Task task(model, tensors);
    const auto note = [](hbUCPTaskHandle_t, int32_t, void* user_data) {
      static_cast<Seen*>(user_data)->called.set_value(Clock::now());
    };
    task.call_back(note, &seen);
    start = Clock::now();
    task.submit(kUrgentPriority);
    if (called.wait_for(std::chrono::milliseconds(kWaitMs)) != std::future_status::ready) {
      throw std::runtime_error("the callback was not called");
    }
  }
  return std::chrono::duration<double, std::nano>(called.get() - start).count();
}

// Keeps core 0 busy: always several long tasks of low priority in its queue.
class LongWork {
 public:
  explicit LongWork(hbDNNHandle_t model) : model_(model), thread_([this] { work(); }) {}
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;
  ~LongWork() {
    ending_ = true;
    thread_.join();
  }
  [[nodiscard]] int done() const { return done_; }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void work() {
    try {
      std::array<Tensors, kLongInQueue> tensors{Tensors(model_), Tensors(model_), Tensors(model_),
                                                Tensors(model_)};
      std::deque<std::unique_ptr<Task>> queue;
      for (std::size_t next = 0; !ending_; next = (next + 1) % kLongInQueue) {
        if (queue.size() == kLongInQueue) {
          queue.front()->wait();
          queue.pop_front();
          ++done_;
        }
        queue.push_back(std::make_unique<Task>(model_, tensors[next]));
        queue.back()->submit(kLowPriority);
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "abi_latency: long work: %s\n", error.what());
      failed_ = true;
    }
  }

  hbDNNHandle_t model_;
  std::atomic<bool> ending_{false};
  std::atomic<bool> failed_{false};
  std::atomic<int> done_{0};
  std::thread thread_;  // last: it uses all of the others
};

double part(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const auto index = static_cast<std::size_t>(fraction * static_cast<double>(values.size()));
  return values[std::min(index, values.size() - 1)];
}

void measure(const char* path, int calls) {
  const ModelFile file(path);
  const hbDNNHandle_t urgent = file.model("short");
  const hbDNNHandle_t slow = file.model("long");
  Tensors tensors(urgent);

  std::vector<double> idle;
  for (int call = -calls / 10; call < calls; ++call) {
    const double taken = submit_to_done_ns(urgent, tensors, kUrgentPriority);
    if (call >= 0) idle.push_back(taken);
  }
  std::vector<double> called;
  for (int call = -calls / 10; call < calls; ++call) {
    const double taken = submit_to_callback_ns(urgent, tensors);
    if (call >= 0) called.push_back(taken);
  }
  std::vector<double> alone;
  {
    Tensors of_slow(slow);
    for (int call = 0; call < 5; ++call) {
      alone.push_back(submit_to_done_ns(slow, of_slow, kLowPriority));
    }
  }
  std::vector<double> behind;
  int done = 0;
  {
    const LongWork work(slow);
    std::mt19937 random(1);  // NOLINT: the same moments in every run
    std::uniform_int_distribution<int> pause_us(500, 8000);
    while (work.done() == 0 && !work.failed()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (int call = 0; call < calls / 10 && !work.failed(); ++call) {
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us(random)));
      behind.push_back(submit_to_done_ns(urgent, tensors, kUrgentPriority));
    }
    done = work.done();
    if (work.failed() || behind.empty()) throw std::runtime_error("the long work ended early");
  }
  std::printf(
      "{\"idle_p50\": %.0f, \"idle_p99\": %.0f, \"called_p50\": %.0f, \"called_p99\": %.0f, "
      "\"long_p50\": %.0f, \"behind_p50\": %.0f, "
      "\"behind_p99\": %.0f, \"behind_max\": %.0f, \"calls\": %zu, \"long_done\": %d}\n",
      part(idle, 0.5), part(idle, 0.99), part(called, 0.5), part(called, 0.99), part(alone, 0.5),
      part(behind, 0.5), part(behind, 0.99), part(behind, 1.0), behind.size(), done);
}

}  // namespace

int main(int argc, char** argv) {
  const int calls = argc == 3 ? std::atoi(argv[2]) : 0;
  if (calls < 10) {
    std::fprintf(stderr, "usage: abi_latency FILE CALLS (10 at least)\n");
    return 2;
  }
  try {
    measure(argv[1], calls);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "abi_latency: %s\n", error.what());
    return 1;
  }
  return 0;
}
