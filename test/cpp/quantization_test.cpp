// SPDX-License-Identifier: Apache-2.0
// Quantisation on strided arrays: rounding, clipping, per-axis scales, 4-bit halves, halves of F16.
#include "core/tensors/quantization.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"
#include "core/tensors/half.hpp"
#include "core/tensors/quantization_rows.hpp"

namespace hbm {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Quantization by_scale(std::vector<float> scales, std::vector<int32_t> zero_points = {},
                      int32_t axis = -1) {
  return {HB_DNN_QUANTI_SCALE, axis, std::move(scales), std::move(zero_points)};
}

template <typename Number>
ConstArrayView view(const std::vector<Number>& values, int32_t data_type, Extents strides) {
  return {reinterpret_cast<const std::byte*>(values.data()), data_type, std::move(strides)};
}

template <typename Number>
ArrayView view(std::vector<Number>& values, int32_t data_type, Extents strides) {
  return {reinterpret_cast<std::byte*>(values.data()), data_type, std::move(strides)};
}

// `real` as a row of elements of one data type.
template <typename Stored>
std::vector<Stored> quantized(const Quantization& quantization, const std::vector<float>& real,
                              int32_t data_type) {
  std::vector<Stored> stored(real.size());
  const auto count = static_cast<int64_t>(real.size());
  quantize(quantization, {count}, view(real, HB_DNN_TENSOR_TYPE_F32, {4}),
           view(stored, data_type, {sizeof(Stored)}));
  return stored;
}

std::string message_of(const Quantization& quantization, const Extents& shape) {
  const std::vector<int8_t> stored(64);
  std::vector<float> real(64);
  try {
    dequantize(quantization, shape, view(stored, HB_DNN_TENSOR_TYPE_S8, dense_strides(shape, 1)),
               view(real, HB_DNN_TENSOR_TYPE_F32, dense_strides(shape, 4)));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "no error";
}

TEST(Quantize, RoundsHalfToEvenAfterAddingTheZeroPoint) {
  const std::vector<float> real = {-1.5F, -0.5F, 0.5F, 1.5F, 2.5F};
  EXPECT_EQ(quantized<int8_t>(by_scale({1}), real, HB_DNN_TENSOR_TYPE_S8),
            (std::vector<int8_t>{-2, 0, 0, 2, 2}));
  EXPECT_EQ(quantized<int8_t>(by_scale({1}, {1}), real, HB_DNN_TENSOR_TYPE_S8),
            (std::vector<int8_t>{0, 0, 2, 2, 4}));
}

TEST(Quantize, ClipsToTheTypeAndStoresANaNAsTheZeroPoint) {
  const std::vector<float> real = {-kInfinity, -1e9F, 1e9F, kInfinity, kNaN};
  const auto bytes = quantized<uint8_t>(by_scale({0.5F}, {7}), real, HB_DNN_TENSOR_TYPE_U8);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0, 0, 255, 255, 7}));
  const auto words = quantized<uint32_t>(by_scale({0.5F}, {7}), real, HB_DNN_TENSOR_TYPE_U32);
  EXPECT_EQ(words, (std::vector<uint32_t>{0, 0, 2000000007U, 4294967295U, 7}));
}

TEST(Quantize, ClipsToSixtyFourBitsWithoutOverflow) {
  const std::vector<float> real = {-kInfinity, -0x1p63F, -1.5F, 0x1p62F, 0x1p63F, kNaN};
  constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(quantized<int64_t>(by_scale({1}), real, HB_DNN_TENSOR_TYPE_S64),
            (std::vector<int64_t>{kLowest, kLowest, -2, int64_t{1} << 62, kHighest, 0}));
  EXPECT_EQ(quantized<uint64_t>(by_scale({1}), real, HB_DNN_TENSOR_TYPE_U64),
            (std::vector<uint64_t>{0, 0, 0, uint64_t{1} << 62, uint64_t{1} << 63, 0}));
}

TEST(Quantize, AScaleOfZeroClips) {
  const std::vector<float> real = {-1, 0, 1};
  EXPECT_EQ(quantized<int8_t>(by_scale({0}, {5}), real, HB_DNN_TENSOR_TYPE_S8),
            (std::vector<int8_t>{-128, 5, 127}));
}

TEST(Quantize, NeitherRoundsNorClipsFloats) {
  const auto halves =
      quantized<uint16_t>(by_scale({2}), {1, 0.0F, -131072.0F, kInfinity}, HB_DNN_TENSOR_TYPE_F16);
  EXPECT_EQ(halves, (std::vector<uint16_t>{0x3800, 0, 0xFC00, 0x7C00}));
}

TEST(Quantize, PacksTheFirstOfTwoFourBitElementsLow) {
  const std::vector<float> real = {1, -8, 7, -1, 100};
  std::vector<uint8_t> stored(3, 0xEE);
  quantize(by_scale({1}), {5}, view(real, HB_DNN_TENSOR_TYPE_F32, {4}),
           view(stored, HB_DNN_TENSOR_TYPE_S4, {1}));
  EXPECT_EQ(stored, (std::vector<uint8_t>{0x81, 0xF7, 0x07}));
}

TEST(Dequantize, ReadsPaddedRowsAndLeavesThePaddingOfTheResultAlone) {
  const std::vector<int32_t> stored = {1, 2, -1, 3, 4, -1};  // rows of 2 in a pitch of 3
  std::vector<float> real(8, 99);                            // in a pitch of 4
  dequantize(by_scale({0.5F, 2}, {1, 0}, 1), {2, 2}, view(stored, HB_DNN_TENSOR_TYPE_S32, {12, 4}),
             view(real, HB_DNN_TENSOR_TYPE_F32, {16, 4}));
  EXPECT_EQ(real, (std::vector<float>{0, 4, 99, 99, 1, 8, 99, 99}));
}

TEST(Dequantize, FindsTheScaleOfEachElementAlongEveryAxis) {
  const Extents shape = {2, 3, 4};
  std::vector<int16_t> stored(24);
  for (std::size_t index = 0; index < stored.size(); ++index) {
    stored[index] = static_cast<int16_t>(index + 1);
  }
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::vector<float> scales;
    for (int64_t index = 0; index < shape[axis]; ++index) {
      scales.push_back(std::ldexp(1.0F, static_cast<int>(10 * index)));
    }
    std::vector<double> real(24);
    dequantize(by_scale(scales, {}, static_cast<int32_t>(axis)), shape,
               view(std::as_const(stored), HB_DNN_TENSOR_TYPE_S16, {24, 8, 2}),
               view(real, HB_DNN_TENSOR_TYPE_F64, {96, 32, 8}));
    for (std::size_t index = 0; index < 24; ++index) {
      const std::size_t position[] = {index / 12, index / 4 % 3, index % 4};
      EXPECT_EQ(real[index], static_cast<double>(index + 1) * scales[position[axis]])
          << "axis " << axis << ", element " << index;
    }
  }
}

// Longer than the table of repeated scales, and no multiple of it.
TEST(Dequantize, RepeatsTheScalesOfFewChannelsOverLongRows) {
  constexpr int64_t kPixels = 1001;
  const std::vector<int8_t> stored(3 * kPixels, 1);
  std::vector<float> real(3 * kPixels);
  dequantize(by_scale({1, 2, 3}, {}, 1), {kPixels, 3}, view(stored, HB_DNN_TENSOR_TYPE_S8, {3, 1}),
             view(real, HB_DNN_TENSOR_TYPE_F32, {12, 4}));
  for (std::size_t index = 0; index < real.size(); ++index) {
    ASSERT_EQ(real[index], static_cast<float>(1 + index % 3)) << "element " << index;
  }
}

TEST(Dequantize, GoesBackwardsThroughNegativeStrides) {
  const std::vector<int8_t> stored = {1, 2, 3};
  std::vector<float> real(3);
  ConstArrayView backwards = view(stored, HB_DNN_TENSOR_TYPE_S8, {-1});
  backwards.data += 2;
  dequantize(by_scale({1}), {3}, backwards, view(real, HB_DNN_TENSOR_TYPE_F32, {4}));
  EXPECT_EQ(real, (std::vector<float>{3, 2, 1}));
}

TEST(Dequantize, UnpacksFourBitElementsAcrossPieces) {
  constexpr int64_t kCount = 1501;  // odd, and more than two pieces
  const std::vector<uint8_t> stored((kCount + 1) / 2, 0x9F);
  std::vector<float> real(kCount);
  dequantize(by_scale({1}), {1, kCount}, view(stored, HB_DNN_TENSOR_TYPE_S4, {751, 1}),
             view(real, HB_DNN_TENSOR_TYPE_F32, {kCount * 4, 4}));
  for (std::size_t index = 0; index < real.size(); ++index) {
    ASSERT_EQ(real[index], index % 2 == 0 ? -1 : -7) << "element " << index;
  }
}

TEST(Dequantize, IsExactWhereFloatAloneWouldNotBe) {
  const std::vector<int32_t> stored = {16777217};  // 2^24 + 1 is no float
  std::vector<double> real(1);
  dequantize(by_scale({1}), {1}, view(stored, HB_DNN_TENSOR_TYPE_S32, {4}),
             view(real, HB_DNN_TENSOR_TYPE_F64, {8}));
  EXPECT_EQ(real[0], 16777217.0);
  // An 8-bit value, but a zero point that float cannot hold either.
  const std::vector<int8_t> one = {1};
  std::vector<float> narrow(1);
  dequantize(by_scale({1}, {-2147483647}), {1}, view(one, HB_DNN_TENSOR_TYPE_S8, {1}),
             view(narrow, HB_DNN_TENSOR_TYPE_F32, {4}));
  EXPECT_EQ(narrow[0], 2147483648.0F);
}

TEST(Dequantize, GivesTheElementsThemselvesWithoutQuantisation) {
  const std::vector<int8_t> stored = {-3, 4};
  std::vector<float> real(2);
  dequantize({}, {2}, view(stored, HB_DNN_TENSOR_TYPE_S8, {1}),
             view(real, HB_DNN_TENSOR_TYPE_F32, {4}));
  EXPECT_EQ(real, (std::vector<float>{-3, 4}));
}

TEST(Dequantize, TakesAScalarAndAnEmptyTensor) {
  const std::vector<int8_t> stored = {3};
  std::vector<float> real(1);
  dequantize(by_scale({2}), {}, view(stored, HB_DNN_TENSOR_TYPE_S8, {}),
             view(real, HB_DNN_TENSOR_TYPE_F32, {}));
  EXPECT_EQ(real[0], 6);
  dequantize(by_scale({5}), {2, 0}, view(stored, HB_DNN_TENSOR_TYPE_S8, {0, 1}),
             view(real, HB_DNN_TENSOR_TYPE_F32, {0, 4}));
  EXPECT_EQ(real[0], 6);
}

TEST(Dequantize, RefusesParametersThatDoNotFit) {
  EXPECT_EQ(message_of(by_scale({1, 2}, {}, 1), {3, 2}), "no error");
  EXPECT_NE(message_of(by_scale({}), {2}).find("without a scale"), std::string::npos);
  EXPECT_NE(message_of(by_scale({1, 2}, {}, -1), {2}).find("along axis -1"), std::string::npos);
  EXPECT_NE(message_of(by_scale({1, 2}, {}, 2), {2, 2}).find("axes 0 to 1"), std::string::npos);
  EXPECT_NE(message_of(by_scale({1, 2}, {}, 0), {3, 2}).find("[3, 2] has 3"), std::string::npos);
  EXPECT_NE(message_of(by_scale({1, 2}, {1, 2, 3}, 0), {2}).find("3 zero points"),
            std::string::npos);
}

TEST(Dequantize, RefusesTruthValues) {
  const std::vector<uint8_t> stored = {1};
  std::vector<float> real(1);
  EXPECT_THROW(dequantize(by_scale({1}), {1}, view(stored, HB_DNN_TENSOR_TYPE_BOOL8, {1}),
                          view(real, HB_DNN_TENSOR_TYPE_F32, {4})),
               Error);
}

// On a processor without a table of its own this compares one with itself.
TEST(Rows, AreTheSameOnEveryProcessor) {
  constexpr int64_t kCount = 1300;
  std::vector<float> real(kCount);
  std::vector<double> scales(kCount);
  std::vector<double> zero_points(kCount);
  for (std::size_t index = 0; index < real.size(); ++index) {
    const auto number = static_cast<uint32_t>(index) * 2654435761U;
    real[index] = static_cast<float>(static_cast<int32_t>(number)) / static_cast<float>(index + 1);
    scales[index] = static_cast<float>(number % 1000 + 1) / 777.0F;
    zero_points[index] = static_cast<double>(number % 301) - 150;
  }
  const std::vector<float> narrow_scales(scales.begin(), scales.end());
  const std::vector<float> narrow_zero_points(zero_points.begin(), zero_points.end());
  const RowTable& ours = rows_for_this_processor();
  const auto run = [&](RowFunction function, const auto& from, int64_t from_size, auto& to,
                       int64_t to_size) {
    QuantizationRows rows;
    rows.from = reinterpret_cast<const std::byte*>(from.data());
    rows.from_step = from_size;
    rows.to = reinterpret_cast<std::byte*>(to.data());
    rows.to_step = to_size;
    rows.count = kCount;
    rows.scales = scales.data();
    rows.zero_points = zero_points.data();
    rows.narrow_scales = narrow_scales.data();
    rows.narrow_zero_points = narrow_zero_points.data();
    rows.lowest = 0;  // in the range of every type
    rows.highest = 127;
    function(rows);
  };
  for (int32_t type = 0; type < HB_DNN_TENSOR_TYPE_BOOL8; ++type) {
    const int64_t size = storage_unit(type);
    std::vector<std::byte> stored(kCount * 8);
    std::vector<std::byte> stored_too(kCount * 8);
    const auto quantize_with = [&](const RowTable& table) {
      return table.quantization(HB_DNN_TENSOR_TYPE_F32, type).each_scale;
    };
    run(quantize_with(ours), real, 4, stored, size);
    run(quantize_with(rows_for_any_processor), real, 4, stored_too, size);
    EXPECT_EQ(stored, stored_too) << describe_data_type(type);
    for (const bool narrow : {false, true}) {
      std::vector<float> values(kCount);
      std::vector<float> values_too(kCount);
      const auto dequantize_with = [&](const RowTable& table) {
        return table.dequantization(type, HB_DNN_TENSOR_TYPE_F32, narrow).each_scale;
      };
      run(dequantize_with(ours), stored, size, values, 4);
      run(dequantize_with(rows_for_any_processor), stored, size, values_too, 4);
      EXPECT_EQ(values, values_too) << describe_data_type(type);
    }
  }
}

TEST(Half, GoesToDoubleAndBackUnchanged) {
  for (uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const Half half = {static_cast<uint16_t>(bits)};
    const double value = to_double(half);
    if ((bits & 0x7FFFU) > 0x7C00U) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(std::isnan(to_double(to_half(value)))) << bits;
    } else {
      ASSERT_EQ(to_half(value).bits, bits);
    }
  }
  EXPECT_EQ(to_double({0x0001}), 0x1p-24);
  EXPECT_EQ(to_double({0x3C00}), 1.0);
  EXPECT_EQ(to_double({0xFBFF}), -65504.0);
  EXPECT_EQ(to_double({0x7C00}), HUGE_VAL);
}

// Every pair of neighbours: their middle goes to the even one, what is beside it to the nearer one.
TEST(Half, RoundsHalfToEven) {
  for (uint16_t bits = 0; bits < 0x7BFF; ++bits) {
    const uint16_t next = static_cast<uint16_t>(bits + 1);
    const double middle = (to_double({bits}) + to_double({next})) / 2;
    ASSERT_EQ(to_half(middle).bits, bits % 2 == 0 ? bits : next) << bits;
    ASSERT_EQ(to_half(std::nextafter(middle, 0)).bits, bits);
    ASSERT_EQ(to_half(std::nextafter(-middle, -1e9)).bits, next | 0x8000);
  }
  EXPECT_EQ(to_half(65519.999).bits, 0x7BFF);
  EXPECT_EQ(to_half(65520).bits, 0x7C00);
  EXPECT_EQ(to_half(std::numeric_limits<double>::denorm_min()).bits, 0);
}

}  // namespace
}  // namespace hbm
