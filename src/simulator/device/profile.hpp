// SPDX-License-Identifier: Apache-2.0
// The simulated chip's fixed properties, read once from the environment.
#pragma once

#include <cstdint>
#include <string>

#include "abi/chips.hpp"
#include "abi/environment.hpp"

namespace hbm::simulator {

inline constexpr const char* kUcpVersion = "3.12.3";
inline constexpr const char* kDnnVersion = "3.12.3_(simulator 0.1.0)";
inline constexpr Chip kDefaultChip = kChips[2];  // the only one with more than one core

struct Profile {
  Chip chip = kDefaultChip;              // HBM_SIM_SOC
  int core_count = chip.core_count;      // HBM_SIM_CORES, otherwise the chip's
  int64_t base_alignment = 32;           // bytes, base address of an input
  int task_limit = kTaskLimit.fallback;  // HB_UCP_MAX_TASK_NUM, live tasks
  int memory_mib = 8192;                 // HBM_SIM_MEMORY_MB, device memory
  bool preemption = true;                // not with HB_DNN_USER_DEFINED_L2M_SIZES
  bool strict = false;                   // HBM_SIM_STRICT: as unforgiving as the hardest board
  bool report = false;                   // HBM_SIM_REPORT: say at exit what is still held
  std::string trace_path;                // HBM_SIM_TRACE; empty: no trace
  std::string error;                     // what makes it unusable; no model is loaded then

  [[nodiscard]] uint32_t core_mask() const noexcept { return (1U << core_count) - 1U; }
};

// A number out of range is reported in the log and the default is kept; an unknown chip is an
// error.
[[nodiscard]] Profile read_profile();

}  // namespace hbm::simulator
