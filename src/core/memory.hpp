// SPDX-License-Identifier: Apache-2.0
// Device memory with an owner, and the pool that saves allocating it for every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "library.hpp"

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

  void clean() const;       // after the CPU wrote, before the device reads
  void invalidate() const;  // before the CPU reads what the device wrote

 private:
  std::shared_ptr<const Library> library_;
  hbUCPSysMem memory_{};
  int64_t size_;
};

// Hands out buffers by size and takes them back when their last owner lets go. It keeps as many
// idle ones of a size as runs have needed at the same time; all others are freed at once.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  [[nodiscard]] static std::shared_ptr<BufferPool> create(std::shared_ptr<const Library> library);

 private:
  friend class RunBuffers;

  struct Shelf {
    std::vector<std::unique_ptr<DeviceBuffer>> idle;
    std::size_t in_runs = 0;
    std::size_t most_in_runs = 0;
  };

  explicit BufferPool(std::shared_ptr<const Library> library) : library_(std::move(library)) {}
  [[nodiscard]] std::shared_ptr<DeviceBuffer> acquire(int64_t size);
  [[nodiscard]] std::unique_ptr<DeviceBuffer> allocate(int64_t size) const;
  void run_ended(const std::vector<int64_t>& sizes) noexcept;
  [[nodiscard]] std::unique_ptr<DeviceBuffer> take_idle(int64_t size);
  void give_back(std::unique_ptr<DeviceBuffer> buffer) noexcept;
  // Both tell whether there was anything to free.
  bool free_idle();
  static bool free_idle_of_all_pools();

  std::shared_ptr<const Library> library_;
  std::mutex mutex_;
  std::map<int64_t, Shelf> shelves_;
};

// The buffers of one run; its end tells the pool that they are no longer needed for it.
class RunBuffers {
 public:
  explicit RunBuffers(std::shared_ptr<BufferPool> pool) : pool_(std::move(pool)) {}
  RunBuffers(const RunBuffers&) = delete;
  RunBuffers& operator=(const RunBuffers&) = delete;
  ~RunBuffers() { pool_->run_ended(sizes_); }

  // The buffer returns to the pool, or is freed once the pool is gone. When the device has no
  // memory left, the idle buffers of all pools of this process are freed first.
  [[nodiscard]] std::shared_ptr<DeviceBuffer> acquire(int64_t size);

 private:
  std::shared_ptr<BufferPool> pool_;
  std::vector<int64_t> sizes_;
};

}  // namespace hbm
