// SPDX-License-Identifier: Apache-2.0
// Loaded models: one engine session each, grouped in the packed handles of the ABI.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine.hpp"
#include "hb_dnn.h"
#include "model_file.hpp"

namespace hbm::simulator {

// One side of a model's border, in the ABI's terms. The scale pointers lead into `spec`.
struct BorderTensor {
  explicit BorderTensor(TensorSpec tensor_spec);
  BorderTensor(BorderTensor&&) = default;  // vectors keep their memory when they move

  TensorSpec spec;
  hbDNNTensorProperties properties{};
};

class Model {
 public:
  // Throws ModelFileError when the graph and the metadata disagree, EngineError for a bad graph.
  Model(const ModelSpec& spec, const std::byte* file);

  std::string name;
  std::string description;
  uint32_t core_count;
  uint64_t latency_us;
  std::vector<BorderTensor> inputs;
  std::vector<BorderTensor> outputs;
  std::vector<const char*> input_names;   // for the engine, into `inputs`
  std::vector<const char*> output_names;  // for the engine, into `outputs`
  SessionPtr session;
  std::atomic<int> operations_in_flight{0};
};

struct Packed {
  std::vector<std::string> file_descriptions;  // in load order
  std::vector<std::shared_ptr<Model>> models;
  std::vector<const char*> model_names;  // into `models`
  std::vector<hbDNNHandle_t> model_handles;
};

// All handles that libdnn.so has given out and not taken back.
class ModelTable {
 public:
  [[nodiscard]] static ModelTable& instance();

  [[nodiscard]] hbDNNPackedHandle_t add(std::shared_ptr<Packed> packed);
  [[nodiscard]] int32_t remove(hbDNNPackedHandle_t handle);
  void clear();
  // Null for a handle that is not, or no longer, ours.
  [[nodiscard]] std::shared_ptr<Packed> packed(hbDNNPackedHandle_t handle) const;
  [[nodiscard]] std::shared_ptr<Model> model(hbDNNHandle_t handle) const;
  // As model(), and counts one operation in flight, which keeps hbDNNRelease away.
  [[nodiscard]] std::shared_ptr<Model> use(hbDNNHandle_t handle) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<hbDNNPackedHandle_t, std::shared_ptr<Packed>> packed_;
  std::unordered_map<hbDNNHandle_t, std::shared_ptr<Model>> models_;
  uint64_t next_handle_ = 1;
};

}  // namespace hbm::simulator
