// SPDX-License-Identifier: Apache-2.0
// Seconds of Python as the core's durations.
#pragma once

#include <optional>

#include "core/board/deadline.hpp"

namespace hbm::bindings {

[[nodiscard]] inline std::optional<Deadline::Clock::duration> to_duration(
    std::optional<double> seconds) {
  if (!seconds) return std::nullopt;
  constexpr double kLongest = 1e9;  // about 30 years, so that it fits a duration
  // Not std::clamp: a NaN becomes 0.
  const double bounded = *seconds > 0 ? (*seconds < kLongest ? *seconds : kLongest) : 0;
  return std::chrono::duration_cast<Deadline::Clock::duration>(
      std::chrono::duration<double>(bounded));
}

}  // namespace hbm::bindings
