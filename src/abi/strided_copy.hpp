// SPDX-License-Identifier: Apache-2.0
// Copies a tensor between two byte-strided layouts of the same shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "extents.hpp"

namespace hbm {

// Strides of a C-contiguous tensor, in bytes.
[[nodiscard]] inline Extents dense_strides(const Extents& shape, int64_t element_size) {
  Extents strides(shape.size());
  int64_t step = element_size;
  for (std::size_t index = shape.size(); index-- > 0;) {
    strides[index] = step;
    step *= shape[index];
  }
  return strides;
}

// Whether stepping through the tensor touches each byte in turn; dimensions of 1 do not count.
[[nodiscard]] inline bool is_dense(const Extents& shape, const Extents& strides,
                                   int64_t element_size) {
  int64_t step = element_size;
  for (std::size_t index = shape.size(); index-- > 0;) {
    if (shape[index] != 1 && strides[index] != step) return false;
    step *= shape[index];
  }
  return true;
}

// Both sides must hold every byte that shape and strides reach.
inline void strided_copy(std::byte* to, const Extents& to_strides, const std::byte* from,
                         const Extents& from_strides, const Extents& shape, int64_t element_size) {
  // Inner dimensions that are dense on both sides make one memcpy.
  std::size_t outer = shape.size();
  int64_t run = element_size;
  while (outer > 0 && (shape[outer - 1] == 1 ||
                       (to_strides[outer - 1] == run && from_strides[outer - 1] == run))) {
    run *= shape[outer - 1];
    --outer;
  }
  for (std::size_t index = 0; index < outer; ++index) {
    if (shape[index] == 0) return;
  }
  Extents position(outer, 0);
  while (true) {
    std::memcpy(to, from, static_cast<std::size_t>(run));
    std::size_t index = outer;
    while (true) {
      if (index == 0) return;
      --index;
      to += to_strides[index];
      from += from_strides[index];
      if (++position[index] < shape[index]) break;
      to -= to_strides[index] * shape[index];
      from -= from_strides[index] * shape[index];
      position[index] = 0;
    }
  }
}

}  // namespace hbm
