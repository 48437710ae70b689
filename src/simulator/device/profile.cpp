// SPDX-License-Identifier: Apache-2.0
// Reads the simulated chip's properties from the environment.
#include "simulator/device/profile.hpp"

#include "abi/environment.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

int read_number(const NumberVariable& variable) {
  const char* text = environment_text(variable.name);
  if (text != nullptr && !variable.parse(text)) {
    log(LogLevel::kWarning, "%s=%.40s is not a number from %d to %d; using %d", variable.name, text,
        variable.lowest, variable.highest, variable.fallback);
  }
  return variable.value();
}

// A wrong chip would give wrong pitches and cores: no default takes its place.
void read_chip(Profile& profile) {
  const char* text = environment_text("HBM_SIM_SOC");
  if (text == nullptr) return;
  if (const Chip* chip = chip_named(text)) {
    profile.chip = *chip;
    return;
  }
  profile.error = "HBM_SIM_SOC: '" + std::string(text).substr(0, 40) +
                  "' is no chip that can be simulated; use S100, S100P or S600";
}

}  // namespace

Profile read_profile() {
  Profile profile;
  read_chip(profile);
  profile.core_count = read_number({"HBM_SIM_CORES", 1, kMostBpuCores, profile.chip.core_count});
  profile.task_limit = read_number(kTaskLimit);
  profile.memory_mib = read_number({"HBM_SIM_MEMORY_MB", 1, 1 << 20, profile.memory_mib});
  profile.strict = read_number({"HBM_SIM_STRICT", 0, 1, 0}) == 1;
  if (profile.strict) profile.base_alignment = profile.chip.pitch_alignment;
  profile.report = read_number({"HBM_SIM_REPORT", 0, 1, 0}) == 1;
  if (const char* path = environment_text("HBM_SIM_TRACE")) profile.trace_path = path;
  if (environment_text("HB_DNN_USER_DEFINED_L2M_SIZES") != nullptr) {
    profile.preemption = false;
    log(LogLevel::kInfo, "HB_DNN_USER_DEFINED_L2M_SIZES is set: tasks are not preempted");
  }
  return profile;
}

}  // namespace hbm::simulator
