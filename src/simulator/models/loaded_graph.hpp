// SPDX-License-Identifier: Apache-2.0
// Graphs in the engine: one session for each content, however often it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "simulator/engine/engine.hpp"

namespace hbm::simulator {

// The device has no room for the weights.
class OutOfDeviceMemory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class LoadedGraph {
 public:
  // Throws EngineError for a bad graph, OutOfDeviceMemory.
  LoadedGraph(const std::byte* bytes, std::size_t size);
  LoadedGraph(const LoadedGraph&) = delete;
  LoadedGraph& operator=(const LoadedGraph&) = delete;
  ~LoadedGraph();

  [[nodiscard]] ort::Session* session() const noexcept { return session_.get(); }
  [[nodiscard]] const std::vector<GraphTensor>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<GraphTensor>& outputs() const noexcept { return outputs_; }

 private:
  uint64_t size_;  // bytes of device memory
  SessionPtr session_;
  std::vector<GraphTensor> inputs_;
  std::vector<GraphTensor> outputs_;
};

// The graph with these bytes, shared with everybody who has it already.
[[nodiscard]] std::shared_ptr<const LoadedGraph> load_graph(const std::byte* bytes,
                                                            std::size_t size);

}  // namespace hbm::simulator
