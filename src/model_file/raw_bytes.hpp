// SPDX-License-Identifier: Apache-2.0
// What can be said of bytes without knowing what they hold: checksum and UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hbm::simulator {

// CRC-32 as in zlib.
[[nodiscard]] uint32_t crc32(const std::byte* bytes, std::size_t size);

// Why the bytes are not UTF-8, in the words of Python's decoder; null if they are.
[[nodiscard]] const char* utf8_problem(const char* bytes, std::size_t size);

}  // namespace hbm::simulator
