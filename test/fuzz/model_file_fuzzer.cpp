// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the reader of the simulator's model file, with a mutator that repairs checksums.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "model_file/model_file.hpp"

using hbm::simulator::CallSpec;
using hbm::simulator::ModelFile;
using hbm::simulator::ModelFileError;
using hbm::simulator::ModelSpec;
using hbm::simulator::read_model_file;

// Of libFuzzer, or of gcc_driver.cpp.
extern "C" std::size_t LLVMFuzzerMutate(uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::size_t kHeaderSize = 32;
constexpr std::size_t kGraphAlignment = 64;
constexpr std::size_t kVersionAt = 8;

const std::byte* as_bytes(const uint8_t* data) { return reinterpret_cast<const std::byte*>(data); }

// What the rest of the simulator relies on once a file was accepted.
void check_promises(const ModelFile& file, std::size_t size) {
  const auto promise = [](bool kept) {
    if (!kept) std::abort();
  };
  promise(!file.models.empty());
  for (const ModelSpec& model : file.models) {
    promise(!model.name.empty() && model.name.find('\0') == std::string::npos);
    promise(model.core_count >= 1 && model.core_count <= 4);
    promise(!model.calls.empty() && !model.inputs.empty() && !model.outputs.empty());
    for (const CallSpec& call : model.calls) {
      promise(call.size <= size && call.offset <= size - call.size);
    }
    for (const auto* tensors : {&model.inputs, &model.outputs}) {
      for (const auto& tensor : *tensors) {
        promise(!tensor.shape.empty() && tensor.shape.size() <= 10);
        promise(tensor.shape.size() == tensor.strides.size());
        promise(tensor.data_type >= 0 && tensor.data_type < 14);
      }
    }
  }
}

uint32_t crc32(const std::string& bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

template <typename Number>
std::string raw(Number value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::size_t aligned(std::size_t offset) {
  return (offset + kGraphAlignment - 1) / kGraphAlignment * kGraphAlignment;
}

std::string graph_record(uint64_t offset, const CallSpec& call) {
  return raw(offset) + raw(call.size) + raw(call.crc32);
}

// The function calls with a graph, if the file can be read.
std::vector<CallSpec> graphs_of(const std::string& file) {
  std::vector<CallSpec> calls;
  try {
    const auto* bytes = reinterpret_cast<const std::byte*>(file.data());
    for (const ModelSpec& model : read_model_file(bytes, file.size()).models) {
      for (const CallSpec& call : model.calls) {
        if (call.size > 0) calls.push_back(call);
      }
    }
  } catch (const ModelFileError&) {
    calls.clear();
  }
  return calls;
}

// Mutates the metadata alone and makes sizes, offsets and the checksum fit again: otherwise nearly
// every mutation would end at the checksum.
std::string mutate_metadata(const std::string& file, std::size_t most) {
  uint64_t metadata_size = 0;
  std::memcpy(&metadata_size, file.data() + 24, sizeof(metadata_size));
  metadata_size = std::min<uint64_t>(metadata_size, file.size() - kHeaderSize);
  const std::size_t old_end = kHeaderSize + static_cast<std::size_t>(metadata_size);
  const std::size_t old_graphs = std::min(aligned(old_end), file.size());

  const std::size_t room = most - std::min(most, file.size() - old_end + 2 * kGraphAlignment);
  std::vector<uint8_t> metadata(file.begin() + kHeaderSize,
                                file.begin() + static_cast<std::ptrdiff_t>(old_end));
  const std::size_t old_size = metadata.size();
  metadata.resize(std::max({old_size, room, std::size_t{1}}));
  metadata.resize(LLVMFuzzerMutate(metadata.data(), old_size, metadata.size()));

  std::string fields(metadata.begin(), metadata.end());
  const std::size_t new_graphs = aligned(kHeaderSize + fields.size());
  for (const CallSpec& call : graphs_of(file)) {
    const std::size_t at = fields.find(graph_record(call.offset, call));
    if (at == std::string::npos) continue;
    fields.replace(at, 20, graph_record(call.offset - old_graphs + new_graphs, call));
  }
  const std::string graphs = file.substr(old_graphs);
  std::string whole = file.substr(0, kVersionAt + 4) + raw(crc32(fields));
  const std::size_t size =
      graphs.empty() ? kHeaderSize + fields.size() : new_graphs + graphs.size();
  whole += raw(static_cast<uint64_t>(size)) + raw(static_cast<uint64_t>(fields.size())) + fields;
  whole.resize(graphs.empty() ? whole.size() : new_graphs, '\0');
  return whole + graphs;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  try {
    check_promises(read_model_file(as_bytes(data), size), size);
  } catch (const ModelFileError&) {  // any other exception ends the process: a find
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  std::minstd_rand random(seed);
  if (size < kHeaderSize || random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string file(reinterpret_cast<const char*>(data), size);
  const std::string mutated = mutate_metadata(file, max_size);
  if (mutated.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}
