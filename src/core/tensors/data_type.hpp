// SPDX-License-Identifier: Apache-2.0
// The data type of a tensor as a library or a caller gives it: checked, and named in messages.
#pragma once

#include <cstdint>
#include <string>

#include "abi/data_types.hpp"

namespace hbm {

// Throws Error(kModel) for a number that is no data type.
[[nodiscard]] const DataType& data_type_row(int32_t data_type);

// "U8 (uint8)"
[[nodiscard]] std::string describe_data_type(int32_t data_type);

}  // namespace hbm
