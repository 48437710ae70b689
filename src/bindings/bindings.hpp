// SPDX-License-Identifier: Apache-2.0
// What each file of the binding registers, and the conversions that they share.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <string>

#include "core/board/deadline.hpp"
#include "core/telemetry/statistics.hpp"

namespace hbm::bindings {

// module.cpp calls them in order.
void register_errors(pybind11::module_& module);
void register_exit(pybind11::module_& module);
void register_log(pybind11::module_& module);
void register_device_memory(pybind11::module_& module);
void register_models(pybind11::module_& module);
void register_model_file(pybind11::module_& module);
void register_quantization(pybind11::module_& module);
void register_telemetry(pybind11::module_& module);
void register_runtime(pybind11::module_& module);
void register_jobs(pybind11::module_& module);
void register_bound_run(pybind11::module_& module);

using Duration = Deadline::Clock::duration;

// From seconds; none stays none.
[[nodiscard]] inline std::optional<Duration> to_duration(std::optional<double> seconds) {
  if (!seconds) return std::nullopt;
  constexpr double kLongest = 1e9;  // about 30 years, so that it fits a duration
  // Not std::clamp: a NaN becomes 0.
  const double bounded = *seconds > 0 ? (*seconds < kLongest ? *seconds : kLongest) : 0;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bounded));
}

// Text of a model file: it may hold NULs and bytes that are not UTF-8.
[[nodiscard]] inline pybind11::str to_text(const std::string& bytes) {
  auto text = pybind11::reinterpret_steal<pybind11::str>(PyUnicode_DecodeUTF8(
      bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
  if (!text) throw pybind11::error_already_set();
  return text;
}

// What hbm_runtime/telemetry/statistics.py reads: a dict of numbers, tuples and dicts.
[[nodiscard]] pybind11::dict to_python(const RuntimeSnapshot& snapshot);

// (queue, copy in, execute, copy out) in ns, for StageTimes of hbm_runtime/telemetry/statistics.py.
[[nodiscard]] inline pybind11::tuple to_python(const StageTimes& times) {
  return pybind11::make_tuple(times.queue_ns, times.copy_in_ns, times.execute_ns,
                              times.copy_out_ns);
}

}  // namespace hbm::bindings
