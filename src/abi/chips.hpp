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
  const char* name;         // as people and HBM_SIM_SOC say it
  const char* soc_name;     // as hbUCPGetSocName says it: the name of a board with this chip
  const char* march;        // what model files for it name
  int core_count;           // BPU cores
  int64_t pitch_alignment;  // bytes, row pitch of inputs whose strides the caller fills in
};

inline constexpr Chip kChips[] = {
    {"S100", "D-Robotics RDK S100 V0P5", "nash-e", 1, 32},
    {"S100P", "D-Robotics RDK S100P V1P0", "nash-m", 1, 32},
    {"S600", "D-Robotics RDK S600 MCB V0p2", "nash-p", 4, 64},
};

// Null when there is no such chip.
[[nodiscard]] constexpr const Chip* chip_named(std::string_view name) noexcept {
  for (const Chip& chip : kChips) {
    if (name == chip.name) return &chip;
  }
  return nullptr;
}

// The chip of the board that hbUCPGetSocName names; null when it is none of them. Boards differ in
// what stands around the chip's name, and "S100" is part of "S100P".
[[nodiscard]] constexpr const Chip* chip_of_board(std::string_view soc_name) noexcept {
  for (const std::string_view name : {"S100P", "S600", "S100"}) {
    if (soc_name.find(name) != std::string_view::npos) return chip_named(name);
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
