// SPDX-License-Identifier: Apache-2.0
// Checks scheduling parameters and turns them into the ABI's struct.
#include "core/scheduling/scheduling.hpp"

#include <set>

#include "core/board/error.hpp"

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

void check_cores(const SchedParam& param, int chip_cores, const std::string& model,
                 int model_cores) {
  for (const int core : param.bpu_cores) {
    if (core >= 0 && core < chip_cores) continue;
    throw Error(ErrorKind::kInput,
                "Invalid BPU core ID for model \"" + model + "\": " + std::to_string(core) +
                    "; this chip has the core" + (chip_cores > 1 ? "s " : " ") +
                    cores_of_chip(chip_cores) +
                    ", and [] or [-1] leaves the choice to the scheduler",
                {model, {}});
  }
  if (model_cores == 1) return;
  const std::set<int> named(param.bpu_cores.begin(), param.bpu_cores.end());
  if (static_cast<int>(named.size()) == model_cores) return;
  throw Error(ErrorKind::kInput,
              "model \"" + model + "\" was compiled for " + std::to_string(model_cores) +
                  " BPU cores, but bpu_cores names " + std::to_string(named.size()) +
                  "; name exactly " + std::to_string(model_cores) + " of " +
                  cores_of_chip(chip_cores) + ", or [] for the first ones",
              {model, {}});
}

}  // namespace

hbUCPSchedParam to_abi(const SchedParam& param, int chip_cores, const std::string& model,
                       int model_cores) {
  if (param.priority < HB_UCP_PRIORITY_LOWEST || param.priority > HB_UCP_PRIORITY_HIGHEST) {
    throw Error(ErrorKind::kInput,
                "Priority value for model \"" + model +
                    "\" is out of valid range [0, 255]: " + std::to_string(param.priority),
                {model, {}});
  }
  hbUCPSchedParam abi{};
  abi.priority = param.priority;
  abi.customId = param.custom_id;
  abi.deviceId = param.device_id;
  if (!is_automatic(param.bpu_cores)) {
    check_cores(param, chip_cores, model, model_cores);
    for (const int core : param.bpu_cores) abi.backend |= 1ULL << static_cast<unsigned>(core);
  } else if (model_cores > 1) {
    abi.backend = (1ULL << static_cast<unsigned>(model_cores)) - 1;
  } else {
    abi.backend = HB_UCP_BPU_CORE_ANY;
  }
  return abi;
}

}  // namespace hbm
