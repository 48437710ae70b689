// SPDX-License-Identifier: Apache-2.0
// The arithmetic of quantisation on rows of elements, for every pair of element types.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hbm {

// Rows with the same scales; steps from element to element and pitches from row to row in bytes.
// The two sides must not overlap.
struct QuantizationRows {
  const std::byte* from = nullptr;
  int64_t from_step = 0;
  int64_t from_pitch = 0;
  std::byte* to = nullptr;
  int64_t to_step = 0;
  int64_t to_pitch = 0;
  int64_t rows = 1;
  int64_t count = 0;  // elements of a row
  // One value for all, or one for each element of a row; in both types, see RowTable.
  const double* scales = nullptr;
  const double* zero_points = nullptr;
  const float* narrow_scales = nullptr;
  const float* narrow_zero_points = nullptr;
  // The range that quantised values are clipped to; unused for floating-point and 64-bit types.
  double lowest = 0;
  double highest = 0;
};

using RowFunction = void (*)(const QuantizationRows& rows);

struct RowFunctions {
  RowFunction one_scale = nullptr;
  RowFunction each_scale = nullptr;
};

// The same loops, compiled for different processors; the choice is rows_for_this_processor's.
struct RowTable {
  // real = (stored - zero point) x scale, for the stored types but BOOL8, to F32 or F64. 4-bit
  // elements come unpacked, as S8 and U8. Empty for other types.
  // `narrow`: all |zero points| <= 2^23, so that float is as exact as double for elements below.
  using Dequantization = RowFunctions (*)(int32_t stored, int32_t real, bool narrow);
  // stored = clip(round(real / scale + zero point)), from F32 or F64.
  using Quantization = RowFunctions (*)(int32_t real, int32_t stored);

  Dequantization dequantization;
  Quantization quantization;
};

extern const RowTable rows_for_any_processor;

[[nodiscard]] const RowTable& rows_for_this_processor() noexcept;

}  // namespace hbm
