// SPDX-License-Identifier: Apache-2.0
// HBM_SIM_TRACE: what the simulated cores did, as a file for Perfetto or chrome://tracing.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "simulator/watching/whole_file.hpp"

namespace hbm::simulator {

// A stretch of a task's life, or a function call on a core.
enum class SpanKind : uint8_t { kQueued, kPreempted, kRunning, kCall, kStall };

struct Span {
  SpanKind kind = SpanKind::kQueued;
  uint64_t task = 0;  // counted from 1
  uint32_t model = 0;
  uint32_t cores = 0;  // mask
  uint32_t call = 0;   // which function call, and of how many
  uint32_t call_count = 0;
  int32_t priority = 0;
  int32_t status = 0;
  bool last = false;  // nothing of the task comes after it
  int64_t custom_id = 0;
  std::chrono::steady_clock::time_point begin;
  std::chrono::steady_clock::time_point end;
};

// Keeps the newest spans in bounded memory and writes them in one piece.
class DeviceTrace {
 public:
  // An empty path: no trace. A path that cannot be written is reported in the log.
  DeviceTrace(const std::string& path, const char* chip_name, int core_count);

  [[nodiscard]] bool on() const noexcept { return on_; }
  // The number that stands for a model's name in spans.
  [[nodiscard]] uint32_t number_of(const std::string& model);
  void add(const Span& span);
  // Writes the file and ends the trace. For the process that made it.
  void finish();

 private:
  void write(std::FILE* file) const;
  void complain(const WholeFile& file) const;

  const char* const chip_name_;
  const int core_count_;
  std::string path_;
  bool on_ = false;
  std::mutex mutex_;
  bool finished_ = false;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> names_;
  std::deque<Span> spans_;
  uint64_t dropped_ = 0;
};

}  // namespace hbm::simulator
