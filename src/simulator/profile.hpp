// SPDX-License-Identifier: Apache-2.0
// The simulated chip's fixed properties, read once from the environment.
#pragma once

#include <cstdint>

namespace hbm::simulator {

inline constexpr const char* kUcpVersion = "3.12.3";
inline constexpr const char* kDnnVersion = "3.12.3_(simulator 0.1.0)";
inline constexpr int kMaxCores = 4;  // the ABI has four BPU core bits

struct Profile {
  const char* soc_name = "S600";  // the only chip of the family with more than one core
  int core_count = kMaxCores;     // HBM_SIM_CORES
  int64_t pitch_alignment = 64;   // bytes, row pitch of dynamic inputs on S600; also valid on S100
  int64_t base_alignment = 32;    // bytes, base address of an input
  int task_limit = 32;            // HB_UCP_MAX_TASK_NUM, live tasks
  int memory_mib = 8192;          // HBM_SIM_MEMORY_MB, device memory

  [[nodiscard]] uint32_t core_mask() const noexcept { return (1U << core_count) - 1U; }
};

// A variable with a value out of range is reported in the log and the default is kept.
[[nodiscard]] Profile read_profile();

}  // namespace hbm::simulator
