// SPDX-License-Identifier: Apache-2.0
// What a model file of the simulator holds (doc/model_file.md), and its bounded reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hbm::simulator {

// Bytes that break a rule of the format.
class ModelFileError : public std::runtime_error {
 public:
  explicit ModelFileError(const std::string& text, const char* why = "corrupt")
      : std::runtime_error(text), reason(why) {}
  // The text becomes "byte 57, models[0].core_count: 5 is …".
  ModelFileError(uint64_t at, const std::string& name, const std::string& text, const char* why)
      : std::runtime_error("byte " + std::to_string(at) + ", " + name + ": " + text),
        reason(why),
        field(name),
        offset(at) {}

  const char* reason;  // one of doc/model_file.md
  std::string field;   // "": the whole file
  std::optional<uint64_t> offset;
};

struct TensorSpec {
  std::string name;
  std::string description;
  int32_t data_type = 0;          // hbDNNDataType
  std::vector<int64_t> shape;     // -1: dynamic
  std::vector<int64_t> strides;   // bytes, -1: dynamic
  int64_t aligned_byte_size = 0;  // -1: dynamic
  uint32_t quanti_type = 0;
  int32_t quantize_axis = 0;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
};

// One function call: what the cores do without a chance to preempt it.
struct CallSpec {
  uint64_t offset = 0;  // of the graph in the bytes; 0 if there is none
  uint64_t size = 0;    // 0: no graph, the call only takes time
  uint32_t crc32 = 0;
  uint64_t latency_us = 0;  // the cores are busy at least that long
};

struct ModelSpec {
  std::string name;
  std::string description;
  uint32_t core_count = 1;          // exactly that many at the same time
  uint32_t max_time_per_fc_us = 0;  // 0: compiled without boundaries, one call, not preemptible
  std::vector<CallSpec> calls;      // at least one, and one at least has a graph
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

struct ModelFile {
  std::string description;
  std::string march;  // empty: any
  std::vector<ModelSpec> models;
};

// Where the bytes of a file come from.
class FileBytes {
 public:
  virtual ~FileBytes() = default;
  [[nodiscard]] virtual uint64_t size() const = 0;
  // `count` bytes inside the size, valid until the next call. Throws ModelFileError.
  [[nodiscard]] virtual const std::byte* read(uint64_t offset, std::size_t count) = 0;
  // As read(), for the graphs of all calls in their order: a place to keep them.
  [[nodiscard]] virtual const std::byte* read_graph(uint64_t offset, std::size_t count) {
    return read(offset, count);
  }
};

// Throws ModelFileError; the result refers to the bytes only by offsets.
[[nodiscard]] ModelFile read_model_file(FileBytes& bytes);
[[nodiscard]] ModelFile read_model_file(const std::byte* bytes, std::size_t size);

}  // namespace hbm::simulator
