// SPDX-License-Identifier: Apache-2.0
// Hands the accelerator's log lines to Python.
#include "core/board/log.hpp"

#include "bindings.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {

void forward_log_lines() noexcept {
  const RunningCall running;  // a thread that ends in Python's code cannot unwind through here
  // The error of the call, if there is one, must outlive this.
  const py::error_scope scope;
  try {
    py::module_::import("hbm_runtime._loading.log").attr("forward_log_lines")();
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("forward_log_lines");
  }
}

void register_log(py::module_& module) {
  module.def("has_log_lines", &has_log_lines, "Whether take_log_lines would return anything.");
  module.def(
      "take_log_lines",
      [] {
        py::list lines;
        for (const LogLine& line : take_log_lines()) {
          lines.append(py::make_tuple(line.level, to_text(line.text)));
        }
        return lines;
      },
      "Take the accelerator's log lines as (level, text); 3 is a warning, 4 an error.");
}

}  // namespace hbm::bindings
