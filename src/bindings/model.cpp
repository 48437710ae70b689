// SPDX-License-Identifier: Apache-2.0
// Binds what the accelerator tells about a model.
#include "core/model.hpp"

#include <pybind11/stl.h>

#include "bindings.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace hbm::bindings {

void register_model(py::module_& module) {
  py::class_<ModelInfo>(module, "ModelInfo", "One loaded model.")
      .def_property_readonly("name", [](const ModelInfo& model) { return to_text(model.name); })
      .def_property_readonly("description",
                             [](const ModelInfo& model) { return to_text(model.description); })
      .def_readonly("core_count", &ModelInfo::core_count, "Cores that it was compiled for.")
      .def_readonly("inputs", &ModelInfo::inputs)
      .def_readonly("outputs", &ModelInfo::outputs);
}

}  // namespace hbm::bindings
