// SPDX-License-Identifier: Apache-2.0
// Loaded models: their function calls and borders, grouped in the packed handles of the ABI.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "abi/hb_dnn.h"
#include "model_file/model_file.hpp"
#include "simulator/models/loaded_graph.hpp"

namespace hbm::simulator {

// One side of a model's border, in the ABI's terms. The scale pointers lead into `spec`.
struct BorderTensor {
  explicit BorderTensor(TensorSpec tensor_spec);
  BorderTensor(BorderTensor&&) = default;  // vectors keep their memory when they move

  TensorSpec spec;
  hbDNNTensorProperties properties{};
};

// One function call: a graph, or only time. Values pass between the calls of a model in slots:
// first one for each input of the model, then one for each output, then those between calls.
struct FunctionCall {
  std::shared_ptr<const LoadedGraph> graph;  // null: only time
  std::vector<const char*> input_names;      // into `graph`, as the two below
  std::vector<const char*> output_names;
  std::vector<std::size_t> input_slots;
  std::vector<std::size_t> output_slots;
  std::vector<std::size_t> last_used_slots;  // no later call needs them
  std::chrono::microseconds least_time{0};   // the cores are busy at least that long
};

class SimulatedModel {
 public:
  // `file` is what the spec was read from. Throws ModelFileError when graphs and metadata disagree,
  // EngineError for a bad graph, OutOfDeviceMemory.
  SimulatedModel(const ModelSpec& spec, const std::byte* file);

  std::string name;
  std::string description;
  int core_count;
  bool preemptible;  // has function-call boundaries
  bool is_dynamic;   // its work depends on the shapes that the caller chooses
  std::vector<BorderTensor> inputs;
  std::vector<BorderTensor> outputs;
  std::vector<FunctionCall> calls;
  std::size_t slot_count = 0;
  std::atomic<int> operations_in_flight{0};
  std::atomic<int64_t> usual_ns_of_last_call{0};  // a running mean
};

struct Packed {
  std::vector<std::string> file_descriptions;  // in load order
  std::vector<std::shared_ptr<SimulatedModel>> models;
  std::vector<const char*> model_names;  // into `models`
  std::vector<hbDNNHandle_t> model_handles;
};

// All handles that libdnn.so has given out and not taken back.
class HandleTable {
 public:
  [[nodiscard]] static HandleTable& instance();

  [[nodiscard]] hbDNNPackedHandle_t add(std::shared_ptr<Packed> packed);
  [[nodiscard]] int32_t remove(hbDNNPackedHandle_t handle);
  void clear();
  // Null for a handle that is not, or no longer, ours.
  [[nodiscard]] std::shared_ptr<Packed> packed(hbDNNPackedHandle_t handle) const;
  [[nodiscard]] std::shared_ptr<SimulatedModel> model(hbDNNHandle_t handle) const;
  // As model(), and counts one operation in flight, which keeps hbDNNRelease away.
  [[nodiscard]] std::shared_ptr<SimulatedModel> use(hbDNNHandle_t handle) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<hbDNNPackedHandle_t, std::shared_ptr<Packed>> packed_;
  std::unordered_map<hbDNNHandle_t, std::shared_ptr<SimulatedModel>> models_;
  uint64_t next_handle_ = 1;
};

}  // namespace hbm::simulator
