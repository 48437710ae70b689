// SPDX-License-Identifier: Apache-2.0
// A runtime's statistics as plain Python values.
#pragma once

#include <pybind11/pybind11.h>

#include "core/telemetry/statistics.hpp"

namespace hbm::bindings {

// What hbm_runtime/statistics.py reads: a dict of numbers, tuples and dicts.
[[nodiscard]] pybind11::dict to_python(const RuntimeSnapshot& snapshot);

// (queue, copy in, execute, copy out) in ns, for StageTimes of hbm_runtime/statistics.py.
[[nodiscard]] pybind11::tuple to_python(const StageTimes& times);

}  // namespace hbm::bindings
