// SPDX-License-Identifier: Apache-2.0
// Log lines of the accelerator, kept until the layer above collects them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hbm {

struct LogLine {
  int level;  // 0 trace … 3 warning, 4 error (UCP introduction, HB_UCP_LOG_LEVEL)
  std::string text;
};

// May be called on any thread, also on the accelerator's; never blocks for long.
void record_log_line(int level, const char* text) noexcept;

// Takes all lines so far, oldest first; beyond a bound the oldest were dropped.
[[nodiscard]] std::vector<LogLine> take_log_lines();

// Whether there is anything to take; costs one atomic read.
[[nodiscard]] bool has_log_lines() noexcept;

// The last error line that this thread recorded, once.
[[nodiscard]] std::string last_error_line();

}  // namespace hbm
