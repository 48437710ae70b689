// SPDX-License-Identifier: Apache-2.0
// The order in which one simulated core takes tasks: priority, then custom id, then arrival.
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "fixture.hpp"

namespace hbm::test {
namespace {

// Before the first call into the simulator, which reads it once.
const int one_core = ::setenv("HBM_SIM_CORES", "1", 1);

using Clock = std::chrono::steady_clock;

class Order : public WithEngine {
 protected:
  // Keeps the one core busy until everything that a test wants to order is queued.
  void block_core(Call& blocker) {
    ASSERT_EQ(blocker.infer(), 0);
    ASSERT_EQ(blocker.submit(255), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
};

struct Finished {
  std::mutex mutex;
  std::vector<int> numbers;
};

struct Ticket {
  Finished* finished;
  int number;
};

void note(hbUCPTaskHandle_t, int32_t, void* user_data) {
  const auto* ticket = static_cast<Ticket*>(user_data);
  const std::lock_guard lock(ticket->finished->mutex);
  ticket->finished->numbers.push_back(ticket->number);
}

TEST_F(Order, IsPriorityThenCustomIdThenArrival) {
  ASSERT_EQ(one_core, 0);
  const Packed packed({doubling_model(), doubling_model({1, 4}, 50'000, "blocker")});
  Call blocker(packed.model("blocker"));
  block_core(blocker);
  struct Wanted {
    int32_t priority;
    int64_t custom_id;
  };
  // In the order in which they must run; submitted in another.
  const std::vector<Wanted> wanted = {{253, 9}, {200, -5}, {200, 1}, {200, 1}, {10, 0}, {0, 0}};
  Finished finished;
  std::vector<std::unique_ptr<Call>> calls(wanted.size());
  std::vector<Ticket> tickets(wanted.size());
  for (const std::size_t index : {5U, 2U, 4U, 0U, 3U, 1U}) {
    calls[index] = std::make_unique<Call>(packed.model("doubling"));
    tickets[index] = {&finished, static_cast<int>(index)};
    ASSERT_EQ(calls[index]->infer(), 0);
    ASSERT_EQ(hbUCPSetTaskDoneCb(calls[index]->task(), &note, &tickets[index]), 0);
    ASSERT_EQ(calls[index]->submit(wanted[index].priority, wanted[index].custom_id), 0);
  }
  for (const auto& call : calls) EXPECT_EQ(call->wait(), 0);
  calls.clear();  // waits for the last callback
  EXPECT_EQ(finished.numbers, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

// One job of the saturation test, with the times that prove its place.
struct Job {
  std::unique_ptr<Call> call;
  int32_t priority = 0;
  Clock::time_point submitted;  // after submit returned
  Clock::time_point finished;   // in the callback, before the core takes the next task
  std::atomic<bool> done{false};
};

void note_time(hbUCPTaskHandle_t, int32_t, void* user_data) {
  auto* job = static_cast<Job*>(user_data);
  job->finished = Clock::now();
  job->done = true;
}

// Keeps the queue filled with jobs of one model.
void saturate(hbDNNHandle_t model, int32_t priority, std::vector<std::unique_ptr<Job>>& jobs,
              Clock::time_point end) {
  constexpr std::size_t kInFlight = 8;
  std::size_t oldest = 0;
  while (Clock::now() < end) {
    while (oldest < jobs.size() && jobs[oldest]->done) jobs[oldest++]->call->release();
    if (jobs.size() - oldest >= kInFlight) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      continue;
    }
    jobs.push_back(std::make_unique<Job>());
    Job& job = *jobs.back();
    job.priority = priority;
    job.call = std::make_unique<Call>(model);
    ASSERT_EQ(job.call->infer(), 0);
    ASSERT_EQ(hbUCPSetTaskDoneCb(job.call->task(), &note_time, &job), 0);
    ASSERT_EQ(job.call->submit(priority), 0);
    job.submitted = Clock::now();
  }
  for (const auto& job : jobs) {
    if (job->call->task() != nullptr) {
      EXPECT_EQ(job->call->wait(), 0);
      job->call->release();
    }
  }
}

// A low-priority job that began while a high-priority one had been queued before.
int count_inversions(const std::vector<std::unique_ptr<Job>>& high,
                     const std::vector<std::unique_ptr<Job>>& low) {
  std::vector<const Job*> order;
  for (const auto& job : high) order.push_back(job.get());
  for (const auto& job : low) order.push_back(job.get());
  std::sort(order.begin(), order.end(),
            [](const Job* a, const Job* b) { return a->finished < b->finished; });
  int inversions = 0;
  for (std::size_t index = 1; index < order.size(); ++index) {
    if (order[index]->priority != low[0]->priority) continue;
    // The core chose this job after the callback of the one before had returned.
    const Clock::time_point chosen_after = order[index - 1]->finished;
    for (std::size_t later = index + 1; later < order.size(); ++later) {
      inversions +=
          order[later]->priority > order[index]->priority && order[later]->submitted < chosen_after;
    }
  }
  return inversions;
}

TEST_F(Order, HoldsWhileTwoModelsOfPriority200And10SaturateOneCore) {
  const Packed packed({doubling_model({1, 4}, 300, "high"), doubling_model({1, 4}, 300, "low")});
  std::vector<std::unique_ptr<Job>> high;
  std::vector<std::unique_ptr<Job>> low;
  const auto end = Clock::now() + std::chrono::milliseconds(500);
  // The high one leaves gaps now and then, so that the low one also runs.
  std::thread low_thread([&] { saturate(packed.model("low"), 10, low, end); });
  for (int burst = 0; Clock::now() < end; ++burst) {
    saturate(packed.model("high"), 200, high, Clock::now() + std::chrono::milliseconds(20));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  low_thread.join();
  EXPECT_GT(high.size(), 50U);
  EXPECT_GT(low.size(), 10U);
  EXPECT_EQ(count_inversions(high, low), 0);
  RecordProperty("high_jobs", static_cast<int>(high.size()));
  RecordProperty("low_jobs", static_cast<int>(low.size()));
}

// A model of 100 function calls of 2 ms; preemptible if it was compiled with boundaries.
TinyModel long_model(bool preemptible) {
  TinyModel model = doubling_model({1, 4}, 200'000, "long");
  if (!preemptible) return model;
  model.max_time_per_fc_us = 2000;
  model.calls.assign(100, TinyCall{"", 2000});
  model.calls[50].graph = onnx_of(model);
  return model;
}

// Whether a job of `urgent` that arrives while a long one of `running` runs ends before it.
bool overtakes(bool preemptible, int32_t running, int32_t urgent) {
  const Packed packed({doubling_model(), long_model(preemptible)});
  Call long_call(packed.model("long"));
  Call urgent_call(packed.model("doubling"));
  Finished finished;
  Ticket tickets[] = {{&finished, 0}, {&finished, 1}};
  long_call.in<float>()[2] = 21;
  EXPECT_EQ(long_call.infer(), 0);
  EXPECT_EQ(hbUCPSetTaskDoneCb(long_call.task(), &note, &tickets[0]), 0);
  EXPECT_EQ(long_call.submit(running), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(urgent_call.infer(), 0);
  EXPECT_EQ(hbUCPSetTaskDoneCb(urgent_call.task(), &note, &tickets[1]), 0);
  EXPECT_EQ(urgent_call.submit(urgent), 0);
  EXPECT_EQ(urgent_call.wait(), 0);
  EXPECT_EQ(long_call.wait(), 0);
  EXPECT_EQ(long_call.out<float>()[2], 42) << "right also after it was put aside";
  long_call.release();
  urgent_call.release();  // both callbacks have returned now
  return finished.numbers == std::vector<int>{1, 0};
}

TEST_F(Order, IsBrokenByUrgentJobsAtFunctionCallBoundaries) {
  EXPECT_TRUE(overtakes(true, 10, 254));
  EXPECT_TRUE(overtakes(true, 253, 255));
  EXPECT_TRUE(overtakes(true, 254, 255));
  EXPECT_FALSE(overtakes(true, 10, 253)) << "orders the queue only";
  EXPECT_FALSE(overtakes(true, 254, 254));
  EXPECT_FALSE(overtakes(false, 10, 255)) << "compiled without boundaries";
}

TEST_F(Order, NamesNoCoreThatTheChipLacks) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  EXPECT_EQ(call.submit(0, 0, HB_UCP_BPU_CORE_1), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(call.submit(0, 0, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1), HB_UCP_SUCCESS)
      << "one existing core is enough";
  EXPECT_EQ(call.wait(), 0);
}

}  // namespace
}  // namespace hbm::test
