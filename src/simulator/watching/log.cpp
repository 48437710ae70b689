// SPDX-License-Identifier: Apache-2.0
// Formats one log line and passes it on to the log of libhbucp.so.
#include "simulator/watching/log.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace hbm::simulator {

void log(LogLevel level, const char* format, ...) noexcept {
  std::array<char, 1024> line{};
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  hbSimLog(static_cast<int>(level), line.data());
}

}  // namespace hbm::simulator
