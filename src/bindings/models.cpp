// SPDX-License-Identifier: Apache-2.0
// Binds the accelerator's libraries, loading, and what they tell about models and tensors.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>

#include "abi/chips.hpp"
#include "bindings.hpp"
#include "core/board/library.hpp"
#include "core/run/loaded_model.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

template <typename Number>
py::array_t<Number> to_array(const std::vector<Number>& values) {
  return py::array_t<Number>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::tuple load(const std::shared_ptr<Library>& library, const std::vector<std::string>& files) {
  LoadedFiles loaded;
  {
    const GilReleased<> free_gil;
    loaded = load_files(library, files);
  }
  py::list models;
  for (const auto& model : loaded.models) {
    models.append(std::const_pointer_cast<LoadedModel>(model));
  }
  py::list descriptions;
  for (const auto& text : loaded.descriptions) descriptions.append(to_text(text));
  return py::make_tuple(models, descriptions);
}

}  // namespace

void register_models(py::module_& module) {
  // pybind11 holders cannot be pointers to const.
  py::class_<Library, std::shared_ptr<Library>>(module, "Library",
                                                "The accelerator's libhbucp.so and libdnn.so.")
      .def_static(
          "open",
          [](const std::string& folder) {
            return std::const_pointer_cast<Library>(Library::open(folder));
          },
          py::arg("folder"), py::call_guard<GilReleased<>>(),
          "Open the pair in a folder, or with '' where the loader finds it.")
      .def_property_readonly("path", &Library::folder, "The folder; '' if the loader chose.")
      .def_property_readonly("is_simulator", &Library::is_simulator,
                             "Whether this is the simulator.")
      .def_property_readonly("core_count", &Library::core_count, "BPU cores of the chip.")
      .def_property_readonly(
          "soc_name", &Library::soc_name,
          "Name of the board, which contains the chip's; '' if the library does not tell.")
      .def_property_readonly("ucp_version", &Library::ucp_version, "Version of libhbucp.so.")
      .def_property_readonly("dnn_version", &Library::dnn_version, "Version of libdnn.so.");
  py::class_<TensorInfo>(module, "TensorInfo", "One input or output of a model.")
      .def_property_readonly("name", [](const TensorInfo& info) { return to_text(info.name); })
      .def_property_readonly("description",
                             [](const TensorInfo& info) { return to_text(info.description); })
      .def_readonly("data_type", &TensorInfo::data_type, "A number of hbDNNDataType.")
      .def_property_readonly(
          "shape", [](const TensorInfo& info) { return std::vector<int64_t>(info.shape); },
          "Elements; -1 where dynamic.")
      .def_property_readonly(
          "strides", [](const TensorInfo& info) { return std::vector<int64_t>(info.strides); },
          "Bytes; -1 where dynamic.")
      .def_readonly("aligned_byte_size", &TensorInfo::aligned_byte_size, "-1 where dynamic.")
      .def_property_readonly("quanti_type",
                             [](const TensorInfo& info) { return info.quantization.type; })
      .def_property_readonly("quantize_axis",
                             [](const TensorInfo& info) { return info.quantization.axis; })
      .def_property_readonly(
          "scale", [](const TensorInfo& info) { return to_array(info.quantization.scales); })
      .def_property_readonly("zero_point", [](const TensorInfo& info) {
        return to_array(info.quantization.zero_points);
      });
  py::class_<LoadedModel, std::shared_ptr<LoadedModel>>(module, "LoadedModel", "One loaded model.")
      .def_property_readonly("name", [](const LoadedModel& model) { return to_text(model.name()); })
      .def_property_readonly(
          "description", [](const LoadedModel& model) { return to_text(model.info().description); })
      .def_property_readonly(
          "core_count", [](const LoadedModel& model) { return model.info().core_count; },
          "Cores that it was compiled for.")
      .def_property_readonly("inputs", [](const LoadedModel& model) { return model.info().inputs; })
      .def_property_readonly("outputs",
                             [](const LoadedModel& model) { return model.info().outputs; });
  py::list chips;
  for (const Chip& chip : kChips) {
    chips.append(py::make_tuple(chip.name, chip.march, chip.core_count, chip.pitch_alignment));
  }
  module.attr("CHIPS") = py::tuple(chips);
  module.def("load", &load, py::arg("library"), py::arg("files"),
             "Load files together: (list of LoadedModel, list of the files' descriptions).");
}

}  // namespace hbm::bindings
