// SPDX-License-Identifier: Apache-2.0
// Turns elements of the other byte order around, in place.
#pragma once

#include <algorithm>
#include <cstddef>

#include "abi/strided_copy.hpp"

namespace hbm {

// Every byte that shape and strides reach must be there.
inline void swap_byte_order(std::byte* data, const Extents& shape, const Extents& strides,
                            int64_t element_size, std::size_t axis = 0) {
  if (axis == shape.size()) {
    std::reverse(data, data + element_size);
    return;
  }
  for (int64_t index = 0; index < shape[axis]; ++index) {
    swap_byte_order(data + index * strides[axis], shape, strides, element_size, axis + 1);
  }
}

}  // namespace hbm
