// SPDX-License-Identifier: Apache-2.0
// Device memory with an owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/board/library.hpp"

namespace hbm {

class DeviceBuffer {
 public:
  // Cached memory of exactly `size` bytes; throws Error(kMemory).
  DeviceBuffer(std::shared_ptr<const Library> library, int64_t size);
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer();

  [[nodiscard]] std::byte* data() const noexcept {
    return static_cast<std::byte*>(memory_.virAddr);
  }
  [[nodiscard]] int64_t size() const noexcept { return size_; }
  [[nodiscard]] const hbUCPSysMem& memory() const noexcept { return memory_; }
  [[nodiscard]] const Library& library() const noexcept { return *library_; }

  void clean() const;       // after the CPU wrote, before the device reads
  void invalidate() const;  // before the CPU reads what the device wrote

 private:
  std::shared_ptr<const Library> library_;
  hbUCPSysMem memory_{};
  int64_t size_;
};

}  // namespace hbm
