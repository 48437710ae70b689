// SPDX-License-Identifier: Apache-2.0
// The arithmetic of quantisation on one row of elements, for every pair of element types.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hbm {

// One row; steps in bytes. The two sides must not overlap.
struct QuantizationRow {
  const std::byte* from = nullptr;
  int64_t from_step = 0;
  std::byte* to = nullptr;
  int64_t to_step = 0;
  int64_t count = 0;
  // One value for the whole row, or one for each element; of both types, see RowFunctions.
  const double* scales = nullptr;
  const double* zero_points = nullptr;
  const float* narrow_scales = nullptr;
  const float* narrow_zero_points = nullptr;
  // The range that quantised values are clipped to; unused for floating-point and 64-bit types.
  double lowest = 0;
  double highest = 0;
};

using RowFunction = void (*)(const QuantizationRow& row);

struct RowFunctions {
  RowFunction one_scale = nullptr;
  RowFunction each_scale = nullptr;
};

// real = (stored - zero point) x scale, for the stored types but BOOL8, to F32 or F64. 4-bit
// elements come unpacked, as S8 and U8. Empty for other types.
// `narrow`: compute in float, which is exact for 8- and 16-bit types with |zero point| <= 2^23.
[[nodiscard]] RowFunctions dequantization_rows(int32_t stored, int32_t real, bool narrow) noexcept;

// stored = clip(round(real / scale + zero point)), from F32 or F64.
[[nodiscard]] RowFunctions quantization_rows(int32_t real, int32_t stored) noexcept;

}  // namespace hbm
