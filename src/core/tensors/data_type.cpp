// SPDX-License-Identifier: Apache-2.0
// The table of the accelerator's data types.
#include "core/tensors/data_type.hpp"

#include <array>

#include "core/board/error.hpp"

namespace hbm {
namespace {

// In the order of hbDNNDataType.
constexpr std::array<DataTypeRow, HB_DNN_TENSOR_TYPE_MAX> kRows = {{
    {"S4", "int4", 4},
    {"U4", "uint4", 4},
    {"S8", "int8", 8},
    {"U8", "uint8", 8},
    {"F16", "float16", 16},
    {"S16", "int16", 16},
    {"U16", "uint16", 16},
    {"F32", "float32", 32},
    {"S32", "int32", 32},
    {"U32", "uint32", 32},
    {"F64", "float64", 64},
    {"S64", "int64", 64},
    {"U64", "uint64", 64},
    {"BOOL8", "bool", 8},
}};

}  // namespace

const DataTypeRow& data_type_row(int32_t data_type) {
  if (data_type < 0 || data_type >= HB_DNN_TENSOR_TYPE_MAX) {
    throw Error(ErrorKind::kModel,
                "a tensor's data type is " + std::to_string(data_type) + ", known are 0 to 13");
  }
  return kRows[static_cast<std::size_t>(data_type)];
}

int64_t element_size(int32_t data_type) { return (data_type_row(data_type).bits + 7) / 8; }

std::string describe_data_type(int32_t data_type) {
  const DataTypeRow& row = data_type_row(data_type);
  return std::string(row.name) + " (" + row.element + ")";
}

}  // namespace hbm
