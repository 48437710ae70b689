// SPDX-License-Identifier: Apache-2.0
// Binds what the accelerator tells about a tensor.
#include "core/tensors/tensor.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

template <typename Number>
py::array_t<Number> to_array(const std::vector<Number>& values) {
  return py::array_t<Number>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace

void register_tensor(py::module_& module) {
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
}

}  // namespace hbm::bindings
