// SPDX-License-Identifier: Apache-2.0
// A model's scheduling parameters, checked against the chip.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi/hb_ucp.h"

namespace hbm {

inline constexpr int kAnyCore = -1;

struct SchedParam {
  int32_t priority = 0;   // 0..255, higher first
  int64_t custom_id = 0;  // among equal priorities the smaller first
  std::vector<int> bpu_cores = {kAnyCore};
  uint32_t device_id = 0;
};

// The accelerator's form of the parameters. A model compiled for several cores gets the first ones
// unless exactly so many are named. Throws Error(kInput) that names the model, the value and what
// is allowed on this chip.
[[nodiscard]] hbUCPSchedParam to_abi(const SchedParam& param, int chip_cores,
                                     const std::string& model, int model_cores);

}  // namespace hbm
