// SPDX-License-Identifier: Apache-2.0
// Strides and sizes in device memory: dynamic ones are filled in as the boards want them.
#include "core/tensors/layout.hpp"

#include <gtest/gtest.h>

#include "core/board/error.hpp"

namespace hbm {
namespace {

TensorInfo tensor(int32_t data_type, Extents shape, Extents strides, int64_t aligned) {
  TensorInfo info;
  info.name = "t";
  info.data_type = data_type;
  info.shape = std::move(shape);
  info.strides = std::move(strides);
  info.aligned_byte_size = aligned;
  return info;
}

TEST(InputLayout, FillsThePitchOfNv12PlanesToSixtyFourBytes) {
  const auto luma = tensor(HB_DNN_TENSOR_TYPE_U8, {1, 6, 100, 1}, {-1, -1, 1, 1}, -1);
  const Layout layout = input_layout(luma, luma.shape);
  EXPECT_EQ(layout.strides, (Extents{768, 128, 1, 1}));
  EXPECT_EQ(layout.byte_size, 768);
  const auto chroma = tensor(HB_DNN_TENSOR_TYPE_U8, {1, 3, 50, 2}, {-1, -1, 2, 1}, -1);
  EXPECT_EQ(input_layout(chroma, chroma.shape).strides, (Extents{384, 128, 2, 1}));
}

TEST(InputLayout, AllocatesTheAlignedSizeOfAStaticInput) {
  const auto info = tensor(HB_DNN_TENSOR_TYPE_F32, {1, 1000}, {4000, 4}, 4096);
  const Layout layout = input_layout(info, info.shape);
  EXPECT_EQ(layout.strides, (Extents{4000, 4}));
  EXPECT_EQ(layout.byte_size, 4096);
}

TEST(InputLayout, TakesADynamicDimensionFromTheArray) {
  const auto info = tensor(HB_DNN_TENSOR_TYPE_F32, {-1, 8}, {-1, 4}, -1);
  const Layout layout = input_layout(info, {5, 8});
  EXPECT_EQ(layout.strides, (Extents{64, 4}));
  EXPECT_EQ(layout.byte_size, 320);
}

TEST(InputLayout, RefusesASizeThatOverflows) {
  const auto info = tensor(HB_DNN_TENSOR_TYPE_F64, {-1, -1, -1}, {-1, -1, 8}, -1);
  EXPECT_THROW(static_cast<void>(input_layout(info, {INT32_MAX, INT32_MAX, INT32_MAX})), Error);
}

TEST(OutputLayout, KeepsPaddedRows) {
  const auto info =
      tensor(HB_DNN_TENSOR_TYPE_S32, {1, 84, 84, 255}, {7225344, 86016, 1024, 4}, 7225344);
  const Layout layout = output_layout(info, "m");
  EXPECT_EQ(layout.strides, info.strides);
  EXPECT_EQ(layout.byte_size, 7225344);
}

TEST(OutputLayout, RefusesAnAlignedSizeThatIsTooSmall) {
  const auto info = tensor(HB_DNN_TENSOR_TYPE_S32, {1, 4}, {16, 4}, 12);
  EXPECT_THROW(static_cast<void>(output_layout(info, "m")), Error);
}

TEST(StorageShape, PutsTwoFourBitElementsIntoAByte) {
  EXPECT_EQ(storage_shape({2, 8}, HB_DNN_TENSOR_TYPE_S4), (Extents{2, 4}));
  EXPECT_EQ(storage_shape({2, 8}, HB_DNN_TENSOR_TYPE_S8), (Extents{2, 8}));
}

}  // namespace
}  // namespace hbm
