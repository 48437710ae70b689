// SPDX-License-Identifier: Apache-2.0
// What one run tells its runtime's counters and trace, exactly once.
#pragma once

#include <cstdint>
#include <memory>

#include "abi/hb_ucp.h"
#include "recorder.hpp"

namespace hbm {

class RunRecord {
 public:
  // The record may be null: then nothing is counted.
  void begin(std::shared_ptr<const ModelRecord> record, int64_t now) noexcept;
  void queued(int64_t begin, int64_t end) noexcept;
  void copied_in(int64_t begin, int64_t end, uint64_t copies, uint64_t bytes) noexcept;
  void submitted(const hbUCPSchedParam& sched, int occupied_cores, int64_t now) noexcept;
  // The accelerator is done with the task.
  void done(int64_t now) noexcept;
  // The outputs are with the caller.
  void finished(int64_t copy_out_begin, int64_t now) noexcept;
  // The run has no result; does nothing if it has an outcome already.
  void ended(Outcome outcome, int64_t now) noexcept;
  // All is given back; a run without an outcome was cancelled.
  void release(int64_t now) noexcept;

  [[nodiscard]] StageTimes times() const noexcept { return spans_.times(); }

 private:
  void settle(Outcome outcome) noexcept;

  std::shared_ptr<const ModelRecord> record_;
  StageSpans spans_;
  hbUCPSchedParam sched_{};
  int occupied_cores_ = 1;
  bool with_accelerator_ = false;
  bool settled_ = false;
};

}  // namespace hbm
