// SPDX-License-Identifier: Apache-2.0
// How a model is scheduled, as Python hands it over.
#pragma once

#include <optional>

#include "core/board/deadline.hpp"
#include "core/run/model.hpp"
#include "core/scheduling/scheduling.hpp"

namespace hbm::bindings {

struct Scheduling {
  hbUCPSchedParam sched{};
  std::optional<Deadline::Clock::duration> timeout;   // unless the call has its own
  std::optional<Deadline::Clock::duration> max_wait;  // until the task goes first
};

}  // namespace hbm::bindings
