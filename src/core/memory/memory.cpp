// SPDX-License-Identifier: Apache-2.0
// Allocates, flushes and frees device memory.
#include "core/memory/memory.hpp"

#include <string>
#include <utility>

#include "core/board/error.hpp"
#include "core/board/release.hpp"

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

}  // namespace hbm
