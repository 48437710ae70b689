// SPDX-License-Identifier: Apache-2.0
// The pool that saves allocating device memory for every run.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/memory/memory.hpp"

namespace hbm {

class BufferPool;

// A buffer of a pool; it goes back there when its last BufferRef lets go.
class PooledBuffer {
 public:
  PooledBuffer(std::shared_ptr<const Library> library, int64_t size)
      : device_(std::move(library), size) {}

  [[nodiscard]] const DeviceBuffer& device() const noexcept { return device_; }

 private:
  friend class BufferPool;
  friend class BufferRef;

  DeviceBuffer device_;
  std::atomic<int> owners_{0};
  std::shared_ptr<BufferPool> pool_;  // while in use
  bool pooled_ = true;                // false: freed instead of kept
};

// Shares a pooled buffer; like a shared_ptr, but without an allocation per use.
class BufferRef {
 public:
  BufferRef() = default;
  BufferRef(const BufferRef& other) noexcept : buffer_(other.buffer_) {
    if (buffer_ != nullptr) buffer_->owners_.fetch_add(1, std::memory_order_relaxed);
  }
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() { reset(); }

  void reset() noexcept;

  explicit operator bool() const noexcept { return buffer_ != nullptr; }
  const DeviceBuffer& operator*() const noexcept { return buffer_->device(); }
  const DeviceBuffer* operator->() const noexcept { return &buffer_->device(); }

 private:
  friend class BufferPool;
  explicit BufferRef(PooledBuffer* buffer) noexcept : buffer_(buffer) { ++buffer_->owners_; }

  PooledBuffer* buffer_ = nullptr;
};

// What the pool holds, in bytes and buffers.
struct PoolUse {
  int64_t idle_bytes = 0;
  int64_t used_bytes = 0;
  int64_t allocations = 0;  // since the pool was made
};

// Hands out buffers by size and takes them back. It keeps as many idle ones of a size as runs have
// needed at the same time; all others are freed at once.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  [[nodiscard]] static std::shared_ptr<BufferPool> create(std::shared_ptr<const Library> library);

  // Buffers of these sizes for one run, appended to `buffers`. When the device has no memory left,
  // the idle buffers of all pools of this process are freed first. Throws Error(kMemory), and has
  // then taken nothing.
  void acquire(const std::vector<int64_t>& sizes, std::vector<BufferRef>& buffers);
  // The run is over that needed buffers of these sizes; their owners may keep them.
  void run_ended(const std::vector<int64_t>& sizes) noexcept;
  // A buffer that no run accounts for; freed when its last owner lets go.
  [[nodiscard]] BufferRef acquire_apart(int64_t size);
  // Frees what is idle; from now on nothing is kept.
  void close() noexcept;
  [[nodiscard]] PoolUse use() const;

 private:
  friend class BufferRef;

  struct Shelf {
    std::vector<std::unique_ptr<PooledBuffer>> idle;
    std::size_t in_runs = 0;
    std::size_t most_in_runs = 0;
  };

  explicit BufferPool(std::shared_ptr<const Library> library) : library_(std::move(library)) {}
  [[nodiscard]] std::unique_ptr<PooledBuffer> allocate(int64_t size);
  [[nodiscard]] BufferRef hand_out(std::unique_ptr<PooledBuffer> buffer);
  void give_back(std::unique_ptr<PooledBuffer> buffer) noexcept;
  // Both tell whether there was anything to free.
  bool free_idle();
  static bool free_idle_of_all_pools();

  std::shared_ptr<const Library> library_;
  mutable std::mutex mutex_;
  std::map<int64_t, Shelf> shelves_;
  PoolUse use_;
  bool closed_ = false;
};

}  // namespace hbm
