// SPDX-License-Identifier: Apache-2.0
// Reads the simulated chip's properties from the environment.
#include "profile.hpp"

#include <cerrno>
#include <cstdlib>

#include "log.hpp"

namespace hbm::simulator {
namespace {

int read_number(const char* name, int lowest, int highest, int fallback) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return fallback;
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

}  // namespace

Profile read_profile() {
  Profile profile;
  profile.core_count = read_number("HBM_SIM_CORES", 1, kMaxCores, profile.core_count);
  profile.task_limit = read_number("HB_UCP_MAX_TASK_NUM", 1, 65536, profile.task_limit);
  profile.memory_mib = read_number("HBM_SIM_MEMORY_MB", 1, 1 << 20, profile.memory_mib);
  return profile;
}

}  // namespace hbm::simulator
