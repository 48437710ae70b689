// SPDX-License-Identifier: Apache-2.0
// Checks scheduling parameters and turns them into the ABI's struct.
#include "scheduling.hpp"

#include "error.hpp"

namespace hbm {
namespace {

std::string cores_of_chip(int core_count) {
  std::string text;
  for (int core = 0; core < core_count; ++core) {
    text += (core > 0 ? ", " : "") + std::to_string(core);
  }
  return text;
}

bool is_automatic(const std::vector<int>& cores) {
  return cores.empty() || (cores.size() == 1 && cores.front() == kAnyCore);
}

}  // namespace

void check_sched_param(const SchedParam& param, int core_count, const std::string& model) {
  if (param.priority < HB_UCP_PRIORITY_LOWEST || param.priority > HB_UCP_PRIORITY_HIGHEST) {
    throw Error(ErrorKind::kInput,
                "Priority value for model \"" + model +
                    "\" is out of valid range [0, 255]: " + std::to_string(param.priority),
                {model, {}});
  }
  if (is_automatic(param.bpu_cores)) return;
  for (const int core : param.bpu_cores) {
    if (core >= 0 && core < core_count) continue;
    throw Error(ErrorKind::kInput,
                "Invalid BPU core ID for model \"" + model + "\": " + std::to_string(core) +
                    "; this chip has the core" + (core_count > 1 ? "s " : " ") +
                    cores_of_chip(core_count) +
                    ", and [] or [-1] leaves the choice to the scheduler",
                {model, {}});
  }
}

hbUCPSchedParam to_abi(const SchedParam& param) {
  hbUCPSchedParam abi{};
  abi.priority = param.priority;
  abi.customId = param.custom_id;
  abi.deviceId = param.device_id;
  if (is_automatic(param.bpu_cores)) {
    abi.backend = HB_UCP_BPU_CORE_ANY;
  } else {
    for (const int core : param.bpu_cores) abi.backend |= 1ULL << static_cast<unsigned>(core);
  }
  return abi;
}

}  // namespace hbm
