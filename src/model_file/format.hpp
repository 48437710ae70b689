// SPDX-License-Identifier: Apache-2.0
// The numbers that the format of model files fixes (doc/model_file.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hbm::simulator {

inline constexpr std::array<unsigned char, 8> kMagic = {0x89, 'H', 'B', 'M', 'S', 'I', 'M', '\n'};
inline constexpr uint32_t kFormatVersion = 2;
inline constexpr std::size_t kHeaderSize = 32;
inline constexpr std::size_t kCallSize = 28;
inline constexpr uint64_t kGraphAlignment = 64;

inline constexpr uint64_t kMaxMetadataSize = 64ULL << 20U;
inline constexpr uint32_t kMaxModels = 64;
inline constexpr uint32_t kMaxTensors = 64;  // inputs, and again outputs
inline constexpr uint32_t kMaxNameSize = 255;
inline constexpr uint32_t kMaxDescriptionSize = 1U << 20U;
inline constexpr uint32_t kMaxCores = 4;
inline constexpr uint32_t kMaxCalls = 4096;
inline constexpr uint32_t kMaxLatencyUs = 60'000'000;  // of a call, and of a model's calls together
inline constexpr uint32_t kMaxScales = 65'536;
inline constexpr int64_t kMaxTensorSize = 1LL << 40U;
inline constexpr uint64_t kMaxGraphSize = (1ULL << 31U) - 1;  // a protobuf message holds no more

// The next offset, from this one on, where a graph may begin.
[[nodiscard]] constexpr uint64_t graph_aligned(uint64_t offset) {
  return (offset + kGraphAlignment - 1) / kGraphAlignment * kGraphAlignment;
}

}  // namespace hbm::simulator
