// SPDX-License-Identifier: Apache-2.0
// A run is booked once, whatever way it takes, and leaves nothing counted as under way.
#include "core/run_record.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>
#include <vector>

namespace hbm {
namespace {

class RunRecordTest : public testing::Test {
 protected:
  RunRecord make() { return {where_, {0b01, 200, 7}}; }
  ModelSnapshot model() const { return model_->snapshot(); }
  uint64_t count(Outcome outcome) const {
    return model().outcomes[static_cast<std::size_t>(outcome)];
  }
  void expect_nothing_under_way() const {
    const RuntimeSnapshot snapshot = statistics_.snapshot();
    EXPECT_EQ(snapshot.in_flight, 0);
    EXPECT_EQ(snapshot.waiting, 0);
    EXPECT_EQ(snapshot.cores.wanted_now, 0);
  }

  RuntimeStatistics statistics_{2};
  std::shared_ptr<ModelStatistics> model_ = statistics_.model("m");
  Trace trace_;
  RecordedModel where_{&statistics_, model_.get(), &trace_, trace_.model_id("m"), 1};
};

TEST_F(RunRecordTest, BooksTheStagesOfASynchronousRun) {
  RunRecord run = make();
  run.enter(Stage::kQueue, 100);
  EXPECT_EQ(statistics_.snapshot().waiting, 1);
  run.enter(Stage::kCopyIn, 110);
  EXPECT_EQ(statistics_.snapshot().waiting, 0);
  run.enter(Stage::kExecute, 130);
  EXPECT_EQ(statistics_.snapshot().in_flight, 1);
  EXPECT_EQ(statistics_.snapshot().cores.wanted_now, 1);
  run.enter(Stage::kCopyOut, 1'130);
  run.leave(1'135);
  run.end(Outcome::kOk);
  EXPECT_EQ(run.times().total(), 10 + 20 + 1'000 + 5);
  EXPECT_EQ(count(Outcome::kOk), 1);
  EXPECT_EQ(model().stages[static_cast<std::size_t>(Stage::kExecute)].max, 1'000);
  expect_nothing_under_way();
}

TEST_F(RunRecordTest, TakesCopyInBeforeQueueAndTimeBetweenStages) {
  RunRecord run = make();
  run.enter(Stage::kCopyIn, 10);
  run.leave(20);
  run.enter(Stage::kQueue, 25);
  run.enter(Stage::kExecute, 30);
  run.leave(90);
  run.end(Outcome::kOk);
  const StageTimes times = run.times();
  EXPECT_EQ(times.copy_in_ns, 10);
  EXPECT_EQ(times.queue_ns, 5);
  EXPECT_EQ(times.execute_ns, 60);
  EXPECT_EQ(times.total(), 75);
}

TEST_F(RunRecordTest, CountsARunThatNobodyEndsAsFailed) {
  try {
    RunRecord run = make();
    run.enter(Stage::kExecute);
    throw std::runtime_error("from the middle of a run");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(count(Outcome::kFailed), 1);
  expect_nothing_under_way();
}

TEST_F(RunRecordTest, CountsOnlyTheFirstEnd) {
  {
    RunRecord run = make();
    run.enter(Stage::kQueue);
    run.end(Outcome::kCancelled);
    run.end(Outcome::kOk);
  }
  EXPECT_EQ(count(Outcome::kCancelled), 1);
  EXPECT_EQ(count(Outcome::kOk), 0);
  EXPECT_EQ(count(Outcome::kFailed), 0);
  expect_nothing_under_way();
}

TEST_F(RunRecordTest, MovesWithItsRun) {
  std::vector<RunRecord> runs;
  for (int index = 0; index < 5; ++index) {
    runs.push_back(make());
    runs.back().enter(Stage::kExecute, 1);
  }
  EXPECT_EQ(statistics_.snapshot().in_flight, 5);
  RunRecord last = std::move(runs.back());
  runs.clear();
  EXPECT_EQ(count(Outcome::kFailed), 4);
  last.end(Outcome::kTimeout);
  EXPECT_EQ(count(Outcome::kTimeout), 1);
  expect_nothing_under_way();
}

TEST_F(RunRecordTest, TracesTheRunWhileTheTraceIsOn) {
  make().end(Outcome::kOk);
  trace_.start();
  RunRecord run = make();
  run.enter(Stage::kExecute, 50);
  run.leave(60);
  run.end(Outcome::kTimeout);
  const Trace::Recording recording = trace_.stop();
  ASSERT_EQ(recording.runs.size(), 1);
  EXPECT_EQ(recording.runs[0].priority, 200);
  EXPECT_EQ(recording.runs[0].custom_id, 7);
  EXPECT_EQ(recording.runs[0].core_mask, 0b01);
  EXPECT_EQ(recording.runs[0].outcome, Outcome::kTimeout);
  EXPECT_EQ(recording.runs[0].stages.times().execute_ns, 10);
}

TEST_F(RunRecordTest, RecordsNothingWithoutAPlaceToRecord) {
  RunRecord run;
  run.enter(Stage::kExecute);
  run.end(Outcome::kOk);
  EXPECT_EQ(count(Outcome::kOk), 0);
}

TEST(OutcomeOf, TellsRefusedInputsAndDeadlinesFromFailures) {
  EXPECT_EQ(outcome_of(ErrorKind::kInput), Outcome::kRejected);
  EXPECT_EQ(outcome_of(ErrorKind::kTimeout), Outcome::kTimeout);
  EXPECT_EQ(outcome_of(ErrorKind::kTask), Outcome::kFailed);
  EXPECT_EQ(outcome_of(ErrorKind::kMemory), Outcome::kFailed);
}

}  // namespace
}  // namespace hbm
