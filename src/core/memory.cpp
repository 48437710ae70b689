// SPDX-License-Identifier: Apache-2.0
// Allocates, flushes and pools device memory.
#include "memory.hpp"

#include <string>
#include <utility>

#include "error.hpp"
#include "release.hpp"

namespace hbm {

DeviceBuffer::DeviceBuffer(std::shared_ptr<const Library> library, int64_t size)
    : library_(std::move(library)), size_(size) {
  check(library_->hbUCPMallocCached(&memory_, static_cast<uint64_t>(size), 0), "hbUCPMallocCached",
        "allocate " + std::to_string(size) + " bytes of device memory");
}

DeviceBuffer::~DeviceBuffer() {
  if (!library_->is_usable()) return;
  release_or_log("hbUCPFree", [this] { return library_->hbUCPFree(&memory_); });
}

void DeviceBuffer::clean() const {
  check(library_->hbUCPMemFlush(&memory_, HB_SYS_MEM_CACHE_CLEAN), "hbUCPMemFlush",
        "hand an input over to the device");
}

void DeviceBuffer::invalidate() const {
  check(library_->hbUCPMemFlush(&memory_, HB_SYS_MEM_CACHE_INVALIDATE), "hbUCPMemFlush",
        "take an output over from the device");
}

std::shared_ptr<DeviceBuffer> BufferPool::acquire(int64_t size) {
  std::unique_ptr<DeviceBuffer> buffer;
  {
    const std::lock_guard lock(mutex_);
    const auto found = idle_.find(size);
    if (found != idle_.end() && !found->second.empty()) {
      buffer = std::move(found->second.back());
      found->second.pop_back();
    }
  }
  if (buffer == nullptr) buffer = std::make_unique<DeviceBuffer>(library_, size);
  return {buffer.release(), [pool = weak_from_this()](DeviceBuffer* given) {
            std::unique_ptr<DeviceBuffer> owned(given);
            if (const auto alive = pool.lock()) alive->give_back(std::move(owned));
          }};
}

void BufferPool::give_back(std::unique_ptr<DeviceBuffer> buffer) noexcept {
  // A forked child may have inherited a locked mutex.
  if (!library_->is_usable()) return;
  try {
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[buffer->size()];
    if (idle.size() < kMaxIdlePerSize) idle.push_back(std::move(buffer));
  } catch (const std::exception&) {
    // No memory to remember the buffer: it is freed instead.
  }
}

}  // namespace hbm
