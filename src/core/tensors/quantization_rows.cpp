// SPDX-License-Identifier: Apache-2.0
// Plain loops without branches, so that compilers turn them into vector code for
// HBM_ROWS_PROCESSOR.
#include "core/tensors/quantization_rows.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "abi/hb_dnn.h"
#include "core/tensors/half.hpp"

#ifndef HBM_ROWS_PROCESSOR
#define HBM_ROWS_PROCESSOR rows_for_any_processor
#endif

namespace hbm {
namespace {

// Adding this to |value| < 2^51 rounds it to an integer, half to even, and leaves the integer's low
// bits in those of the sum: rounding and conversion in one instruction of any vector unit.
constexpr double kRounder = 0x1.8p52;

template <typename Real, typename Stored>
Real widen(Stored stored) noexcept {
  if constexpr (std::is_same_v<Stored, Half>) {
    return static_cast<Real>(to_double(stored));
  } else {
    return static_cast<Real>(stored);
  }
}

template <typename Stored>
Stored saturate_64_bits(double value) noexcept {
  // 2^63 or 2^64: the first double beyond the range.
  constexpr double kEnd = std::is_signed_v<Stored> ? 0x1p63 : 0x1p64;
  if (value >= kEnd) return std::numeric_limits<Stored>::max();
  if (value <= (std::is_signed_v<Stored> ? -kEnd : 0.0)) return std::numeric_limits<Stored>::min();
  return static_cast<Stored>(std::nearbyint(value));
}

template <typename Stored, typename Real, typename Arithmetic>
struct Dequantize {
  using From = Stored;
  using To = Real;
  using Scale = Arithmetic;

  explicit Dequantize(const QuantizationRows& /*rows*/) {}

  Real operator()(Stored stored, Arithmetic scale, Arithmetic zero_point) const noexcept {
    return static_cast<Real>((widen<Arithmetic>(stored) - zero_point) * scale);
  }
};

template <typename Real, typename Stored>
struct Quantize {
  using From = Real;
  using To = Stored;
  using Scale = double;

  explicit Quantize(const QuantizationRows& rows) : lowest(rows.lowest), highest(rows.highest) {}

  Stored operator()(Real real, double scale, double zero_point) const noexcept {
    double value = static_cast<double>(real) / scale;
    if constexpr (std::is_same_v<Stored, Half>) {
      return to_half(value + zero_point);
    } else if constexpr (std::is_floating_point_v<Stored>) {
      return static_cast<Stored>(value + zero_point);
    } else {
      value = value == value ? value : 0.0;  // a NaN becomes the zero point
      value += zero_point;
      if constexpr (sizeof(Stored) == sizeof(int64_t)) {
        return saturate_64_bits<Stored>(value);
      } else {
        value = value < highest ? value : highest;
        value = value > lowest ? value : lowest;
        value += kRounder;
        uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        return static_cast<Stored>(bits);
      }
    }
  }

  double lowest;
  double highest;
};

template <typename Scale>
struct Scales {
  const Scale* scales;
  const Scale* zero_points;
};

template <typename Scale>
Scales<Scale> scales_of(const QuantizationRows& rows) noexcept {
  if constexpr (std::is_same_v<Scale, float>) {
    return {rows.narrow_scales, rows.narrow_zero_points};
  } else {
    return {rows.scales, rows.zero_points};
  }
}

// Arrays need not be aligned to their elements.
template <typename Number>
Number load(const std::byte* from) noexcept {
  Number number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

template <typename Number>
void store(std::byte* to, Number number) noexcept {
  std::memcpy(to, &number, sizeof number);
}

template <typename Number>
constexpr int64_t kSize = static_cast<int64_t>(sizeof(Number));

// Only of function parameters do compilers believe that they point to different memory.
template <typename Operation, bool kEachScale, typename Scale = typename Operation::Scale>
void run_dense(const Operation operation, const std::byte* __restrict from,
               std::byte* __restrict to, int64_t count, const Scale* __restrict scales,
               const Scale* __restrict zero_points) noexcept {
  using From = typename Operation::From;
  using To = typename Operation::To;
  for (int64_t index = 0; index < count; ++index) {
    const int64_t of = kEachScale ? index : 0;
    store<To>(to + index * kSize<To>,
              operation(load<From>(from + index * kSize<From>), scales[of], zero_points[of]));
  }
}

template <typename Operation, bool kEachScale>
void run_rows(const QuantizationRows& given) {
  using From = typename Operation::From;
  using To = typename Operation::To;
  const QuantizationRows rows = given;  // not to be read again after each element written
  const Operation operation(rows);
  const auto [scales, zero_points] = scales_of<typename Operation::Scale>(rows);
  const bool dense = rows.from_step == kSize<From> && rows.to_step == kSize<To>;
  for (int64_t row = 0; row < rows.rows; ++row) {
    const std::byte* const from = rows.from + row * rows.from_pitch;
    std::byte* const to = rows.to + row * rows.to_pitch;
    if (dense) {
      run_dense<Operation, kEachScale>(operation, from, to, rows.count, scales, zero_points);
      continue;
    }
    for (int64_t index = 0; index < rows.count; ++index) {
      const int64_t of = kEachScale ? index : 0;
      store<To>(to + index * rows.to_step,
                operation(load<From>(from + index * rows.from_step), scales[of], zero_points[of]));
    }
  }
}

// 32-bit elements below this are exact in float, and so are their differences to zero points up to
// it; their products with a scale are then rounded once, as from double.
constexpr uint32_t kNarrow = uint32_t{1} << 23;
constexpr int64_t kPiece = 1024;  // elements

// Returns whether all elements were in the range where the results are right.
template <typename Stored, bool kEachScale>
bool dequantize_narrow(const std::byte* __restrict from, std::byte* __restrict to, int64_t count,
                       const float* __restrict scales,
                       const float* __restrict zero_points) noexcept {
  // Signed elements are shifted to 0 to 2^24 for the comparison.
  constexpr uint32_t kShift = std::is_signed_v<Stored> ? kNarrow : 0;
  uint32_t all = 0;
  for (int64_t index = 0; index < count; ++index) {
    const auto stored = load<Stored>(from + index * kSize<Stored>);
    all |= static_cast<uint32_t>(stored) + kShift;
    const int64_t of = kEachScale ? index : 0;
    const auto difference = static_cast<float>(static_cast<int32_t>(stored)) - zero_points[of];
    store<float>(to + index * kSize<float>, difference * scales[of]);
  }
  return all < kNarrow + kShift;
}

// Computes each piece in float, and once more in double if it turns out to hold larger elements.
template <typename Stored, bool kEachScale>
void dequantize_32_bits(const QuantizationRows& given) {
  using Wide = Dequantize<Stored, float, double>;
  const QuantizationRows rows = given;
  if (rows.from_step != kSize<Stored> || rows.to_step != kSize<float>) {
    run_rows<Wide, kEachScale>(rows);
    return;
  }
  for (int64_t row = 0; row < rows.rows; ++row) {
    for (int64_t start = 0; start < rows.count; start += kPiece) {
      const int64_t count = rows.count - start < kPiece ? rows.count - start : kPiece;
      const std::byte* const from = rows.from + row * rows.from_pitch + start * kSize<Stored>;
      std::byte* const to = rows.to + row * rows.to_pitch + start * kSize<float>;
      const int64_t first = kEachScale ? start : 0;
      if (!dequantize_narrow<Stored, kEachScale>(from, to, count, rows.narrow_scales + first,
                                                 rows.narrow_zero_points + first)) {
        run_dense<Wide, kEachScale>(Wide(rows), from, to, count, rows.scales + first,
                                    rows.zero_points + first);
      }
    }
  }
}

template <typename Operation>
RowFunctions functions() noexcept {
  return {run_rows<Operation, false>, run_rows<Operation, true>};
}

template <typename Stored>
RowFunctions dequantization_from(int32_t real, bool narrow) noexcept {
  if constexpr (std::is_integral_v<Stored> && sizeof(Stored) <= sizeof(int32_t)) {
    if (real == HB_DNN_TENSOR_TYPE_F32 && narrow) {
      if constexpr (sizeof(Stored) == sizeof(int32_t)) {
        return {dequantize_32_bits<Stored, false>, dequantize_32_bits<Stored, true>};
      } else {
        return functions<Dequantize<Stored, float, float>>();
      }
    }
  }
  if (real == HB_DNN_TENSOR_TYPE_F32) return functions<Dequantize<Stored, float, double>>();
  if (real == HB_DNN_TENSOR_TYPE_F64) return functions<Dequantize<Stored, double, double>>();
  return {};
}

template <typename Stored>
RowFunctions quantization_to(int32_t real) noexcept {
  if (real == HB_DNN_TENSOR_TYPE_F32) return functions<Quantize<float, Stored>>();
  if (real == HB_DNN_TENSOR_TYPE_F64) return functions<Quantize<double, Stored>>();
  return {};
}

template <typename Number>
struct Type {
  using type = Number;
};

// Calls with the element type of a data type, or gives the empty result.
template <typename Call>
RowFunctions with_element_type(int32_t data_type, const Call& call) noexcept {
  switch (data_type) {
    case HB_DNN_TENSOR_TYPE_S4:  // unpacked
    case HB_DNN_TENSOR_TYPE_S8:
      return call(Type<int8_t>());
    case HB_DNN_TENSOR_TYPE_U4:
    case HB_DNN_TENSOR_TYPE_U8:
      return call(Type<uint8_t>());
    case HB_DNN_TENSOR_TYPE_F16:
      return call(Type<Half>());
    case HB_DNN_TENSOR_TYPE_S16:
      return call(Type<int16_t>());
    case HB_DNN_TENSOR_TYPE_U16:
      return call(Type<uint16_t>());
    case HB_DNN_TENSOR_TYPE_F32:
      return call(Type<float>());
    case HB_DNN_TENSOR_TYPE_S32:
      return call(Type<int32_t>());
    case HB_DNN_TENSOR_TYPE_U32:
      return call(Type<uint32_t>());
    case HB_DNN_TENSOR_TYPE_F64:
      return call(Type<double>());
    case HB_DNN_TENSOR_TYPE_S64:
      return call(Type<int64_t>());
    case HB_DNN_TENSOR_TYPE_U64:
      return call(Type<uint64_t>());
    default:
      return {};
  }
}

RowFunctions dequantization(int32_t stored, int32_t real, bool narrow) {
  return with_element_type(stored, [=](auto type) {
    return dequantization_from<typename decltype(type)::type>(real, narrow);
  });
}

RowFunctions quantization(int32_t real, int32_t stored) {
  return with_element_type(
      stored, [=](auto type) { return quantization_to<typename decltype(type)::type>(real); });
}

}  // namespace

extern const RowTable HBM_ROWS_PROCESSOR;
const RowTable HBM_ROWS_PROCESSOR = {dequantization, quantization};

}  // namespace hbm
