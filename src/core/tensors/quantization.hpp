// SPDX-License-Identifier: Apache-2.0
// Converts tensors between stored values and the real values that they stand for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensors/tensor.hpp"

namespace hbm {

// Both sides of a conversion have one shape, in elements; strides are in bytes, and a 4-bit
// tensor's last one is that of a byte of two elements.
struct ConstArrayView {
  const std::byte* data = nullptr;
  int32_t data_type = 0;
  Extents strides;
};

struct ArrayView {
  std::byte* data = nullptr;
  int32_t data_type = 0;
  Extents strides;
};

// real = (stored - zero point) x scale, computed in double. `real` is F32 or F64.
// Throws Error(kInput) for parameters that do not fit the shape, and for other data types.
// The two must not overlap.
void dequantize(const Quantization& quantization, const Extents& shape,
                const ConstArrayView& stored, const ArrayView& real);

// stored = clip(round half to even(real / scale + zero point)), computed in double; NaN becomes the
// zero point. Floating-point types are neither rounded to integers nor clipped.
void quantize(const Quantization& quantization, const Extents& shape, const ConstArrayView& real,
              const ArrayView& stored);

}  // namespace hbm
