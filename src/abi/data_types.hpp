// SPDX-License-Identifier: Apache-2.0
// The one table of the accelerator's data types, and how their elements lie in memory.
#pragma once

#include <array>
#include <cstdint>

#include "abi/extents.hpp"
#include "abi/hb_dnn.h"

namespace hbm {

struct DataType {
  const char* name;     // as in the ABI, e.g. "U8"
  const char* element;  // as people know it, e.g. "uint8"
  int bits;
  int32_t onnx;  // TensorProto.DataType
};

// In the order of hbDNNDataType.
inline constexpr std::array<DataType, HB_DNN_TENSOR_TYPE_MAX> kDataTypes = {{
    {"S4", "int4", 4, 22},
    {"U4", "uint4", 4, 21},
    {"S8", "int8", 8, 3},
    {"U8", "uint8", 8, 2},
    {"F16", "float16", 16, 10},
    {"S16", "int16", 16, 5},
    {"U16", "uint16", 16, 4},
    {"F32", "float32", 32, 1},
    {"S32", "int32", 32, 6},
    {"U32", "uint32", 32, 12},
    {"F64", "float64", 64, 11},
    {"S64", "int64", 64, 7},
    {"U64", "uint64", 64, 13},
    {"BOOL8", "bool", 8, 9},
}};

// The functions below throw std::out_of_range for a number that is no data type.

// 4-bit types lie in memory as bytes of two elements.
[[nodiscard]] constexpr bool is_packed(int32_t data_type) {
  return kDataTypes.at(static_cast<std::size_t>(data_type)).bits == 4;
}

// Bytes of what strides step over: an element, or two 4-bit elements.
[[nodiscard]] constexpr int64_t storage_unit(int32_t data_type) {
  return (kDataTypes.at(static_cast<std::size_t>(data_type)).bits + 7) / 8;
}

// The shape in storage units: two 4-bit elements of the last dimension make a byte.
[[nodiscard]] inline Extents storage_shape(Extents shape, int32_t data_type) {
  if (is_packed(data_type) && !shape.empty() && shape.back() > 0) {
    shape.back() = (shape.back() + 1) / 2;
  }
  return shape;
}

}  // namespace hbm
