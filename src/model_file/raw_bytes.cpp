// SPDX-License-Identifier: Apache-2.0
// The checksum takes eight bytes at a time: weights are large.
#include "model_file/raw_bytes.hpp"

#include <array>
#include <cstring>

namespace hbm::simulator {
namespace {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[n][b]: what the byte b does to the checksum with n more bytes behind it.
Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
    }
    tables[0][byte] = value;
  }
  for (std::size_t n = 1; n < tables.size(); ++n) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[n - 1][byte];
      tables[n][byte] = tables[0][before & 0xFFU] ^ (before >> 8U);
    }
  }
  return tables;
}

}  // namespace

uint32_t crc32(const std::byte* bytes, std::size_t size) {
  static const Tables tables = make_tables();
  uint32_t crc = 0xFFFFFFFFU;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    word ^= crc;
    crc = 0;
    for (std::size_t n = 0; n < 8; ++n) crc ^= tables[7 - n][word >> (8 * n) & 0xFFU];
  }
  for (; size > 0; --size, ++bytes) {
    crc = tables[0][(crc ^ static_cast<uint32_t>(*bytes)) & 0xFFU] ^ (crc >> 8U);
  }
  return crc ^ 0xFFFFFFFFU;
}

const char* utf8_problem(const char* bytes, std::size_t size) {
  for (std::size_t at = 0; at < size;) {
    const auto lead = static_cast<unsigned char>(bytes[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    if (lead < 0xC2 || lead > 0xF4) return "invalid start byte";
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    for (std::size_t index = 1; index < length; ++index) {
      if (at + index == size) return "unexpected end of data";
      const auto byte = static_cast<unsigned char>(bytes[at + index]);
      unsigned low = 0x80;
      unsigned high = 0xBF;
      if (index == 1) {  // no overlong form, no surrogate, nothing above U+10FFFF
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
      }
      if (byte < low || byte > high) return "invalid continuation byte";
    }
    at += length;
  }
  return nullptr;
}

}  // namespace hbm::simulator
