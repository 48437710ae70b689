// SPDX-License-Identifier: Apache-2.0
// Reads the simulator's model file; every count and size is checked before it is used.
#include "model_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "element_type.hpp"

namespace hbm::simulator {
namespace {

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'H', 'B', 'M', 'S', 'I', 'M', '\n'};
constexpr uint32_t kFormatVersion = 1;
constexpr std::size_t kHeaderSize = 32;
constexpr uint64_t kMaxMetadataSize = 64ULL << 20U;
constexpr uint32_t kMaxModels = 64;
constexpr uint32_t kMaxTensors = 64;
constexpr uint32_t kMaxNameSize = 255;
constexpr uint32_t kMaxDescriptionSize = 1U << 20U;
constexpr uint32_t kMaxCores = 4;
constexpr uint64_t kMaxLatencyUs = 60'000'000;
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
    const auto size = number<uint32_t>(what, 0, longest);
    need(size, what);
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

void check_layout(const TensorSpec& tensor, bool is_output, std::size_t at) {
  const auto refuse = [&](const char* why) { fail(at, "tensor '" + tensor.name + "': " + why); };
  const Extents shape =
      storage_shape(Extents(tensor.shape.begin(), tensor.shape.end()), tensor.data_type);
  if (kElementTypes[tensor.data_type].bits == 4 && tensor.shape.back() % 2 != 0) {
    for (std::size_t index = 0; index + 1 < shape.size(); ++index) {
      if (shape[index] != 1) refuse("its rows of 4-bit elements would share bytes");
    }
  }
  // The smallest stride that a dimension may have, from inner to outer.
  int64_t least = storage_unit(tensor.data_type);
  bool dynamic = false;
  for (std::size_t index = shape.size(); index-- > 0;) {
    const int64_t stride = tensor.strides[index];
    const int64_t dim = shape[index];
    if (stride == -1) {
      dynamic = true;
    } else if (stride < 0 || (!dynamic && stride < least)) {
      refuse("a stride is smaller than what it steps over");
    }
    if (dim == -1) {
      dynamic = true;
    } else if (dim < 1) {
      refuse("a dimension is neither positive nor -1");
    }
    if (dynamic) continue;
    if (__builtin_mul_overflow(stride, dim, &least)) refuse("its size does not fit 64 bits");
  }
  const bool open_shape = std::count(shape.begin(), shape.end(), -1) > 0;
  if (is_output && dynamic && !open_shape) {
    refuse("a stride is -1, but nobody would fill it in: only an output's shape may leave it open");
  }
  if (dynamic) {
    // The caller knows a dynamic input's size; of an output it must be told the most.
    if (is_output ? tensor.aligned_byte_size < 1 : tensor.aligned_byte_size != -1) {
      refuse(is_output ? "it is dynamic, but its aligned size is not positive"
                       : "it is dynamic, but its aligned size is not -1");
    }
  } else if (tensor.aligned_byte_size < least) {
    refuse("its aligned size is smaller than its content");
  }
}

void check_quantization(const TensorSpec& tensor, std::size_t at) {
  const std::size_t scales = tensor.scales.size();
  const std::size_t zero_points = tensor.zero_points.size();
  bool good = scales == 0 && zero_points == 0;
  if (tensor.quanti_type == HB_DNN_QUANTI_SCALE) {
    std::size_t wanted = 1;
    good = true;
    if (tensor.quantize_axis >= 0) {
      const auto axis = static_cast<std::size_t>(tensor.quantize_axis);
      good = axis < tensor.shape.size() && tensor.shape[axis] > 0;
      if (good) wanted = static_cast<std::size_t>(tensor.shape[axis]);
    }
    good = good && scales == wanted && (zero_points == 0 || zero_points == wanted);
  }
  if (!good) {
    fail(at, "tensor '" + tensor.name + "': the numbers of scales (" + std::to_string(scales) +
                 ") and zero points (" + std::to_string(zero_points) +
                 ") do not fit its quantisation axis");
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
  tensor.scales = reader.numbers<float>("scales", reader.number<uint32_t>("a scale count"));
  tensor.zero_points =
      reader.numbers<int32_t>("zero points", reader.number<uint32_t>("a zero-point count"));
  check_layout(tensor, is_output, at);
  check_quantization(tensor, at);
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

ModelSpec read_model(Reader& reader, const std::byte* bytes, std::size_t graphs_begin,
                     std::size_t size) {
  ModelSpec model;
  model.name = reader.name("a model's name");
  model.description = reader.text("a model's description", kMaxDescriptionSize);
  model.core_count = reader.number<uint32_t>("a core count", 1, kMaxCores);
  model.latency_us = reader.number<uint64_t>("a latency", 0, kMaxLatencyUs);
  static_cast<void>(reader.number<uint32_t>("a graph count", 1, 1));
  const std::size_t at = reader.position();
  const auto offset = reader.number<uint64_t>("a graph's offset", graphs_begin, size);
  const auto length = reader.number<uint64_t>("a graph's size", 1, size - offset);
  const auto crc = reader.number<uint32_t>("a graph's checksum");
  if (offset % kGraphAlignment != 0) fail(at, "a graph's offset is not a multiple of 64");
  model.graph_offset = offset;
  model.graph_size = length;
  if (crc32(bytes + offset, length) != crc) {
    fail(offset, "the graph of model '" + model.name + "' is damaged (checksum differs)");
  }
  model.inputs = read_tensors(reader, false);
  model.outputs = read_tensors(reader, true);
  return model;
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
  static_cast<void>(header.number<uint32_t>("the format version", kFormatVersion, kFormatVersion));
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
    file.models.push_back(read_model(reader, bytes, metadata_end, size));
    if (!names.insert(file.models.back().name).second) {
      fail(at, "the model name '" + file.models.back().name + "' comes twice");
    }
  }
  if (!reader.at_end()) fail(reader.position(), "bytes follow the last model's metadata");
  return file;
}

}  // namespace hbm::simulator
