// SPDX-License-Identifier: Apache-2.0
// The chips of the family: names, marches, BPU cores and row pitches, for core and simulator.
#pragma once

#include <cstdint>
#include <string_view>

namespace hbm {

inline constexpr int kMostBpuCores = 4;  // HB_UCP_BPU_CORE_0 to _3

// Cores from the hardware pages of the RDK S100 and S600; the pitch from Open Explorer's guide to
// dynamic inputs (S100, S100P) and from the RDK model zoo (S600).
struct Chip {
  const char* soc_name;
  const char* march;        // what model files for it name
  int core_count;           // BPU cores
  int64_t pitch_alignment;  // bytes, row pitch of inputs whose strides the caller fills in
};

inline constexpr Chip kChips[] = {
    {"S100", "nash-e", 1, 32},
    {"S100P", "nash-m", 1, 32},
    {"S600", "nash-p", 4, 64},
};

// Null when there is no such chip.
[[nodiscard]] constexpr const Chip* chip_named(std::string_view soc_name) noexcept {
  for (const Chip& chip : kChips) {
    if (soc_name == chip.soc_name) return &chip;
  }
  return nullptr;
}

// The chip whose model files name this march; null when there is none.
[[nodiscard]] constexpr const Chip* chip_with_march(std::string_view march) noexcept {
  for (const Chip& chip : kChips) {
    if (march == chip.march) return &chip;
  }
  return nullptr;
}

}  // namespace hbm
