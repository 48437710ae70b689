// SPDX-License-Identifier: Apache-2.0
// The simulator's reader of model files takes good ones and refuses every damaged one.
#include "simulator/model_file.hpp"

#include <gtest/gtest.h>

#include "tiny_model.hpp"

namespace hbm::simulator {
namespace {

ModelFile read(const std::string& bytes) {
  return read_model_file(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
}

std::string why_refused(const std::string& bytes) {
  try {
    static_cast<void>(read(bytes));
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "it was not refused";
}

test::TinyModel quantized_model() {
  auto model = test::doubling_model({1, 2, 3});
  model.outputs[0].scales = {0.5F, 0.25F, 0.125F};
  model.outputs[0].axis = 2;
  return model;
}

TEST(ModelFile, GivesBackWhatWasWritten) {
  auto model = quantized_model();
  model.description = std::string("a\0b", 3);
  model.latency_us = 1234;
  const ModelFile file =
      read(test::file_of({model, test::doubling_model({4}, 0, "second")}, "about the file"));
  EXPECT_EQ(file.description, "about the file");
  ASSERT_EQ(file.models.size(), 2U);
  EXPECT_EQ(file.models[0].description, model.description);
  EXPECT_EQ(file.models[0].latency_us, 1234U);
  EXPECT_EQ(file.models[0].outputs[0].shape, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(file.models[0].outputs[0].scales, (std::vector<float>{0.5F, 0.25F, 0.125F}));
  EXPECT_EQ(file.models[1].name, "second");
}

TEST(ModelFile, IsRefusedWhenCutAtAnyByte) {
  const std::string whole = test::file_of({quantized_model()});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_THROW(static_cast<void>(read(whole.substr(0, size))), ModelFileError) << size;
  }
}

TEST(ModelFile, IsRefusedWhenAnyBitOfHeaderMetadataOrGraphIsFlipped) {
  const std::string whole = test::file_of({quantized_model()});
  for (std::size_t position = 0; position < whole.size(); ++position) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[position] = static_cast<char>(damaged[position] ^ (1U << bit));
      try {
        // Only the zero bytes between metadata and graph may change without harm.
        static_cast<void>(read(damaged));
        ASSERT_EQ(whole[position], '\0') << position;
      } catch (const ModelFileError&) {
        continue;
      }
    }
  }
}

TEST(ModelFile, SaysWhichIsWhich) {
  EXPECT_NE(why_refused(std::string(4096, 'x')).find("hbm pack"), std::string::npos);
  EXPECT_NE(why_refused("").find("empty"), std::string::npos);
  const std::string whole = test::file_of({test::doubling_model()});
  EXPECT_NE(why_refused(whole.substr(0, whole.size() - 1)).find("cut off"), std::string::npos);
}

TEST(ModelFile, RefusesStridesThatOverlap) {
  auto model = test::doubling_model({1, 4, 4});
  model.inputs[0].strides = {64, 8, 4};
  EXPECT_NE(why_refused(test::file_of({model})).find("stride"), std::string::npos);
}

TEST(ModelFile, RefusesAnOutputWhoseStridesNobodyWouldFillIn) {
  auto model = test::doubling_model({1, 4, 4});
  model.outputs[0].strides = {-1, 16, 4};
  model.outputs[0].aligned_byte_size = 64;
  EXPECT_NE(why_refused(test::file_of({model})).find("stride is -1"), std::string::npos);
}

TEST(ModelFile, RefusesAnAlignedSizeBelowTheContent) {
  auto model = test::doubling_model({1, 4});
  model.inputs[0].aligned_byte_size = 15;
  EXPECT_NE(why_refused(test::file_of({model})).find("aligned size"), std::string::npos);
}

TEST(ModelFile, RefusesScalesThatDoNotFitTheAxis) {
  auto model = quantized_model();
  model.outputs[0].scales.pop_back();
  EXPECT_NE(why_refused(test::file_of({model})).find("scales"), std::string::npos);
}

TEST(ModelFile, RefusesAModelNameThatComesTwice) {
  const auto model = test::doubling_model();
  EXPECT_NE(why_refused(test::file_of({model, model})).find("comes twice"), std::string::npos);
}

}  // namespace
}  // namespace hbm::simulator
