// SPDX-License-Identifier: Apache-2.0
// Giving something back to the accelerator from a destructor: tried twice, never thrown.
#pragma once

#include <cstdint>
#include <string>

#include "abi/status_table.hpp"
#include "core/board/log.hpp"

namespace hbm {

// Calls `release` again if it fails once: what stays with the accelerator is lost for all programs.
template <typename Release>
void release_or_log(const char* call, Release&& release) noexcept {
  int32_t status = release();
  if (status != HB_UCP_SUCCESS) status = release();
  if (status == HB_UCP_SUCCESS) return;
  constexpr int kWarning = 3;
  record_log_line(kWarning, (std::string(call) + " returned " + std::to_string(status) +
                             " twice; what it should give back is lost")
                                .c_str());
}

}  // namespace hbm
