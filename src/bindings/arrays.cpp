// SPDX-License-Identifier: Apache-2.0
// Reads numpy's own structures, because every run does this for every tensor.
#include "arrays.hpp"

#include <array>
#include <string>
#include <utility>

#include "abi/hb_dnn.h"
#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"
#include "device_memory.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

constexpr int32_t kNoDataType = -1;

// The accelerator's data type of a numpy element; kNoDataType for one that it does not have.
int32_t data_type_of(char kind, py::ssize_t size) noexcept {
  switch (kind) {
    case 'b':
      return HB_DNN_TENSOR_TYPE_BOOL8;
    case 'i':
      return size == 1   ? HB_DNN_TENSOR_TYPE_S8
             : size == 2 ? HB_DNN_TENSOR_TYPE_S16
             : size == 4 ? HB_DNN_TENSOR_TYPE_S32
                         : HB_DNN_TENSOR_TYPE_S64;
    case 'u':
      return size == 1   ? HB_DNN_TENSOR_TYPE_U8
             : size == 2 ? HB_DNN_TENSOR_TYPE_U16
             : size == 4 ? HB_DNN_TENSOR_TYPE_U32
                         : HB_DNN_TENSOR_TYPE_U64;
    case 'f':
      return size == 2   ? HB_DNN_TENSOR_TYPE_F16
             : size == 4 ? HB_DNN_TENSOR_TYPE_F32
             : size == 8 ? HB_DNN_TENSOR_TYPE_F64
                         : kNoDataType;
    default:
      return kNoDataType;
  }
}

// numpy's stable type numbers; kNoDataType where there is no such type on 64-bit Linux.
constexpr std::array<int32_t, 24> kDataTypeOfTypeNumber{HB_DNN_TENSOR_TYPE_BOOL8,
                                                        HB_DNN_TENSOR_TYPE_S8,
                                                        HB_DNN_TENSOR_TYPE_U8,
                                                        HB_DNN_TENSOR_TYPE_S16,
                                                        HB_DNN_TENSOR_TYPE_U16,
                                                        HB_DNN_TENSOR_TYPE_S32,
                                                        HB_DNN_TENSOR_TYPE_U32,
                                                        HB_DNN_TENSOR_TYPE_S64,
                                                        HB_DNN_TENSOR_TYPE_U64,
                                                        HB_DNN_TENSOR_TYPE_S64,
                                                        HB_DNN_TENSOR_TYPE_U64,
                                                        HB_DNN_TENSOR_TYPE_F32,
                                                        HB_DNN_TENSOR_TYPE_F64,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        kNoDataType,
                                                        HB_DNN_TENSOR_TYPE_F16};

// The 4-bit types have no numpy element: they come as bytes of two.
bool is_packed(int32_t data_type) { return data_type_row(data_type).bits == 4; }

const py::dtype& dtype_of(int32_t data_type) {
  // Never freed: numpy may be gone before static objects are.
  static const auto* const dtypes = new std::array<py::dtype, HB_DNN_TENSOR_TYPE_MAX>{
      py::dtype("uint8"),   py::dtype("uint8"),  py::dtype("int8"),    py::dtype("uint8"),
      py::dtype("float16"), py::dtype("int16"),  py::dtype("uint16"),  py::dtype("float32"),
      py::dtype("int32"),   py::dtype("uint32"), py::dtype("float64"), py::dtype("int64"),
      py::dtype("uint64"),  py::dtype("bool")};
  return (*dtypes)[static_cast<std::size_t>(data_type)];
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
  view.data_type = data_type_of(description->kind, array.itemsize());
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
  const auto number = static_cast<std::size_t>(description->type_num);
  if (number >= kDataTypeOfTypeNumber.size() || description->byteorder == '>' ||
      kDataTypeOfTypeNumber[number] != input.data_type ||
      array.nd > static_cast<int>(Extents::kMost)) {
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
      api.PyArray_NewFromDescr_(api.PyArray_Type_, dtype_of(output.data_type).inc_ref().ptr(),
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
