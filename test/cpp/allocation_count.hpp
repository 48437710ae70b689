// SPDX-License-Identifier: Apache-2.0
// Counts what the whole process allocates from the C library's heap, in any thread and library.
#pragma once

#include <cstdint>

namespace hbm::test {

// False where a sanitizer owns the heap: then nothing is counted.
[[nodiscard]] bool counts_allocations() noexcept;
// Calls of malloc, calloc, realloc, aligned_alloc and operator new so far.
[[nodiscard]] uint64_t allocation_count() noexcept;

}  // namespace hbm::test
