// SPDX-License-Identifier: Apache-2.0
// Allocates, checks and frees the simulated chip's device memory.
#include "simulator/device/memory.hpp"

#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

constexpr uint64_t kAddressAlignment = 64 * 1024;  // bytes, as seen on boards
// Physical addresses are made up: different from virtual ones, so that mixing them up shows.
constexpr uint64_t kPhysicalOffset = 0x100000000000ULL;

uintptr_t number_of(const void* address) { return reinterpret_cast<uintptr_t>(address); }

}  // namespace

int32_t Memory::allocate(hbUCPSysMem* memory, uint64_t size) {
  if (memory == nullptr || size == 0) return HB_UCP_INVALID_ARGUMENT;
  const std::lock_guard lock(mutex_);
  if (!has_room(size, "a buffer")) return HB_UCP_MEM_ALLOC_FAIL;
  void* bytes = nullptr;
  if (::posix_memalign(&bytes, kAddressAlignment, size) != 0) return HB_UCP_MEM_ALLOC_FAIL;
  Block block{std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(bytes)), size};
  blocks_.emplace(number_of(bytes), std::move(block));
  allocated_ += size;
  *memory = hbUCPSysMem{number_of(bytes) + kPhysicalOffset, bytes, size};
  return HB_UCP_SUCCESS;
}

int32_t Memory::release(hbUCPSysMem* memory) {
  if (memory == nullptr) return HB_UCP_INVALID_ARGUMENT;
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(number_of(memory->virAddr));
  if (found == blocks_.end()) {
    log(LogLevel::kError, "hbUCPFree: %p is no start of device memory, or was freed before",
        memory->virAddr);
    return HB_UCP_MEM_FREE_FAIL;
  }
  allocated_ -= found->second.size;
  blocks_.erase(found);
  *memory = hbUCPSysMem{};
  return HB_UCP_SUCCESS;
}

int32_t Memory::flush(const hbUCPSysMem* memory, int32_t flag) const {
  if (memory == nullptr ||
      (flag != HB_SYS_MEM_CACHE_INVALIDATE && flag != HB_SYS_MEM_CACHE_CLEAN)) {
    return HB_UCP_INVALID_ARGUMENT;
  }
  if (memory->memSize <= bytes_from(memory->virAddr)) return HB_UCP_SUCCESS;
  return flag == HB_SYS_MEM_CACHE_CLEAN ? HB_UCP_MEM_FLUSH_FAIL : HB_UCP_MEM_INVALIDATE_FAIL;
}

bool Memory::has_room(uint64_t size, const char* what) const {
  const uint64_t room = capacity_ - allocated_ - reserved_;
  if (size <= room) return true;
  log(LogLevel::kError,
      "device memory exhausted: %s needs %llu bytes, %llu of %llu are free (HBM_SIM_MEMORY_MB)",
      what, static_cast<unsigned long long>(size), static_cast<unsigned long long>(room),
      static_cast<unsigned long long>(capacity_));
  return false;
}

bool Memory::reserve(uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (!has_room(size, "a model")) return false;
  reserved_ += size;
  return true;
}

void Memory::unreserve(uint64_t size) noexcept {
  const std::lock_guard lock(mutex_);
  reserved_ -= size;
}

Memory::Held Memory::held() const {
  const std::lock_guard lock(mutex_);
  return {blocks_.size(), allocated_};
}

uint64_t Memory::bytes_from(const void* address) const {
  const uintptr_t wanted = number_of(address);
  const std::lock_guard lock(mutex_);
  auto after = blocks_.upper_bound(wanted);
  if (after == blocks_.begin()) return 0;
  const auto& [start, block] = *std::prev(after);
  const uint64_t offset = wanted - start;
  return offset < block.size ? block.size - offset : 0;
}

}  // namespace hbm::simulator
