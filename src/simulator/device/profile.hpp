// SPDX-License-Identifier: Apache-2.0
// The simulated chip's fixed properties, read once from the environment.
#pragma once

#include <cstdint>
#include <string>

namespace hbm::simulator {

inline constexpr const char* kUcpVersion = "3.12.3";
inline constexpr const char* kDnnVersion = "3.12.3_(simulator 0.1.0)";
inline constexpr int kMaxCores = 4;  // the ABI has four BPU core bits

// One chip of the family.
struct Chip {
  const char* soc_name;
  const char* march;        // what model files for it name; files without a march run everywhere
  int core_count;           // BPU cores
  int64_t pitch_alignment;  // bytes, row pitch of inputs whose strides the caller fills in
};

inline constexpr Chip kChips[] = {
    {"S100", "nash-e", 1, 32},
    {"S100P", "nash-m", 1, 32},
    {"S600", "nash-p", 4, 64},
};
inline constexpr Chip kDefaultChip = kChips[2];  // the only one with more than one core

struct Profile {
  Chip chip = kDefaultChip;          // HBM_SIM_SOC
  int core_count = chip.core_count;  // HBM_SIM_CORES, otherwise the chip's
  int64_t base_alignment = 32;       // bytes, base address of an input
  int task_limit = 32;               // HB_UCP_MAX_TASK_NUM, live tasks
  int memory_mib = 8192;             // HBM_SIM_MEMORY_MB, device memory
  bool preemption = true;            // not with HB_DNN_USER_DEFINED_L2M_SIZES
  bool report = false;               // HBM_SIM_REPORT: say at exit what is still held
  std::string trace_path;            // HBM_SIM_TRACE; empty: no trace
  std::string error;                 // what makes it unusable; no model is loaded then

  [[nodiscard]] uint32_t core_mask() const noexcept { return (1U << core_count) - 1U; }
};

// The chip whose model files name this march; null when there is none.
[[nodiscard]] inline const Chip* chip_with_march(const std::string& march) noexcept {
  for (const Chip& chip : kChips) {
    if (march == chip.march) return &chip;
  }
  return nullptr;
}

// A number out of range is reported in the log and the default is kept; an unknown chip is an
// error.
[[nodiscard]] Profile read_profile();

}  // namespace hbm::simulator
