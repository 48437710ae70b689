// SPDX-License-Identifier: Apache-2.0
// What one run tells its runtime's counters and trace, exactly once.
#pragma once

#include <cstdint>
#include <memory>

#include "abi/hb_ucp.h"
#include "core/telemetry/run_sinks.hpp"

namespace hbm {

class RunRecord {
 public:
  // Begins with the copies in. The record may be null: then nothing is counted. Every stage begins
  // where the one before it ended, because reading the clock is what costs most here.
  void begin(std::shared_ptr<const ModelRecord> record, int64_t now) noexcept;
  void copied_in(int64_t now, uint64_t copies, uint64_t bytes) noexcept;
  // Before the copies of a run that waits for its slot first, with its beginning.
  void queued_before(int64_t begin) noexcept;
  // After them, of a run that waits with its inputs copied.
  void queued_after(int64_t now) noexcept;
  void submitted(const hbUCPSchedParam& sched, int occupied_cores) noexcept;
  // The accelerator is done with the task.
  void done(int64_t now) noexcept;
  // The outputs are with the caller.
  void finished(int64_t now) noexcept;
  // The run has no result; does nothing if it has an outcome already.
  void ended(Outcome outcome) noexcept;
  // All is given back; a run without an outcome was cancelled.
  void release() noexcept;

  [[nodiscard]] StageTimes times() const noexcept { return spans_.times(); }

 private:
  void settle(Outcome outcome) noexcept;

  std::shared_ptr<const ModelRecord> record_;
  StageSpans spans_;
  int64_t last_ = 0;  // when the latest stage ended
  hbUCPSchedParam sched_{};
  int occupied_cores_ = 1;
  bool with_accelerator_ = false;
  bool settled_ = false;
};

}  // namespace hbm
