// SPDX-License-Identifier: Apache-2.0
// The one end of the simulator's log, shared by both libraries: the runtime's sink or stderr.
#include <atomic>
#include <cstdio>

#include "abi/environment.hpp"
#include "simulator/watching/log.hpp"

namespace {

std::atomic<hbm::simulator::LogSink> current_sink{nullptr};

constexpr hbm::NumberVariable kLowestLevel{"HB_UCP_LOG_LEVEL", 0, 6,
                                           static_cast<int>(hbm::simulator::LogLevel::kWarning)};

}  // namespace

extern "C" void hbSimLog(int level, const char* text) {
  const auto sink = current_sink.load(std::memory_order_acquire);
  if (sink != nullptr) {
    sink(level, text);  // filters by itself
  } else if (level >= kLowestLevel.value()) {
    std::fprintf(stderr, "[simulator] %s\n", text);
  }
}

extern "C" void hbSimSetLogSink(hbm::simulator::LogSink sink) {
  current_sink.store(sink, std::memory_order_release);
}
