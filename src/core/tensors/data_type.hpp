// SPDX-License-Identifier: Apache-2.0
// Names and sizes of the accelerator's data types.
#pragma once

#include <cstdint>
#include <string>

#include "abi/hb_dnn.h"

namespace hbm {

struct DataTypeRow {
  const char* name;     // as in the manual, e.g. "U8"
  const char* element;  // as people know it, e.g. "uint8"
  int bits;
};

// Throws Error(kModel) for a number that is no data type.
[[nodiscard]] const DataTypeRow& data_type_row(int32_t data_type);

// Bytes of one element. The 4-bit types are handled as bytes of two elements each.
[[nodiscard]] int64_t element_size(int32_t data_type);

// "U8 (uint8)"
[[nodiscard]] std::string describe_data_type(int32_t data_type);

}  // namespace hbm
