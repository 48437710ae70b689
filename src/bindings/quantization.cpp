// SPDX-License-Identifier: Apache-2.0
// Binds quantisation: numpy arrays of stored and of real values, without the GIL when they are
// large.
#include "core/tensors/quantization.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <functional>
#include <numeric>
#include <optional>

#include "bindings.hpp"
#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"
#include "core/tensors/layout.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// Elements; from about 10 µs of work on, letting other threads run is worth its price.
constexpr int64_t kManyElements = 16384;

using ScaleArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using ZeroPointArray = py::array_t<int32_t, py::array::c_style | py::array::forcecast>;

Quantization make_quantization(int32_t type, int32_t axis, const ScaleArray& scales,
                               const ZeroPointArray& zero_points) {
  return {type,
          axis,
          {scales.data(), scales.data() + scales.size()},
          {zero_points.data(), zero_points.data() + zero_points.size()}};
}

Extents shape_of(const py::array& array) { return {array.shape(), array.shape() + array.ndim()}; }

// Keeps the loops inside of both arrays, whatever the caller checked.
void check_arrays(const py::array& stored, int32_t stored_type, const py::array& real,
                  int32_t real_type) {
  const std::string stored_name = describe_data_type(stored_type);
  const std::string real_name = describe_data_type(real_type);
  if (stored.itemsize() != storage_unit(stored_type) ||
      real.itemsize() != storage_unit(real_type) ||
      shape_of(stored) != storage_shape(shape_of(real), stored_type)) {
    throw Error(ErrorKind::kInput, stored_name + " of stored shape " +
                                       describe_shape(shape_of(stored)) + " does not go with " +
                                       real_name + " of shape " + describe_shape(shape_of(real)));
  }
}

ConstArrayView source(const py::array& array, int32_t data_type) {
  return {static_cast<const std::byte*>(array.data()),
          data_type,
          {array.strides(), array.strides() + array.ndim()}};
}

ArrayView target(py::array& array, int32_t data_type) {
  return {static_cast<std::byte*>(array.mutable_data()),
          data_type,
          {array.strides(), array.strides() + array.ndim()}};
}

// Fills the one array from the other, without the GIL when they are large.
template <typename Convert>
void convert(Convert convert, const Quantization& quantization, const Extents& shape,
             const ConstArrayView& from, const ArrayView& to) {
  const int64_t elements =
      std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  std::optional<GilReleased<>> released;
  if (elements >= kManyElements) released.emplace();
  convert(quantization, shape, from, to);
}

}  // namespace

void register_quantization(py::module_& module) {
  module.def(
      "dequantize",
      [](const py::array& stored, int32_t stored_type, py::array real, int32_t real_type,
         int32_t quanti_type, int32_t axis, const ScaleArray& scale,
         const ZeroPointArray& zero_point) {
        check_arrays(stored, stored_type, real, real_type);
        convert(dequantize, make_quantization(quanti_type, axis, scale, zero_point), shape_of(real),
                source(stored, stored_type), target(real, real_type));
      },
      py::arg("stored"), py::arg("stored_type"), py::arg("real"), py::arg("real_type"),
      py::arg("quanti_type"), py::arg("axis"), py::arg("scale"), py::arg("zero_point"),
      "Fill `real`, which must not overlap `stored`.");
  module.def(
      "quantize",
      [](const py::array& real, int32_t real_type, py::array stored, int32_t stored_type,
         int32_t quanti_type, int32_t axis, const ScaleArray& scale,
         const ZeroPointArray& zero_point) {
        check_arrays(stored, stored_type, real, real_type);
        convert(quantize, make_quantization(quanti_type, axis, scale, zero_point), shape_of(real),
                source(real, real_type), target(stored, stored_type));
      },
      py::arg("real"), py::arg("real_type"), py::arg("stored"), py::arg("stored_type"),
      py::arg("quanti_type"), py::arg("axis"), py::arg("scale"), py::arg("zero_point"),
      "Fill `stored`, which must not overlap `real`.");
}

}  // namespace hbm::bindings
