// SPDX-License-Identifier: Apache-2.0
// Binds loading, and what the accelerator tells about a model.
#include "core/run/model.hpp"

#include <pybind11/stl.h>

#include <memory>

#include "bindings.hpp"
#include "text.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

py::tuple load(const std::shared_ptr<Library>& library, const std::vector<std::string>& files) {
  LoadedFiles loaded;
  {
    const GilReleased<> free_gil;
    loaded = load_files(library, files);
  }
  py::list models;
  for (const auto& model : loaded.models) models.append(std::const_pointer_cast<Model>(model));
  py::list descriptions;
  for (const auto& text : loaded.descriptions) descriptions.append(to_text(text));
  return py::make_tuple(models, descriptions);
}

}  // namespace

void register_model(py::module_& module) {
  py::class_<Model, std::shared_ptr<Model>>(module, "Model", "One loaded model.")
      .def_property_readonly("name", [](const Model& model) { return to_text(model.name()); })
      .def_property_readonly("description",
                             [](const Model& model) { return to_text(model.info().description); })
      .def_property_readonly(
          "core_count", [](const Model& model) { return model.info().core_count; },
          "Cores that it was compiled for.")
      .def_property_readonly("inputs", [](const Model& model) { return model.info().inputs; })
      .def_property_readonly("outputs", [](const Model& model) { return model.info().outputs; });
  module.def("load", &load, py::arg("library"), py::arg("files"),
             "Load files together: (list of Model, list of the files' descriptions).");
}

}  // namespace hbm::bindings
