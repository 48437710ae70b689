// SPDX-License-Identifier: Apache-2.0
// Loading models and reading their metadata through the ABI.
#include "fixture.hpp"

namespace hbm::test {
namespace {

class Models : public WithEngine {};

std::vector<std::string> names_of(hbDNNPackedHandle_t packed) {
  const char** names = nullptr;
  int32_t count = 0;
  EXPECT_EQ(hbDNNGetModelNameList(&names, &count, packed), 0);
  return {names, names + count};
}

TEST_F(Models, ComeInTheFilesOrder) {
  const Packed packed({doubling_model({1, 4}, 0, "b"), doubling_model({1, 4}, 0, "a")});
  EXPECT_EQ(names_of(packed.get()), (std::vector<std::string>{"b", "a"}));
}

TEST_F(Models, WithTheSameNameInASecondFileAreDropped) {
  const std::string first = file_of({doubling_model({1, 4}, 0, "same")}, "first");
  const std::string second = file_of({doubling_model({1, 8}, 0, "same")}, "second");
  const void* data[] = {first.data(), second.data()};
  int32_t lengths[] = {static_cast<int32_t>(first.size()), static_cast<int32_t>(second.size())};
  hbDNNPackedHandle_t packed = nullptr;
  ASSERT_EQ(hbDNNInitializeFromDDR(&packed, data, lengths, 2), 0);
  EXPECT_EQ(names_of(packed), std::vector<std::string>{"same"});
  const char* text = nullptr;
  uint32_t size = 0;
  int32_t type = 0;
  ASSERT_EQ(hbDNNGetHBMDesc(&text, &size, &type, packed, 1), 0);
  EXPECT_EQ(std::string(text, size), "second") << "file descriptions still count files";
  EXPECT_EQ(hbDNNRelease(packed), 0);
}

TEST_F(Models, TellTheirTensors) {
  auto model = doubling_model({1, 2, 3});
  model.inputs[0].strides = {64, 32, 4};
  model.inputs[0].aligned_byte_size = 128;
  model.inputs[0].description = std::string("in\0put", 6);
  const Packed packed({model});
  const hbDNNHandle_t handle = packed.model("doubling");
  int32_t count = 0;
  EXPECT_EQ(hbDNNGetInputCount(&count, handle), 0);
  EXPECT_EQ(count, 1);
  const char* name = nullptr;
  EXPECT_EQ(hbDNNGetOutputName(&name, handle, 0), 0);
  EXPECT_STREQ(name, "y");
  const auto properties = Call::properties(handle, true);
  EXPECT_EQ(properties.validShape.numDimensions, 3);
  EXPECT_EQ(properties.validShape.dimensionSize[2], 3);
  EXPECT_EQ(properties.stride[1], 32);
  EXPECT_EQ(properties.alignedByteSize, 128);
  EXPECT_EQ(properties.quantiType, HB_DNN_QUANTI_NONE);
  const char* text = nullptr;
  uint32_t size = 0;
  int32_t type = -1;
  EXPECT_EQ(hbDNNGetInputDesc(&text, &size, &type, handle, 0), 0);
  EXPECT_EQ(std::string(text, size), model.inputs[0].description);
  EXPECT_EQ(type, HB_DNN_DESC_TYPE_STRING);
}

TEST_F(Models, RefuseIndicesNamesAndHandlesThatAreNotTheirs) {
  const Packed packed({doubling_model()});
  const hbDNNHandle_t handle = packed.model("doubling");
  const char* name = nullptr;
  EXPECT_EQ(hbDNNGetInputName(&name, handle, 1), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNGetInputName(&name, handle, -1), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNGetInputName(nullptr, handle, 0), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNGetInputName(&name, nullptr, 0), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNGetInputName(&name, packed.get(), 0), HB_UCP_INVALID_ARGUMENT);
  hbDNNHandle_t none = nullptr;
  EXPECT_NE(hbDNNGetModelHandle(&none, packed.get(), "unknown"), HB_UCP_SUCCESS);
}

TEST_F(Models, DieWithTheirPackedHandle) {
  hbDNNHandle_t handle = nullptr;
  hbDNNPackedHandle_t stale = nullptr;
  {
    const Packed packed({doubling_model()});
    handle = packed.model("doubling");
    stale = packed.get();
  }
  int32_t count = 0;
  EXPECT_EQ(hbDNNGetInputCount(&count, handle), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNRelease(stale), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNRelease(nullptr), HB_UCP_INVALID_ARGUMENT);
}

TEST_F(Models, CannotBeReleasedWhileTheyRun) {
  const auto packed =
      std::make_unique<Packed>(std::vector<TinyModel>{doubling_model({1, 4}, 200000)});
  Call call(packed->model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(hbDNNRelease(packed->get()), HB_UCP_MODEL_IS_INUSE);
  EXPECT_EQ(call.wait(), 0);
}

int32_t status_of(const std::string& bytes) {
  hbDNNPackedHandle_t packed = nullptr;
  const void* data = bytes.data();
  auto length = static_cast<int32_t>(bytes.size());
  return hbDNNInitializeFromDDR(&packed, &data, &length, 1);
}

TEST_F(Models, AreRefusedWhenTheFileIsNotOurs) {
  EXPECT_EQ(status_of(std::string(1000, 'x')), HB_UCP_MODEL_INVALID);
}

TEST_F(Models, AreRefusedWhenTheGraphDiffersFromTheMetadata) {
  auto model = doubling_model({1, 4});
  model.data_type = HB_DNN_TENSOR_TYPE_S32;  // in the metadata only
  EXPECT_EQ(status_of(file_of({model})), HB_UCP_MODEL_INVALID);
}

TEST_F(Models, WhoseGraphGivesAnotherShapeThanItSaysFailToRun) {
  auto model = doubling_model({1, 4});
  model.outputs[0].shape = {1, 5};
  const Packed packed({model});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(call.wait(), HB_UCP_TASK_RUN_FAILED);
}

TEST(ModelFiles, ThatCannotBeOpenedHaveAStatusOfTheirOwn) {
  hbDNNPackedHandle_t packed = nullptr;
  const char* missing = "/nonexistent/model.hbm";
  EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &missing, 1), HB_UCP_FILE_OPEN_FAILED);
  const char* folder = "/";
  EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &folder, 1), HB_UCP_FILE_OPEN_FAILED);
  EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &missing, 0), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNInitializeFromFiles(nullptr, &missing, 1), HB_UCP_INVALID_ARGUMENT);
  const char* nothing = nullptr;
  EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &nothing, 1), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(packed, nullptr);
}

}  // namespace
}  // namespace hbm::test
