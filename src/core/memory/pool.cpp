// SPDX-License-Identifier: Apache-2.0
// Hands device buffers out and takes them back.
#include "core/memory/pool.hpp"

#include <algorithm>
#include <iterator>

#include "core/board/error.hpp"

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

void BufferRef::reset() noexcept {
  PooledBuffer* const buffer = std::exchange(buffer_, nullptr);
  if (buffer == nullptr || buffer->owners_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<BufferPool> pool = std::move(buffer->pool_);
  pool->give_back(std::unique_ptr<PooledBuffer>(buffer));
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

void BufferPool::acquire(const std::vector<int64_t>& sizes, std::vector<BufferRef>& buffers) {
  const std::size_t before = buffers.size();
  buffers.reserve(before + sizes.size());
  {
    const std::lock_guard lock(mutex_);
    for (const int64_t size : sizes) {
      Shelf& shelf = shelves_[size];
      shelf.most_in_runs = std::max(shelf.most_in_runs, ++shelf.in_runs);
      if (shelf.idle.empty()) {
        buffers.emplace_back();
        continue;
      }
      use_.idle_bytes -= size;
      use_.used_bytes += size;
      buffers.push_back(hand_out(std::move(shelf.idle.back())));
      shelf.idle.pop_back();
    }
  }
  try {
    for (std::size_t index = 0; index < sizes.size(); ++index) {
      BufferRef& buffer = buffers[before + index];
      if (!buffer) buffer = hand_out(allocate(sizes[index]));
    }
  } catch (...) {
    buffers.resize(before);
    run_ended(sizes);
    throw;
  }
}

BufferRef BufferPool::acquire_apart(int64_t size) {
  std::unique_ptr<PooledBuffer> buffer = allocate(size);
  buffer->pooled_ = false;
  return hand_out(std::move(buffer));
}

BufferRef BufferPool::hand_out(std::unique_ptr<PooledBuffer> buffer) {
  buffer->pool_ = shared_from_this();
  return BufferRef(buffer.release());
}

std::unique_ptr<PooledBuffer> BufferPool::allocate(int64_t size) {
  std::unique_ptr<PooledBuffer> made;
  try {
    made = std::make_unique<PooledBuffer>(library_, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kMemory || !free_idle_of_all_pools()) throw;
    made = std::make_unique<PooledBuffer>(library_, size);
  }
  const std::lock_guard lock(mutex_);
  ++use_.allocations;
  use_.used_bytes += size;
  return made;
}

void BufferPool::run_ended(const std::vector<int64_t>& sizes) noexcept {
  const std::lock_guard lock(mutex_);
  for (const int64_t size : sizes) --shelves_.find(size)->second.in_runs;
}

void BufferPool::give_back(std::unique_ptr<PooledBuffer> buffer) noexcept {
  // A forked child may have inherited a locked mutex.
  if (!library_->is_usable()) return;
  const int64_t size = buffer->device().size();
  const std::lock_guard lock(mutex_);
  use_.used_bytes -= size;
  if (closed_ || !buffer->pooled_) return;
  Shelf& shelf = shelves_.find(size)->second;
  if (shelf.idle.size() >= shelf.most_in_runs) return;
  try {
    shelf.idle.push_back(std::move(buffer));
    use_.idle_bytes += size;
  } catch (const std::exception&) {
    // No memory to remember the buffer: it is freed instead.
  }
}

void BufferPool::close() noexcept {
  if (!library_->is_usable()) return;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  try {
    free_idle();
  } catch (const std::exception&) {
    // No memory to collect them: they go with the pool.
  }
}

PoolUse BufferPool::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

bool BufferPool::free_idle() {
  std::map<int64_t, std::vector<std::unique_ptr<PooledBuffer>>> idle;  // freed without the lock
  const std::lock_guard lock(mutex_);
  for (auto& [size, shelf] : shelves_) {
    if (!shelf.idle.empty()) idle[size].swap(shelf.idle);
  }
  use_.idle_bytes = 0;
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

}  // namespace hbm
