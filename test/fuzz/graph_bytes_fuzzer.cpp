// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the look through a graph for references to other files.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "model_file/graph_bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::string problem = hbm::simulator::graph_problem(bytes, size);
  if (problem.size() > 1000) std::abort();  // a sentence, not the graph
  return 0;
}
