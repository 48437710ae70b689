// SPDX-License-Identifier: Apache-2.0
// The one end of the simulator's log, shared by both libraries: the runtime's sink or stderr.
#include <array>
#include <atomic>
#include <cstdio>
#include <new>
#include <string>

#include "abi/environment.hpp"
#include "simulator/watching/log.hpp"

namespace {

std::atomic<hbm::simulator::LogSink> current_sink{nullptr};

constexpr hbm::NumberVariable kLowestLevel{"HB_UCP_LOG_LEVEL", 0, 6,
                                           static_cast<int>(hbm::simulator::LogLevel::kWarning)};

// Names in a line come from files: no line break or escape of theirs may reach a terminal.
std::string printable(const char* text) {
  std::string line;
  for (const char* at = text; *at != '\0'; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte >= 0x20 && byte != 0x7f) {
      line += *at;
    } else {
      std::array<char, 5> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", byte);
      line += escape.data();
    }
  }
  return line;
}

}  // namespace

extern "C" void hbSimLog(int level, const char* text) {
  const auto sink = current_sink.load(std::memory_order_acquire);
  if (sink != nullptr) {
    sink(level, text);  // filters by itself
  } else if (level >= kLowestLevel.value()) {
    try {
      std::fprintf(stderr, "[simulator] %s\n", printable(text).c_str());
    } catch (const std::bad_alloc&) {
      std::fputs("[simulator] a log line was lost: no memory\n", stderr);
    }
  }
}

extern "C" void hbSimSetLogSink(hbm::simulator::LogSink sink) {
  current_sink.store(sink, std::memory_order_release);
}
