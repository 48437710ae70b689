// SPDX-License-Identifier: Apache-2.0
// Checks the number of a data type.
#include "core/tensors/data_type.hpp"

#include "core/board/error.hpp"

namespace hbm {

const DataType& data_type_row(int32_t data_type) {
  if (data_type < 0 || data_type >= HB_DNN_TENSOR_TYPE_MAX) {
    throw Error(ErrorKind::kModel,
                "a tensor's data type is " + std::to_string(data_type) + ", known are 0 to 13");
  }
  return kDataTypes[static_cast<std::size_t>(data_type)];
}

std::string describe_data_type(int32_t data_type) {
  const DataType& row = data_type_row(data_type);
  return std::string(row.name) + " (" + row.element + ")";
}

}  // namespace hbm
