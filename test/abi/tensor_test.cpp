// SPDX-License-Identifier: Apache-2.0
// Which tensors the accelerator takes: shapes, strides, addresses, padding, dynamic sizes.
#include "fixture.hpp"

namespace hbm::test {
namespace {

class Tensors : public WithEngine {};

// Input properties of a plane with the caller's pitch filled in.
hbDNNTensorProperties plane_properties(hbDNNHandle_t model, int64_t pitch) {
  auto properties = Call::properties(model, true);
  const int64_t height = properties.validShape.dimensionSize[1];
  properties.stride[1] = pitch;
  properties.stride[0] = (pitch * height + 63) / 64 * 64;
  properties.alignedByteSize = properties.stride[0];
  return properties;
}

TEST_F(Tensors, OfNv12PlanesHaveAPitchOfTheCallers) {
  const Packed packed({plane_model(4, 10)});
  const hbDNNHandle_t model = packed.model("plane");
  const auto reported = Call::properties(model, true);
  EXPECT_EQ(reported.stride[0], -1);
  EXPECT_EQ(reported.stride[1], -1);
  EXPECT_EQ(reported.alignedByteSize, -1);
  Call call(model, plane_properties(model, 64));
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 10; ++column) {
      call.in<uint8_t>()[row * 64 + column] = static_cast<uint8_t>(row * 10 + column);
    }
  }
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  for (int index = 0; index < 40; ++index) EXPECT_EQ(call.out<uint8_t>()[index], index);
}

TEST_F(Tensors, AreRefusedWithAPitchThatIsMissingUnalignedOrTooSmall) {
  const Packed packed({plane_model(4, 100)});
  const hbDNNHandle_t model = packed.model("plane");
  for (const int64_t pitch : {-1, 0, 64, 100, 127}) {
    auto properties = plane_properties(model, 128);
    properties.stride[1] = pitch;
    Call call(model, properties);
    EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT) << pitch;
  }
}

TEST_F(Tensors, AreRefusedWithAnotherShapeOrType) {
  const Packed packed({doubling_model()});
  const hbDNNHandle_t model = packed.model("doubling");
  Call call(model);
  call.input().properties.validShape.numDimensions = 3;
  EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
  call.input().properties = Call::properties(model, true);
  call.input().properties.validShape.dimensionSize[1] = 5;
  EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
  call.input().properties = Call::properties(model, true);
  call.input().properties.tensorType = HB_DNN_TENSOR_TYPE_S32;
  EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
}

TEST_F(Tensors, AreRefusedOutsideDeviceMemory) {
  const Packed packed({doubling_model()});
  const hbDNNHandle_t model = packed.model("doubling");
  alignas(64) float on_the_stack[64] = {};
  Call call(model);
  const hbUCPSysMem own = call.input().sysMem;
  for (void* address : {static_cast<void*>(nullptr), static_cast<void*>(on_the_stack),
                        static_cast<void*>(call.in<char>() + 4)}) {
    call.input().sysMem.virAddr = address;
    EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
  }
  call.input().sysMem = own;
  call.output().sysMem.virAddr = on_the_stack;
  EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
}

TEST_F(Tensors, OfPaddedModelsAreTakenPaddedAndDense) {
  auto padded = doubling_model({2, 3});
  padded.inputs[0].strides = {32, 4};
  padded.outputs[0].strides = {32, 4};
  const Packed packed({padded});
  const hbDNNHandle_t model = packed.model("doubling");
  for (const int64_t pitch : {32, 12}) {
    Call call(model);
    call.input().properties.stride[0] = pitch;
    for (int row = 0; row < 2; ++row) {
      for (int column = 0; column < 3; ++column) {
        call.in<float>()[row * pitch / 4 + column] = static_cast<float>(10 * row + column);
      }
    }
    ASSERT_EQ(call.infer(), 0);
    ASSERT_EQ(call.submit(), 0);
    ASSERT_EQ(call.wait(), 0);
    EXPECT_EQ(call.out<float>()[2], 4);
    EXPECT_EQ(call.out<float>()[8], 20) << "the second row of the output is 32 bytes on";
  }
  Call call(model);
  call.input().properties.stride[0] = 64;
  EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT) << "neither the model's strides nor dense";
}

TEST_F(Tensors, WithADynamicDimensionReportWhatWasProduced) {
  auto model = doubling_model({-1, 4});
  model.inputs[0].strides = {-1, 4};
  model.inputs[0].aligned_byte_size = -1;
  model.outputs[0].strides = {-1, 4};
  model.outputs[0].aligned_byte_size = 1024;  // room for the largest
  const Packed packed({model});
  const hbDNNHandle_t handle = packed.model("doubling");
  auto properties = Call::properties(handle, true);
  EXPECT_EQ(properties.validShape.dimensionSize[0], -1);
  properties.validShape.dimensionSize[0] = 3;
  properties.stride[0] = 64;
  properties.alignedByteSize = 192;
  Call call(handle, properties);
  for (int row = 0; row < 3; ++row) call.in<float>()[row * 16 + 1] = static_cast<float>(row + 1);
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  hbDNNTensorProperties produced{};
  ASSERT_EQ(hbDNNGetTaskOutputTensorProperties(&produced, call.task(), 0, 0), 0);
  EXPECT_EQ(produced.validShape.dimensionSize[0], 3);
  EXPECT_EQ(produced.stride[0], 16);
  EXPECT_EQ(call.out<float>()[9], 6);
}

TEST_F(Tensors, WithADynamicDimensionFailWhenTheOutputHasNoRoom) {
  auto model = doubling_model({-1, 4});
  model.inputs[0].strides = {-1, 4};
  model.inputs[0].aligned_byte_size = -1;
  model.outputs[0].strides = {-1, 4};
  model.outputs[0].aligned_byte_size = 16;
  const Packed packed({model});
  const hbDNNHandle_t handle = packed.model("doubling");
  auto properties = Call::properties(handle, true);
  properties.validShape.dimensionSize[0] = 3;
  properties.stride[0] = 64;
  properties.alignedByteSize = 192;
  Call call(handle, properties);
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(call.wait(), HB_UCP_TASK_RUN_FAILED);
}

}  // namespace
}  // namespace hbm::test
