// SPDX-License-Identifier: Apache-2.0
// Keeps spans and writes them in Chrome's JSON trace format.
#include "simulator/watching/device_trace.hpp"

#include <unistd.h>

#include <cinttypes>
#include <filesystem>
#include <system_error>

#include "abi/chips.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

constexpr std::size_t kMostSpans = 1U << 18U;  // about 20 MB
constexpr std::size_t kMostModels = 1024;
// Chrome's "processes" are the groups of tracks: one for the cores, one for each model.
constexpr uint32_t kCoresPid = 1;
constexpr uint32_t kFirstModelPid = 2;

std::string expand_pid(std::string path) {
  const std::size_t at = path.find("%p");
  if (at != std::string::npos) path.replace(at, 2, std::to_string(::getpid()));
  return path;
}

// A JSON string. Names in model files are UTF-8 already.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte == '"' || byte == '\\') {
      result += '\\';
      result += character;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", byte);
      result += escape;
    } else {
      result += character;
    }
  }
  return result + '"';
}

const char* name_of(SpanKind kind) {
  switch (kind) {
    case SpanKind::kQueued:
      return "queued";
    case SpanKind::kPreempted:
      return "preempted";
    case SpanKind::kStall:
      return "stall";
    case SpanKind::kRunning:
    case SpanKind::kCall:
      break;
  }
  return "running";
}

class Writer {
 public:
  explicit Writer(std::FILE* file) : file_(file) { std::fputs("{\"traceEvents\":[", file_); }

  void name_group(uint32_t pid, uint32_t order, const std::string& name) {
    start();
    std::fprintf(file_,
                 "{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":%s}},\n"
                 "{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_sort_index\",\"args\":"
                 "{\"sort_index\":%u}}",
                 pid, quoted(name).c_str(), pid, order);
  }

  void name_core(uint32_t core) {
    start();
    std::fprintf(file_,
                 "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"thread_name\",\"args\":"
                 "{\"name\":\"BPU core %u\"}}",
                 kCoresPid, core, core);
  }

  // A function call or stall on each of its cores.
  void on_cores(const Span& span, const std::string& model) {
    for (uint32_t core = 0; core < kMostBpuCores; ++core) {
      if ((span.cores & (1U << core)) == 0) continue;
      start();
      const std::string name = span.kind == SpanKind::kStall ? "stall" : model;
      std::fprintf(
          file_,
          "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":%.3f,\"dur\":%.3f,\"cat\":\"%s\","
          "\"name\":%s,\"args\":{\"task\":%" PRIu64
          ",\"call\":%u,\"calls\":%u,\"priority\":%d,\"custom_id\":%" PRId64 ",\"status\":%d}}",
          kCoresPid, core, microseconds(span.begin),
          microseconds(span.end) - microseconds(span.begin),
          span.kind == SpanKind::kStall ? "stall" : "call", quoted(name).c_str(), span.task,
          span.call + 1, span.call_count, span.priority, span.custom_id, span.status);
    }
  }

  // A stretch of a task's life on its model's track.
  void on_model(const Span& span) {
    for (const bool begin : {true, false}) {
      start();
      std::fprintf(file_,
                   "{\"ph\":\"%c\",\"pid\":%u,\"id\":%" PRIu64
                   ",\"ts\":%.3f,\"cat\":\"task\",\"name\":\"%s\"",
                   begin ? 'b' : 'e', kFirstModelPid + span.model, span.task,
                   microseconds(begin ? span.begin : span.end), name_of(span.kind));
      if (begin) {
        std::fprintf(file_,
                     ",\"args\":{\"task\":%" PRIu64 ",\"priority\":%d,\"custom_id\":%" PRId64
                     ",\"cores\":%u}}",
                     span.task, span.priority, span.custom_id, span.cores);
      } else if (span.last) {
        std::fprintf(file_, ",\"args\":{\"status\":%d}}", span.status);
      } else {
        std::fputs("}", file_);
      }
    }
  }

  void end(const char* chip_name, int core_count, uint64_t dropped) {
    std::fprintf(file_,
                 "\n],\"displayTimeUnit\":\"ms\",\"otherData\":{\"soc\":\"%s\",\"cores\":%d,"
                 "\"clock\":\"CLOCK_MONOTONIC, microseconds\",\"dropped_spans\":%" PRIu64 "}}\n",
                 chip_name, core_count, dropped);
  }

 private:
  static double microseconds(std::chrono::steady_clock::time_point time) {
    return std::chrono::duration<double, std::micro>(time.time_since_epoch()).count();
  }

  void start() {
    std::fputs(first_ ? "\n" : ",\n", file_);
    first_ = false;
  }

  std::FILE* file_;
  bool first_ = true;
};

}  // namespace

DeviceTrace::DeviceTrace(const std::string& path, const char* chip_name, int core_count)
    : chip_name_(chip_name), core_count_(core_count) {
  if (path.empty()) return;
  std::error_code error;
  // Absolute: the program may change its folder before the end.
  path_ = std::filesystem::absolute(expand_pid(path), error).string();
  // Tried now, so that a bad path shows at once.
  const WholeFile file(path_);
  on_ = file.stream() != nullptr;
  if (!on_) complain(file);
}

void DeviceTrace::complain(const WholeFile& file) const {
  log(LogLevel::kError, "HBM_SIM_TRACE: %.400s cannot be written (%s); there will be no trace",
      path_.c_str(), file.error().c_str());
}

uint32_t DeviceTrace::number_of(const std::string& model) {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(model);
  if (found != numbers_.end()) return found->second;
  if (names_.size() == kMostModels) return kMostModels - 1;
  const auto number = static_cast<uint32_t>(names_.size());
  if (number + 1 == kMostModels) {
    names_.emplace_back("(other models)");
  } else {
    names_.push_back(model);
    numbers_.emplace(model, number);
  }
  return number;
}

void DeviceTrace::add(const Span& span) {
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  if (spans_.size() == kMostSpans) {
    spans_.pop_front();
    ++dropped_;
  }
  spans_.push_back(span);
}

void DeviceTrace::finish() {
  if (!on_) return;
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  WholeFile file(path_);
  if (file.stream() != nullptr) write(file.stream());
  if (!file.keep()) complain(file);
}

void DeviceTrace::write(std::FILE* file) const {
  Writer writer(file);
  writer.name_group(kCoresPid, 0, std::string("simulated ") + chip_name_);
  for (int core = 0; core < core_count_; ++core) {
    writer.name_core(static_cast<uint32_t>(core));
  }
  for (uint32_t model = 0; model < names_.size(); ++model) {
    writer.name_group(kFirstModelPid + model, model + 1, "model " + names_[model]);
  }
  for (const Span& span : spans_) {
    if (span.kind == SpanKind::kCall || span.kind == SpanKind::kStall) {
      writer.on_cores(span, names_[span.model]);
    } else {
      writer.on_model(span);
    }
  }
  writer.end(chip_name_, core_count_, dropped_);
}

}  // namespace hbm::simulator
