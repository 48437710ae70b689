// SPDX-License-Identifier: Apache-2.0
// A trace keeps whole runs up to its capacity, counts the rest, and may be stopped at any time.
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include "core/board/error.hpp"
#include "core/telemetry/run_trace.hpp"

namespace hbm {
namespace {

TracedRun run_of(uint32_t model, int64_t custom_id) {
  TracedRun run;
  run.model = model;
  run.core_mask = 0b10;
  run.priority = 200;
  run.outcome = Outcome::kTimeout;
  run.custom_id = custom_id;
  run.stages.begin(RunStage::kExecute, custom_id);
  run.stages.end(RunStage::kExecute, custom_id + 5);
  return run;
}

TEST(RunTrace, HandsOverWhatWasRecorded) {
  RunTrace trace;
  EXPECT_FALSE(trace.on());
  trace.start();
  EXPECT_TRUE(trace.on());
  trace.record(run_of(trace.model_id("first"), 70));
  trace.record(run_of(trace.model_id("second"), 80));
  const RunTrace::Recording recording = trace.stop();
  EXPECT_FALSE(trace.on());
  EXPECT_EQ(recording.models, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(recording.dropped, 0);
  ASSERT_EQ(recording.runs.size(), 2);
  const TracedRun& run = recording.runs[1];
  EXPECT_EQ(run.model, 1);
  EXPECT_EQ(run.number, 1);
  EXPECT_EQ(run.core_mask, 0b10);
  EXPECT_EQ(run.priority, 200);
  EXPECT_EQ(run.outcome, Outcome::kTimeout);
  EXPECT_EQ(run.custom_id, 80);
  EXPECT_EQ(run.stages.times().execute_ns, 5);
}

TEST(RunTrace, RefusesACapacityThatIsOutOfRange) {
  RunTrace trace;
  for (const std::size_t capacity :
       {std::size_t{0}, RunTrace::kMostCapacity + 1, std::size_t{1} << 59U,
        std::numeric_limits<std::size_t>::max()}) {
    EXPECT_THROW(trace.start(capacity), Error);
    EXPECT_FALSE(trace.on());
  }
}

TEST(RunTrace, KnowsAModelByOneNumberForEver) {
  RunTrace trace;
  EXPECT_EQ(trace.model_id("a"), 0);
  EXPECT_EQ(trace.model_id("b"), 1);
  EXPECT_EQ(trace.model_id("a"), 0);
}

TEST(RunTrace, RecordsNothingBeforeItsStartAndAfterItsStop) {
  RunTrace trace;
  trace.record(run_of(0, 1));
  trace.start();
  trace.record(run_of(0, 2));
  EXPECT_EQ(trace.stop().runs.size(), 1);
  trace.record(run_of(0, 3));
  EXPECT_TRUE(trace.stop().runs.empty());
  trace.start();
  EXPECT_TRUE(trace.stop().runs.empty()) << "a new recording begins without the old one's runs";
}

TEST(RunTrace, KeepsTheFirstRunsAndCountsTheOthersWhenFull) {
  RunTrace trace;
  trace.start(3);
  for (int64_t id = 0; id < 10; ++id) trace.record(run_of(0, id));
  const RunTrace::Recording recording = trace.stop();
  ASSERT_EQ(recording.runs.size(), 3);
  EXPECT_EQ(recording.runs[2].custom_id, 2);
  EXPECT_EQ(recording.dropped, 7);
}

TEST(RunTrace, RefusesASecondStart) {
  RunTrace trace;
  trace.start();
  try {
    trace.start();
    FAIL() << "two recordings at once";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
  }
  EXPECT_TRUE(trace.on()) << "the first one goes on";
}

TEST(RunTrace, LosesNothingOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr int64_t kEach = 5'000;
  RunTrace trace;
  trace.start(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&trace, thread] {
      for (int64_t index = 0; index < kEach; ++index) {
        trace.record(run_of(0, thread * kEach + index));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const RunTrace::Recording recording = trace.stop();
  std::set<int64_t> ids;
  for (std::size_t index = 0; index < recording.runs.size(); ++index) {
    EXPECT_EQ(recording.runs[index].number, index);
    ids.insert(recording.runs[index].custom_id);
  }
  EXPECT_EQ(ids.size(), kThreads * kEach) << "each run once";
}

TEST(RunTrace, MayBeStoppedAndStartedWhileThreadsRecord) {
  RunTrace trace;
  std::atomic<bool> running{true};
  std::atomic<int> recording_threads{0};
  std::vector<std::thread> threads;
  for (int64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      ++recording_threads;
      for (int64_t id = 1; running; ++id) {
        if (trace.on()) trace.record(run_of(0, id));
      }
    });
  }
  while (recording_threads < 3) std::this_thread::yield();
  std::size_t recorded = 0;
  for (int round = 0; round < 200; ++round) {
    trace.start(64);
    std::this_thread::yield();
    for (const TracedRun& run : trace.stop().runs) {
      EXPECT_EQ(run.stages.times().execute_ns, 5) << "a half-written run";
      EXPECT_EQ(run.priority, 200);
      ++recorded;
    }
  }
  running = false;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(recorded, 0);
}

}  // namespace
}  // namespace hbm
