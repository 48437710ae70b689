// SPDX-License-Identifier: Apache-2.0
// Device memory of the simulated chip: every allocation is known, bounded and checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "abi/hb_ucp.h"

namespace hbm::simulator {

enum class Caching { kCached, kUncached };

// Usually the CPU and the device see the same bytes. A strict memory has two copies of a cached
// block, as a chip with a cache has: what one side wrote reaches the other only by hbUCPMemFlush,
// in just the range that was given. It also fills memory that nobody wrote to, and keeps freed
// blocks for a while, so that their use shows.
class Memory {
 public:
  Memory(uint64_t capacity_bytes, bool strict) : capacity_(capacity_bytes), strict_(strict) {}

  [[nodiscard]] int32_t allocate(hbUCPSysMem* memory, uint64_t size, Caching caching);
  // Frees by virAddr and clears the struct; a second free of the same address is an error.
  [[nodiscard]] int32_t release(hbUCPSysMem* memory);
  [[nodiscard]] int32_t flush(const hbUCPSysMem* memory, int32_t flag);
  // Bytes from `address` to the end of its allocation, 0 when it lies in none.
  [[nodiscard]] uint64_t bytes_from(const void* address) const;
  // Where the device finds what the CPU finds at `memory.virAddr`, by phyAddr; null when the two
  // addresses do not name the same place.
  [[nodiscard]] std::byte* device_side(const hbUCPSysMem& memory) const;
  // A strict memory makes what the CPU sees there undefined until it is invalidated: the device
  // wrote to it.
  void written_by_device(void* address, uint64_t size);
  struct Held {
    uint64_t blocks;
    uint64_t bytes;
  };
  // What was allocated and not released.
  [[nodiscard]] Held held() const;

  // Room for a model's weights, which no program sees; false when there is not so much.
  [[nodiscard]] bool reserve(uint64_t size);
  void unreserve(uint64_t size) noexcept;

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  using Bytes = std::unique_ptr<std::byte, Free>;
  struct Block {
    Bytes bytes;   // what the CPU sees
    Bytes device;  // what the device sees; null where it sees the same
    uint64_t size;
  };
  using Blocks = std::map<uintptr_t, Block>;

  // With the mutex; says so in the log when there is not so much.
  [[nodiscard]] bool has_room(uint64_t size, const char* what) const;
  // With the mutex: the block that an address lies in, or none.
  [[nodiscard]] Blocks::const_iterator block_of(uintptr_t address) const;
  // With the mutex: keeps a freed block, and says when an earlier one was written to since.
  void quarantine(Block block);

  const uint64_t capacity_;
  const bool strict_;
  mutable std::mutex mutex_;
  Blocks blocks_;
  std::deque<Block> quarantined_;  // of a strict memory: freed, the oldest first
  uint64_t quarantined_bytes_ = 0;
  uint64_t allocated_ = 0;  // bytes in blocks_
  uint64_t reserved_ = 0;   // bytes of weights
};

}  // namespace hbm::simulator
