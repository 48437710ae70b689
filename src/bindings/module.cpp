// SPDX-License-Identifier: Apache-2.0
// Table of contents of the Python module hbm_runtime._core.
#include "bindings.hpp"

// What it was built with decides the signatures in its documentation, and so in _core.pyi.
constexpr const char* kPybind11Version =
    PYBIND11_TOSTRING(PYBIND11_VERSION_MAJOR) "." PYBIND11_TOSTRING(PYBIND11_VERSION_MINOR);

// Under another name, because pybind11's own start waits for ever in a sub-interpreter: the entry
// point that Python looks for is below.
#define PyInit__core init_in_main_interpreter

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

#undef PyInit__core

extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return init_in_main_interpreter();
  PyErr_SetString(PyExc_ImportError,
                  "hbm_runtime works in a process's main interpreter only, and this is a "
                  "sub-interpreter; use threads, or processes that are started with 'spawn'");
  return nullptr;
}
