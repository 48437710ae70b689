// SPDX-License-Identifier: Apache-2.0
// Books each stage that a run enters and leaves, and its end.
#include "run_record.hpp"

namespace hbm {

Outcome outcome_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInput:
      return Outcome::kRejected;
    case ErrorKind::kTimeout:
      return Outcome::kTimeout;
    default:
      return Outcome::kFailed;
  }
}

void RunRecord::enter(Stage stage, int64_t now) noexcept {
  if (where_.runtime == nullptr) return;
  leave(now);
  stage_ = stage;
  in_stage_ = true;
  spans_.begin(stage, now);
  if (stage == Stage::kQueue) {
    where_.runtime->gauges().waiting.fetch_add(1, std::memory_order_relaxed);
  } else if (stage == Stage::kExecute) {
    where_.runtime->gauges().in_flight.fetch_add(1, std::memory_order_relaxed);
    where_.runtime->core_use().started(sched_.core_mask, now, where_.occupied_cores);
  }
}

void RunRecord::leave(int64_t now) noexcept {
  if (!in_stage_) return;
  in_stage_ = false;
  spans_.end(stage_, now);
  if (stage_ == Stage::kQueue) {
    where_.runtime->gauges().waiting.fetch_sub(1, std::memory_order_relaxed);
  } else if (stage_ == Stage::kExecute) {
    where_.runtime->gauges().in_flight.fetch_sub(1, std::memory_order_relaxed);
    where_.runtime->core_use().ended(sched_.core_mask, now, where_.occupied_cores);
  }
}

void RunRecord::end(Outcome outcome) noexcept {
  if (where_.runtime == nullptr) return;
  if (in_stage_) leave(now_ns());
  if (outcome == Outcome::kOk) {
    where_.model->finished(times());
  } else {
    where_.model->ended(outcome);
  }
  if (where_.trace != nullptr && where_.trace->on()) {
    TracedRun run;
    run.model = where_.traced_model;
    run.core_mask = sched_.core_mask;
    run.priority = sched_.priority;
    run.outcome = outcome;
    run.custom_id = sched_.custom_id;
    run.stages = spans_;
    where_.trace->record(run);
  }
  where_ = {};
}

}  // namespace hbm
