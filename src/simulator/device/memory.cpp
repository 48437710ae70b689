// SPDX-License-Identifier: Apache-2.0
// Allocates, checks and frees the simulated chip's device memory.
#include "simulator/device/memory.hpp"

#include <algorithm>
#include <cstring>

#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

constexpr uint64_t kAddressAlignment = 64 * 1024;  // bytes, as seen on boards
// Physical addresses are made up: different from virtual ones, so that mixing them up shows.
constexpr uint64_t kPhysicalOffset = 0x100000000000ULL;

// What a strict memory fills with: no result is made of them by chance, and each tells what is
// missing. The device's is not a number in every floating-point type.
constexpr int kNeverWritten = 0xFB;    // by the CPU, or by the device before invalidating
constexpr int kNeverCleaned = 0xFF;    // what the device sees
constexpr int kNotInvalidated = 0xFA;  // what the CPU sees of what the device wrote since
constexpr int kFreed = 0xFD;
constexpr uint64_t kMostQuarantined = 64U << 20U;  // bytes

uintptr_t number_of(const void* address) { return reinterpret_cast<uintptr_t>(address); }

std::byte* new_bytes(uint64_t size) {
  void* bytes = nullptr;
  return ::posix_memalign(&bytes, kAddressAlignment, size) == 0 ? static_cast<std::byte*>(bytes)
                                                                : nullptr;
}

}  // namespace

int32_t Memory::allocate(hbUCPSysMem* memory, uint64_t size, Caching caching) {
  if (memory == nullptr || size == 0) return HB_UCP_INVALID_ARGUMENT;
  const std::lock_guard lock(mutex_);
  if (!has_room(size, "a buffer")) return HB_UCP_MEM_ALLOC_FAIL;
  Block block{Bytes(new_bytes(size)), nullptr, size};
  if (block.bytes == nullptr) return HB_UCP_MEM_ALLOC_FAIL;
  if (strict_) {
    std::memset(block.bytes.get(), kNeverWritten, size);
    if (caching == Caching::kCached) {
      block.device.reset(new_bytes(size));
      if (block.device == nullptr) return HB_UCP_MEM_ALLOC_FAIL;
      std::memset(block.device.get(), kNeverCleaned, size);
    }
  }
  std::byte* const bytes = block.bytes.get();
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
  if (strict_) quarantine(std::move(found->second));
  blocks_.erase(found);
  *memory = hbUCPSysMem{};
  return HB_UCP_SUCCESS;
}

void Memory::quarantine(Block block) {
  std::memset(block.bytes.get(), kFreed, block.size);
  quarantined_bytes_ += block.size;
  quarantined_.push_back(std::move(block));
  while (quarantined_bytes_ > kMostQuarantined) {
    const Block& oldest = quarantined_.front();
    const std::byte* const begin = oldest.bytes.get();
    const std::byte* const end = begin + oldest.size;
    const std::byte* const written =
        std::find_if(begin, end, [](std::byte byte) { return byte != std::byte{kFreed}; });
    if (written != end) {
      log(LogLevel::kError,
          "hbUCPFree: a block of %llu bytes at %p was written to after it was freed, from byte "
          "%lld on",
          static_cast<unsigned long long>(oldest.size), static_cast<const void*>(begin),
          static_cast<long long>(written - begin));
    }
    quarantined_bytes_ -= oldest.size;
    quarantined_.pop_front();
  }
}

int32_t Memory::flush(const hbUCPSysMem* memory, int32_t flag) {
  if (memory == nullptr ||
      (flag != HB_SYS_MEM_CACHE_INVALIDATE && flag != HB_SYS_MEM_CACHE_CLEAN)) {
    return HB_UCP_INVALID_ARGUMENT;
  }
  const bool clean = flag == HB_SYS_MEM_CACHE_CLEAN;
  const std::lock_guard lock(mutex_);
  const auto found = block_of(number_of(memory->virAddr));
  const uint64_t offset = found == blocks_.end() ? 0 : number_of(memory->virAddr) - found->first;
  if (found == blocks_.end() || memory->memSize > found->second.size - offset) {
    if (memory->memSize == 0) return HB_UCP_SUCCESS;
    return clean ? HB_UCP_MEM_FLUSH_FAIL : HB_UCP_MEM_INVALIDATE_FAIL;
  }
  const Block& block = found->second;
  if (block.device != nullptr) {
    std::byte* const of_cpu = block.bytes.get() + offset;
    std::byte* const of_device = block.device.get() + offset;
    std::memcpy(clean ? of_device : of_cpu, clean ? of_cpu : of_device, memory->memSize);
  }
  return HB_UCP_SUCCESS;
}

std::byte* Memory::device_side(const hbUCPSysMem& memory) const {
  if (!strict_) return static_cast<std::byte*>(memory.virAddr);
  const std::lock_guard lock(mutex_);
  const auto found = block_of(static_cast<uintptr_t>(memory.phyAddr - kPhysicalOffset));
  if (found == blocks_.end() || memory.phyAddr - kPhysicalOffset != number_of(memory.virAddr)) {
    return nullptr;
  }
  const Block& block = found->second;
  const Bytes& seen = block.device != nullptr ? block.device : block.bytes;
  return seen.get() + (number_of(memory.virAddr) - found->first);
}

void Memory::written_by_device(void* address, uint64_t size) {
  if (!strict_) return;
  const std::lock_guard lock(mutex_);
  const auto found = block_of(number_of(address));
  if (found == blocks_.end() || found->second.device == nullptr) return;
  const uint64_t rest = found->second.size - (number_of(address) - found->first);
  std::memset(address, kNotInvalidated, std::min(size, rest));
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
  const std::lock_guard lock(mutex_);
  const auto found = block_of(number_of(address));
  return found == blocks_.end() ? 0 : found->second.size - (number_of(address) - found->first);
}

Memory::Blocks::const_iterator Memory::block_of(uintptr_t address) const {
  const auto after = blocks_.upper_bound(address);
  if (after == blocks_.begin()) return blocks_.end();
  const auto found = std::prev(after);
  return address - found->first < found->second.size ? found : blocks_.end();
}

}  // namespace hbm::simulator
