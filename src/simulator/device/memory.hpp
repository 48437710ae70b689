// SPDX-License-Identifier: Apache-2.0
// Device memory of the simulated chip: every allocation is known, bounded and checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "abi/hb_ucp.h"

namespace hbm::simulator {

class Memory {
 public:
  explicit Memory(uint64_t capacity_bytes) : capacity_(capacity_bytes) {}

  [[nodiscard]] int32_t allocate(hbUCPSysMem* memory, uint64_t size);
  // Frees by virAddr and clears the struct; a second free of the same address is an error.
  [[nodiscard]] int32_t release(hbUCPSysMem* memory);
  [[nodiscard]] int32_t flush(const hbUCPSysMem* memory, int32_t flag) const;
  // Bytes from `address` to the end of its allocation, 0 when it lies in none.
  [[nodiscard]] uint64_t bytes_from(const void* address) const;
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
  // With the mutex; says so in the log when there is not so much.
  [[nodiscard]] bool has_room(uint64_t size, const char* what) const;

  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  struct Block {
    std::unique_ptr<std::byte, Free> bytes;
    uint64_t size;
  };

  const uint64_t capacity_;
  mutable std::mutex mutex_;
  std::map<uintptr_t, Block> blocks_;
  uint64_t allocated_ = 0;  // bytes in blocks_
  uint64_t reserved_ = 0;   // bytes of weights
};

}  // namespace hbm::simulator
