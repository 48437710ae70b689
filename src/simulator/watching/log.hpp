// SPDX-License-Identifier: Apache-2.0
// The simulator's log: to a sink that the runtime sets, otherwise to standard error.
#pragma once

namespace hbm::simulator {

// The levels of HB_UCP_LOG_LEVEL; 6 is never.
enum class LogLevel { kTrace = 0, kDebug = 1, kInfo = 2, kWarning = 3, kError = 4 };

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void log(LogLevel level, const char* format, ...) noexcept;

// Called on the thread that logs; must not call the accelerator's functions.
using LogSink = void (*)(int level, const char* text);

}  // namespace hbm::simulator

// Exported by libhbucp.so for our own use. A null sink puts standard error back.
extern "C" void hbSimSetLogSink(hbm::simulator::LogSink sink);
extern "C" void hbSimLog(int level, const char* text);
