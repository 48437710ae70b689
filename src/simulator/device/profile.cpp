// SPDX-License-Identifier: Apache-2.0
// Reads the simulated chip's properties from the environment.
#include "simulator/device/profile.hpp"

#include <cerrno>
#include <cstdlib>

#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

// Null for an unset or empty variable, which mean the same.
const char* text_of(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? text : nullptr;
}

int read_number(const char* name, int lowest, int highest, int fallback) {
  const char* text = text_of(name);
  if (text == nullptr) return fallback;
  char* end = nullptr;
  errno = 0;
  const long value = std::strtol(text, &end, 10);
  if (errno != 0 || *end != '\0' || value < lowest || value > highest) {
    log(LogLevel::kWarning, "%s=%.40s is not a number from %d to %d; using %d", name, text, lowest,
        highest, fallback);
    return fallback;
  }
  return static_cast<int>(value);
}

// A wrong chip would give wrong pitches and cores: no default takes its place.
void read_chip(Profile& profile) {
  const char* text = text_of("HBM_SIM_SOC");
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
  profile.core_count = read_number("HBM_SIM_CORES", 1, kMostBpuCores, profile.chip.core_count);
  profile.task_limit = read_number("HB_UCP_MAX_TASK_NUM", 1, 65536, profile.task_limit);
  profile.memory_mib = read_number("HBM_SIM_MEMORY_MB", 1, 1 << 20, profile.memory_mib);
  profile.strict = read_number("HBM_SIM_STRICT", 0, 1, 0) == 1;
  if (profile.strict) profile.base_alignment = profile.chip.pitch_alignment;
  profile.report = read_number("HBM_SIM_REPORT", 0, 1, 0) == 1;
  if (const char* path = text_of("HBM_SIM_TRACE")) profile.trace_path = path;
  if (text_of("HB_DNN_USER_DEFINED_L2M_SIZES") != nullptr) {
    profile.preemption = false;
    log(LogLevel::kInfo, "HB_DNN_USER_DEFINED_L2M_SIZES is set: tasks are not preempted");
  }
  return profile;
}

}  // namespace hbm::simulator
