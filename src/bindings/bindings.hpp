// SPDX-License-Identifier: Apache-2.0
// What each file of the binding registers; module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

namespace hbm::bindings {

void register_errors(pybind11::module_& module);
void register_exit(pybind11::module_& module);
void register_log(pybind11::module_& module);
void register_library(pybind11::module_& module);
void register_device_memory(pybind11::module_& module);
void register_tensor(pybind11::module_& module);
void register_model(pybind11::module_& module);
void register_quantization(pybind11::module_& module);
void register_scheduling(pybind11::module_& module);
void register_statistics(pybind11::module_& module);
void register_trace(pybind11::module_& module);
void register_jobs(pybind11::module_& module);
void register_bound_run(pybind11::module_& module);
void register_runtime(pybind11::module_& module);

}  // namespace hbm::bindings
