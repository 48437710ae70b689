// SPDX-License-Identifier: Apache-2.0
// Allocates, flushes and pools device memory.
#include "memory.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "error.hpp"
#include "release.hpp"

namespace hbm {

namespace {

// All pools of this process, so that one can use what lies idle in another.
struct PoolList {
  [[nodiscard]] static PoolList& instance() {
    static PoolList list;
    return list;
  }

  std::mutex mutex;
  std::vector<std::weak_ptr<BufferPool>> pools;
};

}  // namespace

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

std::shared_ptr<BufferPool> BufferPool::create(std::shared_ptr<const Library> library) {
  std::shared_ptr<BufferPool> pool(new BufferPool(std::move(library)));
  PoolList& list = PoolList::instance();
  const std::lock_guard lock(list.mutex);
  const auto is_gone = [](const auto& known) { return known.expired(); };
  list.pools.erase(std::remove_if(list.pools.begin(), list.pools.end(), is_gone), list.pools.end());
  list.pools.push_back(pool);
  return pool;
}

std::shared_ptr<DeviceBuffer> BufferPool::acquire(int64_t size) {
  std::unique_ptr<DeviceBuffer> buffer = take_idle(size);
  if (buffer == nullptr) {
    try {
      buffer = std::make_unique<DeviceBuffer>(library_, size);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kMemory || !free_idle_of_all_pools()) throw;
      buffer = std::make_unique<DeviceBuffer>(library_, size);
    }
  }
  return {buffer.release(), [pool = weak_from_this()](DeviceBuffer* given) {
            std::unique_ptr<DeviceBuffer> owned(given);
            if (const auto alive = pool.lock()) alive->give_back(std::move(owned));
          }};
}

std::unique_ptr<DeviceBuffer> BufferPool::take_idle(int64_t size) {
  const std::lock_guard lock(mutex_);
  const auto found = idle_.find(size);
  if (found == idle_.end() || found->second.empty()) return nullptr;
  std::unique_ptr<DeviceBuffer> buffer = std::move(found->second.back());
  found->second.pop_back();
  return buffer;
}

bool BufferPool::free_idle() {
  std::map<int64_t, std::vector<std::unique_ptr<DeviceBuffer>>> idle;  // freed without the lock
  const std::lock_guard lock(mutex_);
  idle.swap(idle_);
  return std::any_of(idle.begin(), idle.end(),
                     [](const auto& same) { return !same.second.empty(); });
}

bool BufferPool::free_idle_of_all_pools() {
  std::vector<std::weak_ptr<BufferPool>> pools;
  {
    PoolList& list = PoolList::instance();
    const std::lock_guard lock(list.mutex);
    pools = list.pools;
  }
  bool any = false;
  for (const auto& known : pools) {
    if (const auto pool = known.lock()) any = pool->free_idle() || any;
  }
  return any;
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
