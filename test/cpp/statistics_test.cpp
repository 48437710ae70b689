// SPDX-License-Identifier: Apache-2.0
// Every run is counted once, by how it ended, with its stages and copies, from any thread.
#include "core/telemetry/statistics.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hbm {
namespace {

uint64_t count(const ModelSnapshot& snapshot, Outcome outcome) {
  return snapshot.outcomes[static_cast<std::size_t>(outcome)];
}

const Histogram::Summary& stage(const ModelSnapshot& snapshot, RunStage stage) {
  return snapshot.stages[static_cast<std::size_t>(stage)];
}

TEST(StageSpans, GiveTheStagesTheirTimes) {
  StageSpans run;
  run.begin(RunStage::kCopyIn, 100);
  run.end(RunStage::kCopyIn, 130);
  run.begin(RunStage::kQueue, 130);
  run.end(RunStage::kQueue, 200);
  run.begin(RunStage::kExecute, 200);  // not ended: abandoned
  const StageTimes times = run.times();
  EXPECT_EQ(times.copy_in_ns, 30);
  EXPECT_EQ(times.queue_ns, 70);
  EXPECT_EQ(times.execute_ns, 0);
  EXPECT_EQ(times.copy_out_ns, 0);
  EXPECT_EQ(times.total(), 100);
}

TEST(ModelStatistics, CountsAFinishedRunWithItsStagesAndTheirSum) {
  ModelStatistics model;
  model.finished({1'000, 20'000, 3'000'000, 4'000});
  model.finished({1'000, 20'000, 5'000'000, 4'000});
  const ModelSnapshot snapshot = model.snapshot();
  EXPECT_EQ(count(snapshot, Outcome::kOk), 2);
  EXPECT_EQ(stage(snapshot, RunStage::kQueue).sum, 2'000);
  EXPECT_EQ(stage(snapshot, RunStage::kCopyIn).sum, 40'000);
  EXPECT_EQ(stage(snapshot, RunStage::kExecute).max, 5'000'000);
  EXPECT_EQ(stage(snapshot, RunStage::kCopyOut).sum, 8'000);
  EXPECT_EQ(snapshot.stages[kRunStages].count, 2) << "the total";
  EXPECT_EQ(snapshot.stages[kRunStages].sum, 3'025'000 + 5'025'000);
}

TEST(ModelStatistics, CountsRunsWithoutAResultByTheirReason) {
  ModelStatistics model;
  model.ended(Outcome::kTimeout);
  model.ended(Outcome::kCancelled);
  model.ended(Outcome::kCancelled);
  model.ended(Outcome::kRejected);
  model.ended(Outcome::kFailed);
  const ModelSnapshot snapshot = model.snapshot();
  EXPECT_EQ(snapshot.outcomes, (std::array<uint64_t, kOutcomes>{0, 1, 2, 1, 1}));
  EXPECT_EQ(snapshot.stages[kRunStages].count, 0) << "they have no times";
}

TEST(ModelStatistics, CountsCopiesAndBytes) {
  ModelStatistics model;
  model.copied_in(2, 4'096);
  model.copied_in(0, 0);
  model.copied_out(1, 10);
  const ModelSnapshot snapshot = model.snapshot();
  EXPECT_EQ(snapshot.copied_in.copies, 2);
  EXPECT_EQ(snapshot.copied_in.bytes, 4'096);
  EXPECT_EQ(snapshot.copied_out.copies, 1);
  EXPECT_EQ(snapshot.copied_out.bytes, 10);
}

TEST(ModelStatistics, StartsAfreshAtAReset) {
  ModelStatistics model;
  model.finished({1, 2, 3, 4});
  model.ended(Outcome::kFailed);
  model.copied_in(1, 1);
  model.copied_out(1, 1);
  model.reset();
  const ModelSnapshot snapshot = model.snapshot();
  EXPECT_EQ(snapshot.outcomes, (std::array<uint64_t, kOutcomes>{}));
  EXPECT_EQ(snapshot.copied_in.bytes + snapshot.copied_out.copies, 0);
  for (const Histogram::Summary& summary : snapshot.stages) EXPECT_EQ(summary.count, 0);
}

TEST(ModelStatistics, LosesNothingOfManyThreadsWhileItIsRead) {
  constexpr int kThreads = 4;
  constexpr int kEach = 10'000;
  ModelStatistics model;
  std::atomic<bool> running{true};
  std::thread reader([&] {
    uint64_t before = 0;
    while (running) {
      const uint64_t ok = count(model.snapshot(), Outcome::kOk);
      EXPECT_GE(ok, before) << "a count went back";
      before = ok;
    }
  });
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&model] {
      for (int run = 0; run < kEach; ++run) {
        model.copied_in(3, 100);
        model.finished({10, 20, 30, 40});
        model.ended(Outcome::kCancelled);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  running = false;
  reader.join();
  const ModelSnapshot snapshot = model.snapshot();
  EXPECT_EQ(count(snapshot, Outcome::kOk), kThreads * kEach);
  EXPECT_EQ(count(snapshot, Outcome::kCancelled), kThreads * kEach);
  EXPECT_EQ(snapshot.copied_in.bytes, kThreads * kEach * 100);
  EXPECT_EQ(snapshot.stages[kRunStages].sum, kThreads * kEach * 100);
}

TEST(RuntimeStatistics, KeepsModelsInTheirOrderAndCountersAcrossAReload) {
  RuntimeStatistics runtime(4);
  runtime.model("second")->ended(Outcome::kFailed);
  runtime.model("first")->ended(Outcome::kTimeout);
  EXPECT_EQ(runtime.model("second"), runtime.model("second")) << "the same counters";
  const RuntimeSnapshot snapshot = runtime.snapshot({100, 20});
  ASSERT_EQ(snapshot.models.size(), 2);
  EXPECT_EQ(snapshot.models[0].first, "second");
  EXPECT_EQ(snapshot.models[1].first, "first");
  EXPECT_EQ(count(snapshot.models[0].second, Outcome::kFailed), 1);
  EXPECT_EQ(snapshot.memory.used, 100);
  EXPECT_EQ(snapshot.memory.idle, 20);
  EXPECT_EQ(snapshot.cores.pinned_ns.size(), 4);
}

TEST(RuntimeStatistics, ForgetsAnUnloadedModelWhoseRunsMayStillEnd) {
  RuntimeStatistics runtime(1);
  const auto late = runtime.model("gone");
  static_cast<void>(runtime.model("stays"));
  runtime.forget("gone");
  late->finished({1, 1, 1, 1});
  const RuntimeSnapshot snapshot = runtime.snapshot();
  ASSERT_EQ(snapshot.models.size(), 1);
  EXPECT_EQ(snapshot.models[0].first, "stays");
  EXPECT_EQ(count(runtime.model("gone")->snapshot(), Outcome::kOk), 0) << "a new one of its name";
}

TEST(RuntimeStatistics, ResetsCountsAndLeavesWhatIsUnderWay) {
  RuntimeStatistics runtime(1);
  runtime.model("m")->ended(Outcome::kTimeout);
  runtime.core_use().started(0, now_ns());
  ++runtime.gauges().in_flight;
  runtime.gauges().waiting += 2;
  runtime.reset();
  const RuntimeSnapshot snapshot = runtime.snapshot();
  EXPECT_EQ(count(snapshot.models[0].second, Outcome::kTimeout), 0);
  EXPECT_EQ(snapshot.in_flight, 1);
  EXPECT_EQ(snapshot.waiting, 2);
  EXPECT_EQ(snapshot.cores.wanted_now, 1);
}

}  // namespace
}  // namespace hbm
