// SPDX-License-Identifier: Apache-2.0
// The accelerator's data types beside ONNX's element types, and how they lie in memory.
#pragma once

#include <array>
#include <cstdint>

#include "abi/strided_copy.hpp"
#include "hb_dnn.h"

namespace hbm::simulator {

struct ElementType {
  int32_t onnx;  // TensorProto.DataType
  uint32_t bits;
};

// In the order of hbDNNDataType.
inline constexpr std::array<ElementType, HB_DNN_TENSOR_TYPE_MAX> kElementTypes = {{
    {22, 4},   // S4
    {21, 4},   // U4
    {3, 8},    // S8
    {2, 8},    // U8
    {10, 16},  // F16
    {5, 16},   // S16
    {4, 16},   // U16
    {1, 32},   // F32
    {6, 32},   // S32
    {12, 32},  // U32
    {11, 64},  // F64
    {7, 64},   // S64
    {13, 64},  // U64
    {9, 8},    // BOOL8
}};

// Bytes of what strides step over: an element, or two 4-bit elements.
[[nodiscard]] inline int64_t storage_unit(uint32_t data_type) {
  return kElementTypes[data_type].bits == 4 ? 1 : kElementTypes[data_type].bits / 8;
}

// The shape in storage units: two 4-bit elements of the last dimension make a byte.
[[nodiscard]] inline Extents storage_shape(Extents shape, uint32_t data_type) {
  if (kElementTypes[data_type].bits == 4 && !shape.empty() && shape.back() > 0) {
    shape.back() = (shape.back() + 1) / 2;
  }
  return shape;
}

}  // namespace hbm::simulator
