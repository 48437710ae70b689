// SPDX-License-Identifier: Apache-2.0
// Makes engine sessions, and finds the one that a content has already.
#include "simulator/models/loaded_graph.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "simulator/device/device_interface.hpp"
#include "simulator/models/model.hpp"

namespace hbm::simulator {
namespace {

// At exit the cores stop and the sessions go while the engine is still whole.
struct ExitGuard {
  ~ExitGuard() {
    if (hbSimDevice()->is_forked()) return;
    hbSimDevice()->shut_down();
    HandleTable::instance().clear();
  }
};

// Static objects die in reverse order: the guard is made after the engine, so it goes first.
const Engine& guarded_engine() {
  const Engine& engine = Engine::instance();
  static const ExitGuard guard;
  return engine;
}

// Two sums that change differently with the bytes (FNV-1a on words, and a rotated product), beside
// the size: equal for equal contents, and by accident for no others.
struct Content {
  std::size_t size = 0;
  uint64_t first = 0xCBF29CE484222325U;
  uint64_t second = 0x9E3779B97F4A7C15U;

  Content(const std::byte* bytes, std::size_t count) : size(count) {
    for (std::size_t at = 0; at < count; at += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + at, std::min(sizeof(word), count - at));
      first = (first ^ word) * 0x100000001B3U;
      first ^= first >> 32U;
      second = (second << 27U | second >> 37U) * 0x9FB21C651E98DF25U + word;
    }
  }

  [[nodiscard]] bool operator<(const Content& other) const noexcept {
    return std::tie(size, first, second) < std::tie(other.size, other.first, other.second);
  }
};

struct Table {
  std::mutex mutex;
  std::map<Content, std::weak_ptr<const LoadedGraph>> graphs;
};

// Never destroyed: graphs may outlive it.
Table& table() {
  static Table& made = *std::make_unique<Table>().release();
  return made;
}

}  // namespace

LoadedGraph::LoadedGraph(const std::byte* bytes, std::size_t size) : size_(size) {
  const Engine& engine = guarded_engine();
  if (!hbSimDevice()->reserve(size)) {
    throw OutOfDeviceMemory("a graph of " + std::to_string(size) +
                            " bytes does not fit the device memory");
  }
  try {
    session_ = engine.make_session(bytes, size);
    inputs_ = engine.inputs_of(session_.get());
    outputs_ = engine.outputs_of(session_.get());
  } catch (...) {
    hbSimDevice()->unreserve(size);
    throw;
  }
}

LoadedGraph::~LoadedGraph() { hbSimDevice()->unreserve(size_); }

std::shared_ptr<const LoadedGraph> load_graph(const std::byte* bytes, std::size_t size) {
  const Content content(bytes, size);
  Table& known = table();
  {
    const std::lock_guard lock(known.mutex);
    const auto found = known.graphs.find(content);
    if (found != known.graphs.end()) {
      if (auto graph = found->second.lock()) return graph;
    }
  }
  auto graph = std::make_shared<const LoadedGraph>(bytes, size);  // slow: not under the mutex
  const std::lock_guard lock(known.mutex);
  for (auto entry = known.graphs.begin(); entry != known.graphs.end();) {
    entry = entry->second.expired() ? known.graphs.erase(entry) : std::next(entry);
  }
  known.graphs[content] = graph;
  return graph;
}

}  // namespace hbm::simulator
