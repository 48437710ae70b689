// SPDX-License-Identifier: Apache-2.0
// Reads the simulator's model file; every count and size is checked before it is used.
#include "model_file/model_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include "abi/data_types.hpp"
#include "model_file/graph_bytes.hpp"

namespace hbm::simulator {
namespace {

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'H', 'B', 'M', 'S', 'I', 'M', '\n'};
constexpr uint32_t kFormatVersion = 2;
constexpr std::size_t kHeaderSize = 32;
constexpr uint64_t kMaxMetadataSize = 64ULL << 20U;
constexpr uint32_t kMaxModels = 64;
constexpr uint32_t kMaxTensors = 64;
constexpr uint32_t kMaxNameSize = 255;
constexpr uint32_t kMaxDescriptionSize = 1U << 20U;
constexpr uint32_t kMaxCores = 4;
constexpr uint32_t kMaxCalls = 4096;
constexpr uint32_t kMaxLatencyUs = 60'000'000;  // of a call, and of a model's calls together
constexpr uint32_t kMaxScales = 65'536;
constexpr int64_t kMaxTensorSize = 1LL << 40U;
constexpr uint64_t kMaxGraphSize = (1ULL << 31U) - 1;  // a protobuf message holds no more
constexpr std::size_t kGraphAlignment = 64;

[[noreturn]] void fail(std::size_t offset, const std::string& what) {
  throw ModelFileError("byte " + std::to_string(offset) + ": " + what);
}

// CRC-32 as in zlib.
uint32_t crc32(const std::byte* bytes, std::size_t size) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t index = 0; index < 256; ++index) {
      uint32_t value = index;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
      }
      made[index] = value;
    }
    return made;
  }();
  uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t index = 0; index < size; ++index) {
    crc = table[(crc ^ static_cast<uint32_t>(bytes[index])) & 0xFFU] ^ (crc >> 8U);
  }
  return crc ^ 0xFFFFFFFFU;
}

// As Python decodes it: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(const std::byte* bytes, std::size_t size) {
  for (std::size_t at = 0; at < size;) {
    const auto lead = static_cast<uint32_t>(bytes[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || length > size - at) return false;
    uint32_t code = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t index = 1; index < length; ++index) {
      const auto byte = static_cast<uint32_t>(bytes[at + index]);
      if ((byte & 0xC0U) != 0x80U) return false;
      code = code << 6U | (byte & 0x3FU);
    }
    if (length == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) return false;
    if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return false;
    at += length;
  }
  return true;
}

class Reader {
 public:
  Reader(const std::byte* bytes, std::size_t begin, std::size_t end)
      : bytes_(bytes), position_(begin), end_(end) {}

  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] bool at_end() const noexcept { return position_ == end_; }

  // The machine and the file are both little-endian.
  template <typename Number>
  [[nodiscard]] Number number(const char* what) {
    need(sizeof(Number), what);
    Number value;
    std::memcpy(&value, bytes_ + position_, sizeof(Number));
    position_ += sizeof(Number);
    return value;
  }

  template <typename Number>
  [[nodiscard]] Number number(const char* what, Number lowest, Number highest) {
    const std::size_t start = position_;
    const auto value = number<Number>(what);
    if (value < lowest || value > highest) {
      fail(start, std::string(what) + " is " + std::to_string(value) + ", allowed are " +
                      std::to_string(lowest) + " to " + std::to_string(highest));
    }
    return value;
  }

  template <typename Number>
  [[nodiscard]] std::vector<Number> numbers(const char* what, std::size_t count) {
    need(count, what, sizeof(Number));
    std::vector<Number> values(count);
    if (count > 0) std::memcpy(values.data(), bytes_ + position_, count * sizeof(Number));
    position_ += count * sizeof(Number);
    return values;
  }

  [[nodiscard]] std::string text(const char* what, uint32_t longest) {
    const std::size_t start = position_;
    const auto size = number<uint32_t>(what, 0, longest);
    need(size, what);
    if (!is_utf8(bytes_ + position_, size)) fail(start, std::string(what) + " is not UTF-8");
    std::string value(reinterpret_cast<const char*>(bytes_ + position_), size);
    position_ += size;
    return value;
  }

  [[nodiscard]] std::string name(const char* what) {
    const std::size_t start = position_;
    std::string value = text(what, kMaxNameSize);
    if (value.empty()) fail(start, std::string(what) + " is empty");
    if (value.find('\0') != std::string::npos) fail(start, std::string(what) + " holds a NUL");
    return value;
  }

 private:
  void need(std::size_t count, const char* what, std::size_t unit = 1) const {
    if (count > (end_ - position_) / unit) {
      fail(position_, std::string("the file ends inside ") + what);
    }
  }

  const std::byte* bytes_;
  std::size_t position_;
  std::size_t end_;
};

using Refuse = const std::function<void(const char* why)>&;

void check_strides(const TensorSpec& tensor, const Extents& shape, Refuse refuse) {
  for (const int64_t stride : tensor.strides) {
    if (stride != -1 && (stride < 1 || stride > kMaxTensorSize)) {
      refuse("a stride is neither -1 nor 1 to 2^40");
    }
  }
  if (tensor.strides.back() < storage_unit(tensor.data_type)) {
    refuse("the last stride is smaller than an element");
  }
  for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) {
    const int64_t inner_stride = tensor.strides[axis + 1];
    if (tensor.strides[axis] == -1 || inner_stride == -1 || shape[axis + 1] == -1) continue;
    // Below 2^31 and 2^40: no overflow.
    const int64_t unit = std::max<int64_t>(inner_stride, 1);
    if (tensor.strides[axis] / unit < shape[axis + 1]) {
      refuse("a stride is smaller than what it steps over");
    }
  }
}

void check_layout(const TensorSpec& tensor, bool is_output, Refuse refuse) {
  for (const int32_t dim : tensor.shape) {
    if (dim != -1 && dim < 1) refuse("a dimension is neither positive nor -1");
  }
  const Extents shape =
      storage_shape(Extents(tensor.shape.begin(), tensor.shape.end()), tensor.data_type);
  if (is_packed(tensor.data_type) && tensor.shape.back() % 2 != 0 &&
      std::any_of(shape.begin(), shape.end() - 1, [](int64_t dim) { return dim != 1; })) {
    refuse("its rows of 4-bit elements would share bytes");
  }
  check_strides(tensor, shape, refuse);

  const bool open_shape = std::count(shape.begin(), shape.end(), -1) > 0;
  const bool open_strides = std::count(tensor.strides.begin(), tensor.strides.end(), -1) > 0;
  if (is_output && open_strides && !open_shape) {
    refuse("a stride is -1, but nobody would fill it in: only an output's shape may leave it open");
  }
  // The caller knows a dynamic input's size; of an output it must be told the most.
  const bool dynamic = open_shape || open_strides;
  if (!is_output && dynamic) {
    if (tensor.aligned_byte_size != -1) refuse("it is dynamic, but its aligned size is not -1");
    return;
  }
  if (tensor.aligned_byte_size > kMaxTensorSize) refuse("its aligned size is above 2^40");
  if (dynamic) {
    if (tensor.aligned_byte_size < 1) refuse("it is dynamic, but its aligned size is not positive");
    return;
  }
  int64_t least = 0;
  if (__builtin_mul_overflow(tensor.strides[0], shape[0], &least) ||
      tensor.aligned_byte_size < least) {
    refuse("its aligned size is smaller than its content");
  }
}

void check_quantization(const TensorSpec& tensor, Refuse refuse) {
  const std::size_t scales = tensor.scales.size();
  const std::size_t zero_points = tensor.zero_points.size();
  if (tensor.quanti_type == HB_DNN_QUANTI_NONE) {
    if (tensor.quantize_axis != 0 || scales != 0 || zero_points != 0) {
      refuse("it has no quantisation, yet an axis, scales or zero points");
    }
    return;
  }
  std::size_t wanted = 1;
  if (tensor.quantize_axis >= 0) {
    const auto axis = static_cast<std::size_t>(tensor.quantize_axis);
    if (axis >= tensor.shape.size()) refuse("it has no such axis as its quantisation axis");
    wanted = static_cast<std::size_t>(std::max(tensor.shape[axis], 0));
  }
  if (wanted == 0 || scales != wanted || (zero_points != 0 && zero_points != wanted)) {
    const std::string why = "the numbers of scales (" + std::to_string(scales) +
                            ") and zero points (" + std::to_string(zero_points) +
                            ") do not fit its quantisation axis";
    refuse(why.c_str());
  }
  for (const float scale : tensor.scales) {
    if (!std::isfinite(scale) || scale <= 0) refuse("a scale is not finite and above 0");
  }
}

TensorSpec read_tensor(Reader& reader, bool is_output) {
  const std::size_t at = reader.position();
  TensorSpec tensor;
  tensor.name = reader.name("a tensor's name");
  tensor.description = reader.text("a tensor's description", kMaxDescriptionSize);
  tensor.data_type = reader.number<uint32_t>("a data type", 0, HB_DNN_TENSOR_TYPE_MAX - 1);
  const auto rank = reader.number<uint32_t>("a rank", 1, HB_DNN_TENSOR_MAX_DIMENSIONS);
  tensor.shape = reader.numbers<int32_t>("a shape", rank);
  tensor.strides = reader.numbers<int64_t>("strides", rank);
  tensor.aligned_byte_size = reader.number<int64_t>("an aligned size");
  tensor.quanti_type = reader.number<uint32_t>("a quantisation type", 0, HB_DNN_QUANTI_SCALE);
  tensor.quantize_axis =
      reader.number<int32_t>("a quantisation axis", -1, HB_DNN_TENSOR_MAX_DIMENSIONS - 1);
  tensor.scales =
      reader.numbers<float>("scales", reader.number<uint32_t>("a scale count", 0, kMaxScales));
  tensor.zero_points = reader.numbers<int32_t>(
      "zero points", reader.number<uint32_t>("a zero-point count", 0, kMaxScales));
  const auto refuse = [&](const char* why) { fail(at, "tensor '" + tensor.name + "': " + why); };
  check_layout(tensor, is_output, refuse);
  check_quantization(tensor, refuse);
  return tensor;
}

std::vector<TensorSpec> read_tensors(Reader& reader, bool is_output) {
  const char* what = is_output ? "an output count" : "an input count";
  const auto count = reader.number<uint32_t>(what, 1, kMaxTensors);
  std::vector<TensorSpec> tensors;
  std::set<std::string> names;
  for (uint32_t index = 0; index < count; ++index) {
    const std::size_t at = reader.position();
    tensors.push_back(read_tensor(reader, is_output));
    if (!names.insert(tensors.back().name).second) {
      fail(at, "the tensor name '" + tensors.back().name + "' comes twice");
    }
  }
  return tensors;
}

std::vector<CallSpec> read_calls(Reader& reader, const std::string& model,
                                 uint32_t max_time_per_fc_us) {
  const std::size_t start = reader.position();
  const auto count = reader.number<uint32_t>("a call count", 1, kMaxCalls);
  const auto refuse = [&](const std::string& why) { fail(start, "model '" + model + "' " + why); };
  if (max_time_per_fc_us == 0 && count > 1) {
    refuse("has " + std::to_string(count) + " calls, but without max_time_per_fc_us there is one");
  }
  std::vector<CallSpec> calls;
  uint64_t latency_us = 0;
  for (uint32_t index = 0; index < count; ++index) {
    CallSpec call;
    call.offset = reader.number<uint64_t>("a graph's offset");
    call.size = reader.number<uint64_t>("a graph's size", 0, kMaxGraphSize);
    call.crc32 = reader.number<uint32_t>("a graph's checksum");
    call.latency_us = reader.number<uint64_t>("a latency", 0, kMaxLatencyUs);
    latency_us += call.latency_us;
    calls.push_back(call);
  }
  if (latency_us > kMaxLatencyUs) refuse("has calls of more than 60 000 000 µs together");
  if (std::all_of(calls.begin(), calls.end(), [](const CallSpec& c) { return c.size == 0; })) {
    refuse("has no call with a graph");
  }
  return calls;
}

ModelSpec read_model(Reader& reader) {
  ModelSpec model;
  model.name = reader.name("a model's name");
  model.description = reader.text("a model's description", kMaxDescriptionSize);
  model.core_count = reader.number<uint32_t>("a core count", 1, kMaxCores);
  model.max_time_per_fc_us =
      reader.number<uint32_t>("a greatest time per function call", 0, kMaxLatencyUs);
  model.calls = read_calls(reader, model.name, model.max_time_per_fc_us);
  model.inputs = read_tensors(reader, false);
  model.outputs = read_tensors(reader, true);
  return model;
}

// The graphs lie behind the metadata in the order of the calls, with zeros between them.
class Graphs {
 public:
  Graphs(const std::byte* bytes, std::size_t begin, std::size_t size)
      : bytes_(bytes), end_(begin), size_(size) {}

  void check(const CallSpec& call, const std::string& model) {
    const auto refuse = [&](const std::string& why) {
      fail(end_, "a graph of model '" + model + "' " + why);
    };
    if (call.size == 0) {
      if (call.offset != 0 || call.crc32 != 0) refuse("has a place or checksum, but no bytes");
      return;
    }
    const std::size_t begin = (end_ + kGraphAlignment - 1) / kGraphAlignment * kGraphAlignment;
    if (call.offset != begin) {
      refuse("should begin at " + std::to_string(begin) + ", not at " +
             std::to_string(call.offset));
    }
    if (begin > size_ || call.size > size_ - begin) refuse("is longer than the file");
    for (; end_ < begin; ++end_) {
      if (bytes_[end_] != std::byte{0}) refuse("comes after bytes that are not zero");
    }
    if (crc32(bytes_ + begin, call.size) != call.crc32) refuse("is damaged (checksum differs)");
    const std::string problem = graph_problem(bytes_ + begin, call.size);
    if (!problem.empty()) refuse(problem);
    end_ = begin + call.size;
  }

  void check_end() const {
    if (end_ != size_) fail(end_, "bytes follow the last graph");
  }

 private:
  const std::byte* bytes_;
  std::size_t end_;
  std::size_t size_;
};

void check_version(Reader& header) {
  const std::size_t at = header.position();
  const auto version = header.number<uint32_t>("the format version");
  if (version == kFormatVersion) return;
  fail(at, "format version " + std::to_string(version) + " is " +
               (version < kFormatVersion ? "older" : "newer") + " than this simulator's (" +
               std::to_string(kFormatVersion) +
               (version < kFormatVersion ? "): pack the model again with 'hbm pack'"
                                         : "): update hbm-runtime or pack the model again"));
}

}  // namespace

ModelFile read_model_file(const std::byte* bytes, std::size_t size) {
  if (size < kHeaderSize) {
    fail(0, size == 0 ? "the file is empty" : "the file is shorter than its header of 32 bytes");
  }
  if (std::memcmp(bytes, kMagic.data(), kMagic.size()) != 0) {
    fail(0,
         "not a simulator model file; if the vendor's compiler made it, it runs on a board only: "
         "for the simulator, pack the ONNX model with 'hbm pack'");
  }
  Reader header(bytes, kMagic.size(), kHeaderSize);
  check_version(header);
  const auto metadata_crc = header.number<uint32_t>("the metadata's checksum");
  const auto file_size = header.number<uint64_t>("the file size");
  if (file_size != size) {
    fail(16, "the file should have " + std::to_string(file_size) + " bytes and has " +
                 std::to_string(size) + ": it was cut off or something was appended");
  }
  const auto metadata_size = header.number<uint64_t>(
      "the metadata's size", 0, std::min<uint64_t>(kMaxMetadataSize, size - kHeaderSize));
  if (crc32(bytes + kHeaderSize, metadata_size) != metadata_crc) {
    fail(kHeaderSize, "the metadata are damaged (checksum differs)");
  }

  const std::size_t metadata_end = kHeaderSize + metadata_size;
  Reader reader(bytes, kHeaderSize, metadata_end);
  ModelFile file;
  file.description = reader.text("the file's description", kMaxDescriptionSize);
  file.march = reader.text("the march", kMaxNameSize);
  const auto count = reader.number<uint32_t>("the model count", 1, kMaxModels);
  std::set<std::string> names;
  for (uint32_t index = 0; index < count; ++index) {
    const std::size_t at = reader.position();
    file.models.push_back(read_model(reader));
    if (!names.insert(file.models.back().name).second) {
      fail(at, "the model name '" + file.models.back().name + "' comes twice");
    }
  }
  if (!reader.at_end()) fail(reader.position(), "bytes follow the last model's metadata");
  Graphs graphs(bytes, metadata_end, size);
  for (const ModelSpec& model : file.models) {
    for (const CallSpec& call : model.calls) graphs.check(call, model.name);
  }
  graphs.check_end();
  return file;
}

}  // namespace hbm::simulator
