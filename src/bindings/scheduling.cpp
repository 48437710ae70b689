// SPDX-License-Identifier: Apache-2.0
// Binds a model's checked scheduling parameters.
#include "scheduling.hpp"

#include <pybind11/stl.h>

#include <utility>

#include "bindings.hpp"
#include "duration.hpp"

namespace py = pybind11;

namespace hbm::bindings {

void register_scheduling(py::module_& module) {
  py::class_<Scheduling>(module, "Scheduling", "Checked parameters of one run of one model.")
      .def(py::init([](int32_t priority, int64_t custom_id, std::vector<int> bpu_cores,
                       uint32_t device_id, const std::shared_ptr<Model>& model, int core_count,
                       std::optional<double> timeout, std::optional<double> max_wait) {
             const SchedParam param{priority, custom_id, std::move(bpu_cores), device_id};
             return Scheduling{to_abi(param, core_count, model->name(), model->info().core_count),
                               to_duration(timeout), to_duration(max_wait)};
           }),
           py::arg("priority"), py::arg("custom_id"), py::arg("bpu_cores"), py::arg("device_id"),
           py::arg("model"), py::arg("core_count"), py::arg("timeout") = py::none(),
           py::arg("max_wait") = py::none(),
           "Check them against a chip of that many cores; times in seconds.");
}

}  // namespace hbm::bindings
