// SPDX-License-Identifier: Apache-2.0
// Copies between byte-strided layouts keep every element and touch nothing else.
#include "abi/strided_copy.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace hbm {
namespace {

std::vector<std::byte> counting(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t index = 0; index < size; ++index) bytes[index] = std::byte(index + 1);
  return bytes;
}

TEST(DenseStrides, StepOverInnerDimensions) {
  EXPECT_EQ(dense_strides({2, 3, 4}, 2), (Extents{24, 8, 2}));
  EXPECT_EQ(dense_strides({}, 4), Extents{});
}

TEST(IsDense, IgnoresTheStrideOfDimensionsOfOne) {
  EXPECT_TRUE(is_dense({1, 2, 3}, {999, 6, 2}, 2));
  EXPECT_FALSE(is_dense({2, 2, 3}, {16, 6, 2}, 2));
}

TEST(StridedCopy, PadsRowsAndLeavesThePaddingAlone) {
  const auto from = counting(6);
  std::vector<std::byte> to(8, std::byte{0});
  strided_copy(to.data(), {4, 1}, from.data(), {3, 1}, {2, 3}, 1);
  const std::vector<std::byte> expected = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{0},
                                           std::byte{4}, std::byte{5}, std::byte{6}, std::byte{0}};
  EXPECT_EQ(to, expected);
}

TEST(StridedCopy, ReadsTransposedAndReversedViews) {
  const auto from = counting(6);  // 2 x 3
  std::vector<std::byte> to(6);
  strided_copy(to.data(), {2, 1}, from.data(), {1, 3}, {3, 2}, 1);  // its transpose
  EXPECT_EQ(to[1], std::byte{4});
  EXPECT_EQ(to[2], std::byte{2});
  strided_copy(to.data(), {1}, from.data() + 5, {-1}, {6}, 1);  // backwards
  EXPECT_EQ(to.front(), std::byte{6});
  EXPECT_EQ(to.back(), std::byte{1});
}

TEST(StridedCopy, CopiesWholeElements) {
  const std::vector<int32_t> from = {1, 2, 3, 4};
  std::vector<int32_t> to(4);
  strided_copy(reinterpret_cast<std::byte*>(to.data()), {4, 8},
               reinterpret_cast<const std::byte*>(from.data()), {8, 4}, {2, 2}, 4);
  EXPECT_EQ(to, (std::vector<int32_t>{1, 3, 2, 4}));
}

TEST(StridedCopy, DoesNothingForAnEmptyTensor) {
  std::byte untouched{7};
  strided_copy(&untouched, {1, 5}, &untouched, {1, 9}, {0, 1}, 1);
  EXPECT_EQ(untouched, std::byte{7});
}

}  // namespace
}  // namespace hbm
