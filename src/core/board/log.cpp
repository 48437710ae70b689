// SPDX-License-Identifier: Apache-2.0
// A bounded buffer of log lines, and the last error of each thread.
#include "core/board/log.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

namespace hbm {
namespace {

constexpr std::size_t kMaxLines = 1000;
constexpr int kErrorLevel = 4;

std::mutex mutex;
std::deque<LogLine> lines;
std::atomic<bool> any{false};
thread_local std::string last_error;

}  // namespace

void record_log_line(int level, const char* text) noexcept {
  try {
    if (level >= kErrorLevel) last_error = text;
    const std::lock_guard lock(mutex);
    if (lines.size() == kMaxLines) lines.pop_front();
    lines.push_back({level, text});
    any = true;
  } catch (const std::exception&) {
    // Without memory for a log line the line is lost, nothing else.
  }
}

std::vector<LogLine> take_log_lines() {
  const std::lock_guard lock(mutex);
  std::vector<LogLine> taken(std::make_move_iterator(lines.begin()),
                             std::make_move_iterator(lines.end()));
  lines.clear();
  any = false;
  return taken;
}

bool has_log_lines() noexcept { return any.load(std::memory_order_relaxed); }

std::string last_error_line() { return std::exchange(last_error, {}); }

}  // namespace hbm
