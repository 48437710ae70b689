// SPDX-License-Identifier: Apache-2.0
// Binds a model's checked scheduling parameters.
#include "core/scheduling.hpp"

#include <pybind11/stl.h>

#include "bindings.hpp"

namespace py = pybind11;

namespace hbm::bindings {

void register_scheduling(py::module_& module) {
  py::class_<SchedParam>(module, "Scheduling", "Scheduling parameters of one run of one model.")
      .def(py::init([](int32_t priority, int64_t custom_id, std::vector<int> bpu_cores,
                       uint32_t device_id) {
             return SchedParam{priority, custom_id, std::move(bpu_cores), device_id};
           }),
           py::arg("priority"), py::arg("custom_id"), py::arg("bpu_cores"), py::arg("device_id"))
      .def("check", &check_sched_param, py::arg("core_count"), py::arg("model"),
           "Raise HBMInputError unless priority and cores fit a chip of that many cores.");
}

}  // namespace hbm::bindings
