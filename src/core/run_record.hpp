// SPDX-License-Identifier: Apache-2.0
// Follows one run of one model through its stages into the statistics, core use and the trace.
#pragma once

#include <cstdint>
#include <utility>

#include "error.hpp"
#include "stage_times.hpp"
#include "statistics.hpp"
#include "trace.hpp"

namespace hbm {

// What a run without a result counts as.
[[nodiscard]] Outcome outcome_of(ErrorKind kind) noexcept;

// Where the runs of one model of one runtime are recorded; all outlive the records.
struct RecordedModel {
  RuntimeStatistics* runtime = nullptr;
  ModelStatistics* model = nullptr;
  Trace* trace = nullptr;
  uint32_t traced_model = 0;  // Trace::model_id
  int occupied_cores = 1;     // the model's core_count
};

struct RecordedSched {
  uint32_t core_mask = 0;  // cores that the run may use, bit by bit, 0 for any
  int32_t priority = 0;
  int64_t custom_id = 0;
};

// Used by one thread at a time; allocates nothing. Each run that was begun is counted once: one
// that nobody ends, because an exception flew by, as kFailed.
class RunRecord {
 public:
  RunRecord() = default;
  // Begins with the first stage that is entered.
  RunRecord(const RecordedModel& where, const RecordedSched& sched) noexcept
      : where_(where), sched_(sched) {}
  RunRecord(RunRecord&& other) noexcept { *this = std::move(other); }
  RunRecord& operator=(RunRecord&& other) noexcept {
    end(Outcome::kFailed);
    where_ = std::exchange(other.where_, {});
    sched_ = other.sched_;
    spans_ = other.spans_;
    stage_ = other.stage_;
    in_stage_ = std::exchange(other.in_stage_, false);
    return *this;
  }
  ~RunRecord() { end(Outcome::kFailed); }

  // Ends the stage that the run is in and begins this one at the same moment, in any order, each
  // stage at most once; kExecute before the task is handed over, so that it never runs outside it.
  // kQueue counts as waiting and kExecute as in flight until it is left.
  void enter(Stage stage) noexcept { enter(stage, now_ns()); }
  void enter(Stage stage, int64_t now) noexcept;
  // Ends the stage; no stage counts the time until the next one is entered.
  void leave() noexcept { leave(now_ns()); }
  void leave(int64_t now) noexcept;

  // Ends stage and run; the first call counts. The times of a run that is kOk go to the histograms.
  void end(Outcome outcome) noexcept;

  // Complete once the run has ended.
  [[nodiscard]] StageTimes times() const noexcept { return spans_.times(); }

 private:
  RecordedModel where_;
  RecordedSched sched_;
  StageSpans spans_;
  Stage stage_ = Stage::kQueue;
  bool in_stage_ = false;
};

}  // namespace hbm
