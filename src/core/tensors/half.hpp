// SPDX-License-Identifier: Apache-2.0
// IEEE 754 half precision as bits, converted without help of compiler or processor.
// Static: each user is compiled for a processor of its own.
#pragma once

#include <cstdint>
#include <cstring>

namespace hbm {

// An element of an F16 tensor.
struct Half {
  uint16_t bits = 0;
};

// Exact.
[[nodiscard]] static inline double to_double(Half half) noexcept {
  const uint64_t magnitude = half.bits & 0x7FFFU;
  const uint64_t sign = static_cast<uint64_t>(half.bits & 0x8000U) << 48;
  // The exponent's bias is 15 here and 1023 there; infinity and NaN have the largest of each.
  const uint64_t rebias = magnitude >= 0x7C00U ? uint64_t{2047 - 31} : uint64_t{1023 - 15};
  uint64_t bits = (magnitude << 42) + (rebias << 52);
  if (magnitude < 0x0400U) {  // zero or subnormal: units of 2^-24
    const double small = static_cast<double>(static_cast<int32_t>(magnitude)) * 0x1p-24;
    std::memcpy(&bits, &small, sizeof bits);
  }
  bits |= sign;
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Rounds once, half to even; what is too large becomes infinite, a NaN stays one.
[[nodiscard]] static inline Half to_half(double value) noexcept {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const auto sign = static_cast<uint16_t>((bits >> 48) & 0x8000U);
  bits &= ~(uint64_t{1} << 63);
  double magnitude = 0;
  std::memcpy(&magnitude, &bits, sizeof magnitude);
  uint64_t half = 0;
  if (magnitude != magnitude) {
    half = 0x7E00U;
  } else if (magnitude >= 65520.0) {  // halfway between the largest half and the next power
    half = 0x7C00U;
  } else if (magnitude < 0x1p-14) {
    // The sum's last bit is worth 2^-24, as a subnormal half's.
    const double shifted = magnitude + 0x1p28;
    std::memcpy(&half, &shifted, sizeof half);
    half &= 0x07FFU;
  } else {
    const uint64_t odd = (bits >> 42) & 1U;
    half = ((bits + ((uint64_t{1} << 41) - 1) + odd) >> 42) - (uint64_t{1023 - 15} << 10);
  }
  return {static_cast<uint16_t>(half | sign)};
}

}  // namespace hbm
