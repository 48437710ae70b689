// SPDX-License-Identifier: Apache-2.0
// Forwards the accelerator's log lines to Python's logging at the end of a scope.
#pragma once

#include "core/board/log.hpp"

namespace hbm::bindings {

// Calls hbm_runtime._log.forward_log_lines; what a logging handler raises is only reported.
void forward_log_lines() noexcept;

struct ForwardLogLines {
  ForwardLogLines() = default;
  ForwardLogLines(const ForwardLogLines&) = delete;
  ForwardLogLines& operator=(const ForwardLogLines&) = delete;
  ~ForwardLogLines() {
    if (has_log_lines()) forward_log_lines();
  }
};

}  // namespace hbm::bindings
