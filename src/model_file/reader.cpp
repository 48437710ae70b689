// SPDX-License-Identifier: Apache-2.0
// The reader: every count and size is checked before it is used, every checksum counts.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "hb_dnn.h"
#include "model_file/format.hpp"
#include "model_file/graph_bytes.hpp"
#include "model_file/model_file.hpp"
#include "model_file/raw_bytes.hpp"
#include "model_file/rules.hpp"

namespace hbm::simulator {
namespace {

[[noreturn]] void fail(uint64_t at, const std::string& field, const std::string& text,
                       const char* reason = "corrupt") {
  throw ModelFileError(at, field, text, reason);
}

class MemoryBytes final : public FileBytes {
 public:
  MemoryBytes(const std::byte* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  [[nodiscard]] uint64_t size() const override { return size_; }
  [[nodiscard]] const std::byte* read(uint64_t offset, std::size_t) override {
    return bytes_ + offset;
  }

 private:
  const std::byte* bytes_;
  std::size_t size_;
};

// Reads fields one after the other, never past the end, and knows where each began in the file.
class Cursor {
 public:
  Cursor(const std::byte* bytes, std::size_t size, std::size_t base)
      : bytes_(bytes), size_(size), base_(base) {}

  // From here on the fields are those of a model or tensor, e.g. "models[0].".
  void enter(const std::string& scope) {
    scope_ = scope;
    starts_.clear();
  }

  [[nodiscard]] std::size_t at() const noexcept { return base_ + position_; }
  [[nodiscard]] bool at_end() const noexcept { return position_ == size_; }
  [[nodiscard]] const std::string& scope() const noexcept { return scope_; }

  // A field begins here, or so many bytes on.
  void note(const std::string& field, std::size_t ahead = 0) {
    starts_.emplace(field, at() + ahead);
  }

  [[noreturn]] void refuse(const std::string& field, const std::string& text) const {
    const auto found = starts_.find(field);
    fail(found == starts_.end() ? at() : found->second, scope_ + field, text);
  }

  const std::byte* take(const std::string& field, std::size_t count, std::size_t unit = 1) {
    const std::size_t left = size_ - position_;
    if (count > left / unit) {
      fail(at(), scope_ + field,
           "needs " + std::to_string(count * unit) + " bytes, the metadata has " +
               std::to_string(left) + " left");
    }
    note(field);
    const std::byte* taken = bytes_ + position_;
    position_ += count * unit;
    return taken;
  }

  // The machine and the file are both little-endian.
  template <typename Number>
  [[nodiscard]] std::vector<Number> numbers(const std::string& field, std::size_t count) {
    const std::byte* raw = take(field, count, sizeof(Number));
    std::vector<Number> values(count);
    if (count > 0) std::memcpy(values.data(), raw, count * sizeof(Number));
    return values;
  }

  template <typename Number>
  [[nodiscard]] Number number(const std::string& field) {
    Number value;
    std::memcpy(&value, take(field, sizeof(Number)), sizeof(Number));
    return value;
  }

  [[nodiscard]] uint32_t count(const std::string& field, uint32_t low, uint32_t high) {
    const auto value = number<uint32_t>(field);
    if (value < low || value > high) refuse(field, outside(value, low, high));
    return value;
  }

  [[nodiscard]] std::string text(const std::string& field, uint32_t low, uint32_t high) {
    note(field);
    const std::size_t size = count(field + ".length", low, high);
    const auto* begin = reinterpret_cast<const char*>(take(field, size));
    if (const char* why = utf8_problem(begin, size)) {
      refuse(field, std::string("is not UTF-8 (") + why + ")");
    }
    return {begin, size};
  }

  // A name that none of `others` is; it becomes one of them.
  [[nodiscard]] std::string name(std::set<std::string>& others) {
    std::string name = text("name", 1, kMaxNameSize);
    if (name.find('\0') != std::string::npos) {
      refuse("name", "must have at least one character and no NUL");
    }
    if (others.insert(name).second) return name;
    std::replace_if(
        name.begin(), name.end(), [](char sign) { return sign >= 0 && sign < ' '; }, '?');
    refuse("name", "'" + name + "' is there twice");
  }

 private:
  const std::byte* bytes_;
  std::size_t size_;
  std::size_t base_;
  std::size_t position_ = 0;
  std::string scope_;
  std::map<std::string, std::size_t> starts_;
};

TensorSpec read_tensor(Cursor& cursor, bool is_input, std::set<std::string>& others) {
  TensorSpec tensor;
  tensor.name = cursor.name(others);
  tensor.description = cursor.text("description", 0, kMaxDescriptionSize);
  tensor.data_type = static_cast<int32_t>(cursor.count("data_type", 0, HB_DNN_TENSOR_TYPE_MAX - 1));
  const std::size_t rank = cursor.count("rank", 1, HB_DNN_TENSOR_MAX_DIMENSIONS);
  const auto shape = cursor.numbers<int32_t>("shape", rank);
  tensor.shape.assign(shape.begin(), shape.end());
  tensor.strides = cursor.numbers<int64_t>("strides", rank);
  tensor.aligned_byte_size = cursor.number<int64_t>("aligned_byte_size");
  tensor.quanti_type = cursor.count("quanti_type", HB_DNN_QUANTI_NONE, HB_DNN_QUANTI_SCALE);
  tensor.quantize_axis = cursor.number<int32_t>("quantize_axis");
  tensor.scales = cursor.numbers<float>("scale", cursor.count("scale_count", 0, kMaxScales));
  tensor.zero_points =
      cursor.numbers<int32_t>("zero_point", cursor.count("zero_point_count", 0, kMaxScales));
  check_tensor(tensor, is_input, [&cursor](const std::string& field, const std::string& text) {
    cursor.refuse(field, text);
  });
  return tensor;
}

std::vector<TensorSpec> read_tensors(Cursor& cursor, const std::string& model, bool is_input) {
  const std::string kind = is_input ? "input" : "output";
  cursor.enter(model);
  const std::size_t count = cursor.count(kind + "_count", 1, kMaxTensors);
  std::vector<TensorSpec> tensors;
  std::set<std::string> names;
  for (std::size_t index = 0; index < count; ++index) {
    cursor.enter(model + kind + "s[" + std::to_string(index) + "].");
    tensors.push_back(read_tensor(cursor, is_input, names));
  }
  return tensors;
}

CallSpec read_call(Cursor& cursor, const std::string& field) {
  cursor.note(field + ".latency_us", 20);
  const std::byte* raw = cursor.take(field, kCallSize);
  CallSpec call;
  std::memcpy(&call.offset, raw, sizeof(call.offset));
  std::memcpy(&call.size, raw + 8, sizeof(call.size));
  std::memcpy(&call.crc32, raw + 16, sizeof(call.crc32));
  std::memcpy(&call.latency_us, raw + 20, sizeof(call.latency_us));
  return call;
}

ModelSpec read_model(Cursor& cursor, std::set<std::string>& others, std::size_t& calls_at) {
  ModelSpec model;
  model.name = cursor.name(others);
  model.description = cursor.text("description", 0, kMaxDescriptionSize);
  model.core_count = cursor.count("core_count", 1, kMaxCores);
  model.max_time_per_fc_us = cursor.count("max_time_per_fc_us", 0, kMaxLatencyUs);
  const std::size_t count = cursor.count("call_count", 1, kMaxCalls);
  calls_at = cursor.at();
  cursor.note("calls");
  cursor.note("latency_us");
  for (std::size_t index = 0; index < count; ++index) {
    model.calls.push_back(read_call(cursor, "calls[" + std::to_string(index) + "]"));
  }
  check_calls(model, [&cursor](const std::string& field, const std::string& text) {
    cursor.refuse(field, text);
  });
  const std::string scope = cursor.scope();
  model.inputs = read_tensors(cursor, scope, true);
  model.outputs = read_tensors(cursor, scope, false);
  return model;
}

// `calls_at` gets where the calls of each model are described.
ModelFile read_metadata(Cursor& cursor, std::vector<std::size_t>& calls_at) {
  ModelFile file;
  file.description = cursor.text("file_description", 0, kMaxDescriptionSize);
  file.march = cursor.text("march", 0, kMaxNameSize);
  calls_at.resize(cursor.count("model_count", 1, kMaxModels));
  std::set<std::string> names;
  for (std::size_t index = 0; index < calls_at.size(); ++index) {
    cursor.enter("models[" + std::to_string(index) + "].");
    file.models.push_back(read_model(cursor, names, calls_at[index]));
  }
  if (!cursor.at_end()) fail(cursor.at(), "metadata", "has bytes after the last model");
  return file;
}

std::string hex(uint32_t number) {
  std::array<char, 11> text{};
  std::snprintf(text.data(), text.size(), "0x%x", number);
  return text.data();
}

std::string too_large(uint64_t size, uint64_t most) {
  return std::to_string(size) + " is more than the file holds or the " + std::to_string(most) +
         " allowed";
}

// Checks a call's graph and returns its end. `at` is where the file describes the call, `end` where
// what precedes the graph ends.
uint64_t check_graph(FileBytes& bytes, const CallSpec& call, const std::string& field,
                     std::size_t at, uint64_t end) {
  if (call.size == 0) {
    if (call.offset != 0 || call.crc32 != 0) {
      fail(at, field + ".offset",
           "is " + std::to_string(call.offset) + " with the checksum " + hex(call.crc32) +
               ": both are 0 of no graph");
    }
    return end;
  }
  const uint64_t begin = graph_aligned(end);
  if (call.offset != begin) {
    fail(at, field + ".offset",
         "is " + std::to_string(call.offset) + ", expected " + std::to_string(begin));
  }
  if (begin > bytes.size() || call.size > std::min(kMaxGraphSize, bytes.size() - begin)) {
    fail(at + 8, field + ".size", too_large(call.size, kMaxGraphSize));
  }
  const auto gap = static_cast<std::size_t>(begin - end);
  const std::byte* padding = bytes.read(end, gap);
  if (std::any_of(padding, padding + gap, [](std::byte byte) { return byte != std::byte{0}; })) {
    fail(end, field + ".padding", "is not zero");
  }
  const auto size = static_cast<std::size_t>(call.size);
  const std::byte* graph = bytes.read_graph(begin, size);
  if (crc32(graph, size) != call.crc32) {
    fail(at + 16, field + ".crc32", "does not match the graph");
  }
  const std::string problem = graph_problem(graph, size);
  if (!problem.empty()) fail(begin, field + ".graph", problem);
  return begin + call.size;
}

void check_version(uint32_t version) {
  if (version == kFormatVersion) return;
  if (version == 0) fail(8, "format_version", "0 was never in use");
  const bool is_newer = version > kFormatVersion;
  fail(8, "format_version",
       std::to_string(version) + " is " + (is_newer ? "newer" : "older") +
           " than this hbm_runtime reads (" + std::to_string(kFormatVersion) + ");" +
           (is_newer ? " update hbm-runtime or pack the model again"
                     : " pack the model again with `hbm pack`"),
       is_newer ? "newer" : "older");
}

struct Header {
  uint32_t metadata_crc32;
  std::size_t metadata_size;
};

Header read_header(FileBytes& bytes) {
  const uint64_t actual = bytes.size();
  if (actual == 0) {
    throw ModelFileError("is empty (0 bytes); pack the model again", "empty");
  }
  const auto size = static_cast<std::size_t>(std::min<uint64_t>(actual, kHeaderSize));
  const std::byte* raw = bytes.read(0, size);
  if (std::memcmp(raw, kMagic.data(), std::min(size, kMagic.size())) != 0) {
    throw ModelFileError(
        "is not a simulator model file; if it was compiled by the vendor's toolchain it runs on a"
        " board only; for the simulator pack the ONNX model with `hbm pack`",
        "foreign");
  }
  if (size < kHeaderSize) {
    throw ModelFileError("is truncated: it ends at byte " + std::to_string(size) +
                             ", inside the 32-byte header; copy or pack it again",
                         "truncated");
  }
  Cursor cursor(raw + kMagic.size(), kHeaderSize - kMagic.size(), kMagic.size());
  check_version(cursor.number<uint32_t>("format_version"));
  Header header{};
  header.metadata_crc32 = cursor.number<uint32_t>("metadata_crc32");
  const auto file_size = cursor.number<uint64_t>("file_size");
  const std::string sizes = "is " + std::to_string(file_size) + " but the file has " +
                            std::to_string(actual) + " bytes: ";
  if (file_size > actual) {
    fail(16, "file_size", sizes + "truncated, copy or pack it again", "truncated");
  }
  if (file_size != actual) fail(16, "file_size", sizes + "bytes were added");
  const auto metadata_size = cursor.number<uint64_t>("metadata_size");
  if (metadata_size > std::min(kMaxMetadataSize, file_size - kHeaderSize)) {
    fail(24, "metadata_size", too_large(metadata_size, kMaxMetadataSize));
  }
  header.metadata_size = static_cast<std::size_t>(metadata_size);
  return header;
}

}  // namespace

ModelFile read_model_file(FileBytes& bytes) {
  const Header header = read_header(bytes);
  const std::byte* metadata = bytes.read(kHeaderSize, header.metadata_size);
  if (crc32(metadata, header.metadata_size) != header.metadata_crc32) {
    fail(12, "metadata_crc32", "does not match the metadata");
  }
  Cursor cursor(metadata, header.metadata_size, kHeaderSize);
  std::vector<std::size_t> calls_at;
  ModelFile file = read_metadata(cursor, calls_at);
  uint64_t end = kHeaderSize + header.metadata_size;
  for (std::size_t index = 0; index < file.models.size(); ++index) {
    const std::vector<CallSpec>& calls = file.models[index].calls;
    for (std::size_t number = 0; number < calls.size(); ++number) {
      const std::string field =
          "models[" + std::to_string(index) + "].calls[" + std::to_string(number) + "]";
      end = check_graph(bytes, calls[number], field, calls_at[index] + number * kCallSize, end);
    }
  }
  if (end != bytes.size()) {
    fail(end, "graphs", "end here, but the file goes on to byte " + std::to_string(bytes.size()));
  }
  return file;
}

ModelFile read_model_file(const std::byte* bytes, std::size_t size) {
  MemoryBytes memory(bytes, size);
  return read_model_file(memory);
}

}  // namespace hbm::simulator
