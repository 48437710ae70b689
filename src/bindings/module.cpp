// SPDX-License-Identifier: Apache-2.0
// Table of contents of the Python module hbm_runtime._core.
#include "bindings.hpp"

PYBIND11_MODULE(_core, module) {
  using namespace hbm::bindings;
  module.doc() = "The compiled core of hbm_runtime; use the package's own classes instead.";
  register_errors(module);
  register_exit(module);
  register_log(module);
  register_library(module);
  register_tensor(module);
  register_model(module);  // holds tensors
  register_scheduling(module);
  register_runtime(module);  // takes libraries and scheduling parameters, gives models
}
