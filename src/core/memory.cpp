// SPDX-License-Identifier: Apache-2.0
// Allocates, flushes and pools device memory.
#include "memory.hpp"

#include <algorithm>
#include <iterator>
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
  try {
    if (buffer == nullptr) buffer = allocate(size);
  } catch (...) {
    run_ended({size});
    throw;
  }
  return {buffer.release(), [pool = weak_from_this()](DeviceBuffer* given) {
            std::unique_ptr<DeviceBuffer> owned(given);
            if (const auto alive = pool.lock()) alive->give_back(std::move(owned));
          }};
}

std::unique_ptr<DeviceBuffer> BufferPool::allocate(int64_t size) const {
  try {
    return std::make_unique<DeviceBuffer>(library_, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kMemory || !free_idle_of_all_pools()) throw;
    return std::make_unique<DeviceBuffer>(library_, size);
  }
}

std::unique_ptr<DeviceBuffer> BufferPool::take_idle(int64_t size) {
  const std::lock_guard lock(mutex_);
  Shelf& shelf = shelves_[size];
  shelf.most_in_runs = std::max(shelf.most_in_runs, ++shelf.in_runs);
  if (shelf.idle.empty()) return nullptr;
  std::unique_ptr<DeviceBuffer> buffer = std::move(shelf.idle.back());
  shelf.idle.pop_back();
  return buffer;
}

void BufferPool::run_ended(const std::vector<int64_t>& sizes) noexcept {
  const std::lock_guard lock(mutex_);
  for (const int64_t size : sizes) --shelves_.find(size)->second.in_runs;
}

void BufferPool::give_back(std::unique_ptr<DeviceBuffer> buffer) noexcept {
  // A forked child may have inherited a locked mutex.
  if (!library_->is_usable()) return;
  try {
    const std::lock_guard lock(mutex_);
    Shelf& shelf = shelves_[buffer->size()];
    if (shelf.idle.size() < shelf.most_in_runs) shelf.idle.push_back(std::move(buffer));
  } catch (const std::exception&) {
    // No memory to remember the buffer: it is freed instead.
  }
}

bool BufferPool::free_idle() {
  std::vector<std::unique_ptr<DeviceBuffer>> idle;  // freed without the lock
  const std::lock_guard lock(mutex_);
  for (auto& [size, shelf] : shelves_) {
    std::move(shelf.idle.begin(), shelf.idle.end(), std::back_inserter(idle));
    shelf.idle.clear();
  }
  return !idle.empty();
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

std::shared_ptr<DeviceBuffer> RunBuffers::acquire(int64_t size) {
  sizes_.reserve(sizes_.size() + 1);  // so that remembering cannot fail
  auto buffer = pool_->acquire(size);
  sizes_.push_back(size);
  return buffer;
}

}  // namespace hbm
