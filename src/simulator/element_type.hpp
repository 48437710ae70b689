// SPDX-License-Identifier: Apache-2.0
// The accelerator's data types beside ONNX's element types.
#pragma once

#include <array>
#include <cstdint>

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

}  // namespace hbm::simulator
