// SPDX-License-Identifier: Apache-2.0
// Plain loops without branches, so that compilers turn them into vector code.
#include "quantization_rows.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "abi/hb_dnn.h"
#include "half.hpp"

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

  explicit Dequantize(const QuantizationRow& /*row*/) {}

  Real operator()(Stored stored, Arithmetic scale, Arithmetic zero_point) const noexcept {
    return static_cast<Real>((widen<Arithmetic>(stored) - zero_point) * scale);
  }
};

template <typename Real, typename Stored>
struct Quantize {
  using From = Real;
  using To = Stored;
  using Scale = double;

  explicit Quantize(const QuantizationRow& row) : lowest(row.lowest), highest(row.highest) {}

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
Scales<Scale> scales_of(const QuantizationRow& row) noexcept {
  if constexpr (std::is_same_v<Scale, float>) {
    return {row.narrow_scales, row.narrow_zero_points};
  } else {
    return {row.scales, row.zero_points};
  }
}

// Arrays need not be aligned to their elements, hence the copies.
template <typename Operation, bool kEachScale>
void run_row(const QuantizationRow& row) {
  using From = typename Operation::From;
  using To = typename Operation::To;
  const Operation operation(row);
  const auto [scales, zero_points] = scales_of<typename Operation::Scale>(row);
  const std::byte* const from = row.from;
  std::byte* const __restrict to = row.to;
  const auto one = [&, scales = scales, zero_points = zero_points](int64_t index, int64_t from_step,
                                                                   int64_t to_step) {
    From value;
    std::memcpy(&value, from + index * from_step, sizeof value);
    const int64_t of = kEachScale ? index : 0;
    const To result = operation(value, scales[of], zero_points[of]);
    std::memcpy(to + index * to_step, &result, sizeof result);
  };
  const int64_t count = row.count;
  if (row.from_step == sizeof(From) && row.to_step == sizeof(To)) {
    for (int64_t index = 0; index < count; ++index) one(index, sizeof(From), sizeof(To));
  } else {
    const int64_t from_step = row.from_step;
    const int64_t to_step = row.to_step;
    for (int64_t index = 0; index < count; ++index) one(index, from_step, to_step);
  }
}

// 32-bit elements below this are exact in float, and so are their differences to zero points up to
// it; their products with a scale are then rounded once, as from double.
constexpr uint32_t kNarrow = uint32_t{1} << 23;
constexpr int64_t kPiece = 256;  // elements

// Computes each piece in float, and once more in double if it turns out to hold larger elements.
template <typename Stored, bool kEachScale>
void dequantize_32_bits(const QuantizationRow& row) {
  using Wide = Dequantize<Stored, float, double>;
  if (row.from_step != sizeof(Stored) || row.to_step != sizeof(float)) {
    run_row<Wide, kEachScale>(row);
    return;
  }
  QuantizationRow piece = row;
  for (int64_t start = 0; start < row.count; start += kPiece) {
    const int64_t count = row.count - start < kPiece ? row.count - start : kPiece;
    const int64_t first = kEachScale ? start : 0;
    const std::byte* const from = row.from + start * piece.from_step;
    std::byte* const __restrict to = row.to + start * piece.to_step;
    const float* const scales = row.narrow_scales + first;
    const float* const zero_points = row.narrow_zero_points + first;
    // Signed elements are shifted to 0 to 2^24 for the comparison.
    constexpr uint32_t kShift = std::is_signed_v<Stored> ? kNarrow : 0;
    uint32_t all = 0;
    for (int64_t index = 0; index < count; ++index) {
      Stored stored;
      std::memcpy(&stored, from + index * static_cast<int64_t>(sizeof stored), sizeof stored);
      all |= static_cast<uint32_t>(stored) + kShift;
      const int64_t of = kEachScale ? index : 0;
      const float real =
          (static_cast<float>(static_cast<int32_t>(stored)) - zero_points[of]) * scales[of];
      std::memcpy(to + index * static_cast<int64_t>(sizeof real), &real, sizeof real);
    }
    if (all < kNarrow + kShift) continue;
    piece.from = from;
    piece.to = to;
    piece.count = count;
    piece.scales = row.scales + first;
    piece.zero_points = row.zero_points + first;
    run_row<Wide, kEachScale>(piece);
  }
}

template <typename Operation>
RowFunctions functions() noexcept {
  return {run_row<Operation, false>, run_row<Operation, true>};
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

}  // namespace

RowFunctions dequantization_rows(int32_t stored, int32_t real, bool narrow) noexcept {
  return with_element_type(stored, [=](auto type) {
    return dequantization_from<typename decltype(type)::type>(real, narrow);
  });
}

RowFunctions quantization_rows(int32_t real, int32_t stored) noexcept {
  return with_element_type(
      stored, [=](auto type) { return quantization_to<typename decltype(type)::type>(real); });
}

}  // namespace hbm
