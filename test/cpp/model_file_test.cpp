// SPDX-License-Identifier: Apache-2.0
// The simulator's reader of model files takes good ones and refuses every damaged one.
#include "model_file/model_file.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "model_file/raw_bytes.hpp"
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
  ASSERT_EQ(file.models[0].calls.size(), 1U);
  EXPECT_EQ(file.models[0].calls[0].latency_us, 1234U);
  EXPECT_EQ(file.models[0].max_time_per_fc_us, 0U);
  EXPECT_EQ(file.models[0].outputs[0].shape, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(file.models[0].outputs[0].scales, (std::vector<float>{0.5F, 0.25F, 0.125F}));
  EXPECT_EQ(file.models[1].name, "second");
}

TEST(ModelFile, ErrorSaysWhere) {
  auto model = test::doubling_model();
  model.core_count = 5;
  try {
    static_cast<void>(read(test::file_of({test::doubling_model({4}, 0, "first"), model})));
    FAIL() << "it was not refused";
  } catch (const ModelFileError& error) {
    EXPECT_STREQ(error.reason, "corrupt");
    EXPECT_EQ(error.field, "models[1].core_count");
    ASSERT_TRUE(error.offset.has_value());
    EXPECT_EQ(error.what(), "byte " + std::to_string(*error.offset) +
                                ", models[1].core_count: 5 is outside 1..4");
  }
}

TEST(ModelFile, HasTheChecksumOfZlib) {
  std::string bytes;
  for (int size = 0; size < 40; ++size) {  // more and fewer than eight at a time
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    EXPECT_EQ(crc32(begin, bytes.size()), test::crc32(bytes)) << size;
    bytes += static_cast<char>(17 * size + 200);
  }
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
      ASSERT_THROW(static_cast<void>(read(damaged)), ModelFileError) << position;
    }
  }
}

TEST(ModelFile, GivesBackFunctionCalls) {
  auto model = test::doubling_model();
  model.core_count = 3;
  model.max_time_per_fc_us = 500;
  model.calls = {{"", 100}, {onnx_of(model), 200}, {"", 300}, {onnx_of(model), 400}};
  const std::string bytes = test::file_of({model, test::doubling_model({4}, 0, "b")}, "", "nash-m");
  const ModelFile file = read(bytes);
  EXPECT_EQ(file.march, "nash-m");
  EXPECT_EQ(file.models[0].core_count, 3U);
  EXPECT_EQ(file.models[0].max_time_per_fc_us, 500U);
  ASSERT_EQ(file.models[0].calls.size(), 4U);
  for (std::size_t index = 0; index < 4; ++index) {
    const CallSpec& call = file.models[0].calls[index];
    EXPECT_EQ(call.latency_us, 100 * (index + 1));
    EXPECT_EQ(bytes.substr(call.offset, call.size), model.calls[index].graph.substr(0, call.size));
    EXPECT_EQ(call.size, model.calls[index].graph.size());
    EXPECT_EQ(call.offset % 64, 0U);
  }
}

TEST(ModelFile, RefusesCallsThatCannotBe) {
  const auto why = [](uint32_t most, const std::vector<test::TinyCall>& calls) {
    auto model = test::doubling_model();
    model.max_time_per_fc_us = most;
    model.calls = calls;
    return why_refused(test::file_of({model}));
  };
  const std::string graph = test::onnx_of(test::doubling_model());
  EXPECT_NE(why(0, {{graph, 0}, {"", 1}}).find("without max_time_per_fc_us"), std::string::npos);
  EXPECT_NE(why(9, {{"", 1}, {"", 1}}).find("none of them has a graph"), std::string::npos);
  EXPECT_NE(why(0, {{graph, 60'000'001}}).find("latency_us: 60000001 is outside"),
            std::string::npos);
  EXPECT_NE(
      why(9, {{graph, 60'000'000}, {"", 1}}).find("models[0].latency_us: 60000001 is outside"),
      std::string::npos);
  EXPECT_NE(why(60'000'001, {{graph, 0}}).find("max_time_per_fc_us: 60000001 is outside"),
            std::string::npos);
  const std::vector<test::TinyCall> many(4096, {"", 1});
  EXPECT_NE(why(9, many).find("none of them has a graph"), std::string::npos);
  std::vector<test::TinyCall> too_many = many;
  too_many.push_back({graph, 0});
  EXPECT_NE(why(9, too_many).find("call_count: 4097 is outside 1..4096"), std::string::npos);
}

TEST(ModelFile, RefusesAFileOfAnotherVersion) {
  std::string old = test::file_of({test::doubling_model()});
  old[8] = 1;
  EXPECT_NE(why_refused(old).find("1 is older than this hbm_runtime reads (2)"), std::string::npos);
  old[8] = 3;
  EXPECT_NE(why_refused(old).find("3 is newer than this hbm_runtime reads (2)"), std::string::npos);
}

// ModelProto.graph (7) . initializer (5) or node (1) . attribute (5) . t (5), and the tensor.
TEST(ModelFile, RefusesAGraphThatNamesAnotherFile) {
  using test::proto::bytes;
  using test::proto::number;
  const std::string outside = bytes(13, bytes(1, "location") + bytes(2, "/etc/passwd"));
  const auto why = [](const std::string& graph) {
    auto model = test::doubling_model();
    model.calls = {{onnx_of(model) + graph, 0}};
    return why_refused(test::file_of({model}));
  };
  for (const std::string& tensor : {outside, number(14, 1), number(2, 1) + number(14, 1)}) {
    for (const std::string& graph :
         {bytes(7, bytes(5, tensor)), bytes(7, bytes(15, bytes(1, tensor))),
          bytes(7, bytes(1, bytes(5, bytes(5, tensor)))),
          bytes(7, bytes(1, bytes(5, bytes(6, bytes(5, tensor))))),
          bytes(25, bytes(7, bytes(5, bytes(10, tensor)))),
          bytes(20, bytes(1, bytes(5, tensor)))}) {
      EXPECT_NE(why(graph).find("another file"), std::string::npos);
    }
  }
  EXPECT_EQ(why(bytes(7, bytes(5, number(14, 0)))), "it was not refused");
}

TEST(ModelFile, RefusesAGraphThatIsNoProtobuf) {
  const auto why = [](const std::string& graph) {
    auto model = test::doubling_model();
    model.calls = {{graph, 0}};
    return why_refused(test::file_of({model}));
  };
  std::string nested;
  for (int depth = 0; depth < 60; ++depth) {  // each a node's attribute with a graph
    nested = test::proto::bytes(1, test::proto::bytes(5, test::proto::bytes(6, nested)));
  }
  EXPECT_NE(why(test::proto::bytes(7, nested)).find("nested"), std::string::npos);
  EXPECT_NE(why("\x3a\x05").find("it ends inside a field at byte 2"), std::string::npos);
  EXPECT_NE(why("\x3b").find("wire type"), std::string::npos);
  EXPECT_NE(why(std::string("\0\0", 2)).find("field number"), std::string::npos);
  EXPECT_NE(why(std::string(11, '\xff')).find("10 bytes"), std::string::npos);
  EXPECT_NE(why("\x12\x06ORTM..").find("it was not refused"), std::string::npos);
  EXPECT_NE(why("\x12\x06..ORTM").find("own format"), std::string::npos);
}

TEST(ModelFile, SaysWhichIsWhich) {
  EXPECT_NE(why_refused(std::string(4096, 'x')).find("hbm pack"), std::string::npos);
  EXPECT_NE(why_refused("").find("empty"), std::string::npos);
  const std::string whole = test::file_of({test::doubling_model()});
  EXPECT_NE(why_refused(whole.substr(0, whole.size() - 1)).find("truncated"), std::string::npos);
}

TEST(ModelFile, RefusesStridesThatOverlap) {
  auto model = test::doubling_model({1, 4, 4});
  model.inputs[0].strides = {64, 8, 4};
  EXPECT_NE(why_refused(test::file_of({model}))
                .find("strides: [64, 8, 4]: 8 of axis 1 is below the 16 inside it"),
            std::string::npos);
}

TEST(ModelFile, RefusesAnOutputWhoseStridesNobodyWouldFillIn) {
  auto model = test::doubling_model({1, 4, 4});
  model.outputs[0].strides = {-1, 16, 4};
  model.outputs[0].aligned_byte_size = 64;
  EXPECT_NE(
      why_refused(test::file_of({model})).find("an output with a fixed shape has fixed strides"),
      std::string::npos);
}

TEST(ModelFile, RefusesAnAlignedSizeBelowTheContent) {
  auto model = test::doubling_model({1, 4});
  model.inputs[0].aligned_byte_size = 15;
  EXPECT_NE(why_refused(test::file_of({model})).find("aligned_byte_size: 15 is outside 16.."),
            std::string::npos);
}

TEST(ModelFile, RefusesScalesThatDoNotFitTheAxis) {
  auto model = quantized_model();
  model.outputs[0].scales.pop_back();
  EXPECT_NE(why_refused(test::file_of({model})).find("scale_count: 2, expected 3"),
            std::string::npos);
}

TEST(ModelFile, RefusesScalesThatAreNoPositiveNumbers) {
  for (const float scale : {0.0F, -1.0F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    auto model = quantized_model();
    model.outputs[0].scales[1] = scale;
    EXPECT_NE(why_refused(test::file_of({model})).find("scale: each must be finite and above 0"),
              std::string::npos)
        << scale;
  }
}

TEST(ModelFile, RefusesSizesNobodyCouldAllocate) {
  auto model = test::doubling_model({1, 4});
  model.outputs[0].aligned_byte_size = (int64_t{1} << 40U) + 1;
  EXPECT_NE(why_refused(test::file_of({model})).find("aligned_byte_size: 1099511627777 is outside"),
            std::string::npos);
  model = test::doubling_model({2, 4});
  model.inputs[0].strides = {(int64_t{1} << 40U) + 1, 4};
  EXPECT_NE(why_refused(test::file_of({model})).find("each must be -1 or 1..1099511627776"),
            std::string::npos);
}

TEST(ModelFile, RefusesTextThatIsNotUtf8) {
  const std::vector<std::pair<const char*, const char*>> texts = {
      {"\xff", "invalid start byte"},
      {"\xc0\x80", "invalid start byte"},
      {"\xed\xa0\x80", "invalid continuation byte"},
      {"\xf4\x90\x80\x80", "invalid continuation byte"},
      {"\xe0\x80\x80", "invalid continuation byte"},
      {"\xf0\x80\x80\x80", "invalid continuation byte"},
      {"\xe2\x82", "unexpected end of data"}};
  for (const auto& [text, why] : texts) {
    auto model = test::doubling_model();
    model.description = text;
    EXPECT_NE(why_refused(test::file_of({model})).find(std::string("is not UTF-8 (") + why),
              std::string::npos)
        << why;
  }
  auto model = test::doubling_model();
  model.description = "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf";
  EXPECT_EQ(read(test::file_of({model})).models[0].description, model.description);
}

TEST(ModelFile, RefusesAModelNameThatComesTwice) {
  const auto model = test::doubling_model();
  EXPECT_NE(
      why_refused(test::file_of({model, model})).find("models[1].name: 'doubling' is there twice"),
      std::string::npos);
}

}  // namespace
}  // namespace hbm::simulator
