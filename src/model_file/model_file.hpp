// SPDX-License-Identifier: Apache-2.0
// The bounded reader of the simulator's model file (doc/model_file.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hbm::simulator {

// The bytes are not a valid model file; the text says where and why.
class ModelFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct TensorSpec {
  std::string name;
  std::string description;
  uint32_t data_type = 0;         // hbDNNDataType
  std::vector<int32_t> shape;     // -1: dynamic
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

// Throws ModelFileError; the result refers to the bytes only by offsets.
[[nodiscard]] ModelFile read_model_file(const std::byte* bytes, std::size_t size);

}  // namespace hbm::simulator
