// SPDX-License-Identifier: Apache-2.0
// Host memory for dense copies of padded tensors, kept from run to run.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace hbm::simulator {

class StagingPool {
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };

 public:
  [[nodiscard]] static StagingPool& instance() {
    // Never destroyed: a core may still hold a buffer at exit.
    static StagingPool& pool = *std::make_unique<StagingPool>().release();
    return pool;
  }

  // Gives itself back.
  class Buffer {
   public:
    explicit Buffer(std::size_t size) : chunk_(instance().take(size)) {}
    Buffer(Buffer&&) = default;
    Buffer& operator=(Buffer&&) = delete;
    ~Buffer() { instance().give_back(std::move(chunk_)); }
    [[nodiscard]] std::byte* data() const noexcept { return chunk_.bytes.get(); }

   private:
    Chunk chunk_;
  };

 private:
  static constexpr std::size_t kMostIdleBytes = 64U << 20U;

  [[nodiscard]] Chunk take(std::size_t size) {
    {
      const std::lock_guard lock(mutex_);
      auto best = idle_.end();
      for (auto chunk = idle_.begin(); chunk != idle_.end(); ++chunk) {
        if (chunk->size >= size && (best == idle_.end() || chunk->size < best->size)) best = chunk;
      }
      // Not one of another magnitude, which a larger tensor will need.
      if (best != idle_.end() && best->size / 4 <= size) {
        Chunk taken = std::move(*best);
        idle_.erase(best);
        idle_bytes_ -= taken.size;
        return taken;
      }
    }
    return {std::unique_ptr<std::byte[]>(new std::byte[size]), size};
  }

  void give_back(Chunk chunk) noexcept {
    const std::lock_guard lock(mutex_);
    if (chunk.bytes == nullptr || chunk.size > kMostIdleBytes - idle_bytes_) return;
    try {
      idle_.push_back(std::move(chunk));
      idle_bytes_ += idle_.back().size;
    } catch (const std::bad_alloc&) {
      return;  // freed instead
    }
  }

  std::mutex mutex_;
  std::vector<Chunk> idle_;
  std::size_t idle_bytes_ = 0;
};

}  // namespace hbm::simulator
