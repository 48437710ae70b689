// SPDX-License-Identifier: Apache-2.0
// Table of contents of the Python module hbm_runtime._core.
#include "bindings.hpp"

// What it was built with decides the signatures in its documentation, and so in _core.pyi.
constexpr const char* kPybind11Version =
    PYBIND11_TOSTRING(PYBIND11_VERSION_MAJOR) "." PYBIND11_TOSTRING(PYBIND11_VERSION_MINOR);

PYBIND11_MODULE(_core, module) {
  using namespace hbm::bindings;
  module.doc() = "The compiled core of hbm_runtime; use the package's own classes instead.";
  module.attr("pybind11_version") = kPybind11Version;
  register_errors(module);
  register_exit(module);
  register_log(module);
  register_device_memory(module);
  register_models(module);
  register_model_file(module);
  register_quantization(module);
  register_telemetry(module);
  register_runtime(module);  // takes libraries, models and traces
  register_jobs(module);
  register_bound_run(module);
}
