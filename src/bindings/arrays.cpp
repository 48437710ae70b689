// SPDX-License-Identifier: Apache-2.0
// Reads numpy's own structures, because every run does this for every tensor.
#include "arrays.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

constexpr int32_t kNoDataType = -1;

// numpy's stable numbers of its element types, in the order of hbDNNDataType. The 4-bit types have
// no element: they come as bytes of two.
constexpr std::array<int, HB_DNN_TENSOR_TYPE_MAX> kTypeNumbers{
    kNoDataType, kNoDataType, 1, 2, 23, 3, 4, 11, 5, 6, 12, 7, 8, 0};
constexpr int kUint8 = 2;

// `long` and `long long` are the same on 64-bit Linux, but have two numbers.
int type_number(const py::detail::PyArrayDescr_Proxy& description) noexcept {
  constexpr int kLongLong = 9;
  constexpr int kUlongLong = 10;
  const int number = description.type_num;
  return number == kLongLong || number == kUlongLong ? number - 2 : number;
}

// The accelerator's data type of a numpy element; kNoDataType for one that it does not have.
int32_t data_type_of(const py::detail::PyArrayDescr_Proxy& description) noexcept {
  const auto found =
      std::find(kTypeNumbers.begin() + 2, kTypeNumbers.end(), type_number(description));
  return found != kTypeNumbers.end() ? static_cast<int32_t>(found - kTypeNumbers.begin())
                                     : kNoDataType;
}

py::object dtype_of(int32_t data_type) {
  const int number =
      is_packed(data_type) ? kUint8 : kTypeNumbers.at(static_cast<std::size_t>(data_type));
  return py::reinterpret_steal<py::object>(
      py::detail::npy_api::get().PyArray_DescrFromType_(number));
}

void fill_geometry(const py::detail::PyArray_Proxy& array, InputView& view) {
  view.data = reinterpret_cast<const std::byte*>(array.data);
  view.shape.assign(array.dimensions, array.dimensions + array.nd);
  view.strides.assign(array.strides, array.strides + array.nd);
}

}  // namespace

InputView view_of(const py::array& array, const ModelInfo& model, const TensorInfo& input) {
  const auto* description = py::detail::array_descriptor_proxy(array.dtype().ptr());
  InputView view;
  view.data_type = data_type_of(*description);
  if (is_packed(input.data_type) && array.itemsize() == 1) view.data_type = input.data_type;
  view.other_byte_order = description->byteorder == '>';
  if (view.data_type == kNoDataType) {
    throw Error(ErrorKind::kInput,
                "Data type mismatch for input tensor '" + input.name + "' in model '" + model.name +
                    "': expected data type " + describe_data_type(input.data_type) +
                    ", got numpy's " + std::string(py::str(array.dtype())) +
                    "; convert the array with astype",
                {model.name, input.name});
  }
  if (array.ndim() > static_cast<py::ssize_t>(Extents::kMost)) {
    throw Error(ErrorKind::kInput,
                "Mismatch in tensor dimensions for model: " + model.name +
                    ", input: " + input.name + ": expected shape " + describe_shape(input.shape) +
                    ", got " + std::to_string(array.ndim()) + " dimensions",
                {model.name, input.name});
  }
  fill_geometry(*py::detail::array_proxy(array.ptr()), view);
  view.device = device_memory_of(array.ptr());
  return view;
}

bool fill_view(PyObject* object, const TensorInfo& input, InputView& view) {
  const auto& api = py::detail::npy_api::get();
  if (Py_TYPE(object) != api.PyArray_Type_) return false;
  const auto& array = *py::detail::array_proxy(object);
  const auto* description = py::detail::array_descriptor_proxy(array.descr);
  if (type_number(*description) != kTypeNumbers[static_cast<std::size_t>(input.data_type)] ||
      description->byteorder == '>' || array.nd > static_cast<int>(Extents::kMost)) {
    return false;
  }
  view.data_type = input.data_type;
  view.other_byte_order = false;
  fill_geometry(array, view);
  if (array.base != nullptr) view.device = device_memory_of(object);
  return true;
}

py::object to_array(OutputTensor output) {
  static_assert(sizeof(int64_t) == sizeof(Py_intptr_t));
  const auto& api = py::detail::npy_api::get();
  std::byte* const data = output.buffer->data();
  py::object keeper = keep_device_memory(std::move(output.buffer));
  py::object array = py::reinterpret_steal<py::object>(
      api.PyArray_NewFromDescr_(api.PyArray_Type_, dtype_of(output.data_type).release().ptr(),
                                static_cast<int>(output.shape.size()),
                                reinterpret_cast<const Py_intptr_t*>(output.shape.data()),
                                reinterpret_cast<const Py_intptr_t*>(output.strides.data()), data,
                                py::detail::npy_api::NPY_ARRAY_WRITEABLE_, nullptr));
  if (!array || api.PyArray_SetBaseObject_(array.ptr(), keeper.release().ptr()) != 0) {
    throw py::error_already_set();
  }
  return array;
}

}  // namespace hbm::bindings
