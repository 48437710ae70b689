// SPDX-License-Identifier: Apache-2.0
// Passes a run's times on to counters and trace.
#include "core/telemetry/run_record.hpp"

#include <utility>

namespace hbm {
namespace {

uint32_t core_mask_of(const hbUCPSchedParam& sched) noexcept {
  if (sched.backend == HB_UCP_CORE_ANY || (sched.backend & HB_UCP_BPU_CORE_ANY) != 0) return 0;
  return static_cast<uint32_t>(sched.backend & 0xFU);
}

}  // namespace

void RunRecord::begin(std::shared_ptr<const ModelRecord> record, int64_t now) noexcept {
  record_ = std::move(record);
  spans_ = {};
  sched_ = {};
  with_accelerator_ = false;
  settled_ = false;
  last_ = now;
}

void RunRecord::copied_in(int64_t now, uint64_t copies, uint64_t bytes) noexcept {
  spans_.begin(RunStage::kCopyIn, last_);
  spans_.end(RunStage::kCopyIn, now);
  last_ = now;
  if (record_ != nullptr && copies > 0) record_->statistics->copied_in(copies, bytes);
}

void RunRecord::queued_before(int64_t begin) noexcept {
  spans_.begin(RunStage::kQueue, begin);
  spans_.end(RunStage::kQueue, spans_.spans[static_cast<std::size_t>(RunStage::kCopyIn)].begin);
}

void RunRecord::queued_after(int64_t now) noexcept {
  spans_.begin(RunStage::kQueue, last_);
  spans_.end(RunStage::kQueue, now);
  last_ = now;
}

void RunRecord::submitted(const hbUCPSchedParam& sched, int occupied_cores) noexcept {
  spans_.begin(RunStage::kExecute, last_);
  sched_ = sched;
  occupied_cores_ = occupied_cores;
  with_accelerator_ = true;
  if (record_ == nullptr) return;
  RuntimeStatistics& statistics = record_->sinks->statistics;
  statistics.gauges().in_flight.fetch_add(1, std::memory_order_relaxed);
  statistics.core_use().started(core_mask_of(sched), last_, occupied_cores);
}

void RunRecord::done(int64_t now) noexcept {
  if (!std::exchange(with_accelerator_, false)) return;
  if (!settled_) spans_.end(RunStage::kExecute, now);
  last_ = now;
  if (record_ == nullptr) return;
  RuntimeStatistics& statistics = record_->sinks->statistics;
  statistics.core_use().ended(core_mask_of(sched_), now, occupied_cores_);
  statistics.gauges().in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void RunRecord::finished(int64_t now) noexcept {
  spans_.begin(RunStage::kCopyOut, last_);
  spans_.end(RunStage::kCopyOut, now);
  if (record_ == nullptr) return;
  record_->statistics->finished(spans_.times());
  settle(Outcome::kOk);
}

void RunRecord::ended(Outcome outcome) noexcept {
  if (record_ == nullptr || settled_) return;
  if (with_accelerator_) spans_.end(RunStage::kExecute, now_ns());
  record_->statistics->ended(outcome);
  settle(outcome);
}

void RunRecord::release() noexcept {
  ended(Outcome::kCancelled);
  if (with_accelerator_) done(now_ns());
  record_.reset();
}

void RunRecord::settle(Outcome outcome) noexcept {
  settled_ = true;
  RunTrace& trace = record_->sinks->trace;
  if (!trace.on()) return;
  TracedRun run;
  run.model = record_->trace_id;
  run.core_mask = core_mask_of(sched_);
  run.priority = sched_.priority;
  run.outcome = outcome;
  run.custom_id = sched_.customId;
  run.stages = spans_;
  trace.record(run);
}

}  // namespace hbm
