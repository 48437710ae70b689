// SPDX-License-Identifier: Apache-2.0
// What a runtime counts: outcomes, stage times and copies per model, what is under way, core use.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/telemetry/core_use.hpp"
#include "core/telemetry/histogram.hpp"
#include "core/telemetry/stage_times.hpp"

namespace hbm {

struct CopyCount {
  uint64_t copies = 0;
  uint64_t bytes = 0;
};

struct ModelSnapshot {
  std::array<uint64_t, kOutcomes> outcomes{};
  CopyCount copied_in;
  CopyCount copied_out;
  std::array<Histogram::Summary, kRunStages + 1>
      stages{};  // in the order of RunStage, then the total
};

// Counts the runs of one model: any thread, lock-free, in fixed memory (49 KB).
class ModelStatistics {
 public:
  // A run that ended without a result; of a run with one finished() tells more.
  void ended(Outcome outcome) noexcept;
  // A run that ended well: counts it as kOk, with all its stages and their sum.
  void finished(const StageTimes& times) noexcept;
  void copied_in(uint64_t copies, uint64_t bytes) noexcept;
  void copied_out(uint64_t copies, uint64_t bytes) noexcept;

  // Each number is exact; runs that end meanwhile may be in some of them and not yet in others.
  [[nodiscard]] ModelSnapshot snapshot() const noexcept;
  // A run that ends at this very moment may be kept in part.
  void reset() noexcept;

 private:
  struct Copies {
    std::atomic<uint64_t> copies{0};
    std::atomic<uint64_t> bytes{0};

    void add(uint64_t more_copies, uint64_t more_bytes) noexcept;
    [[nodiscard]] CopyCount load() const noexcept;
    void reset() noexcept;
  };

  std::array<std::atomic<uint64_t>, kOutcomes> outcomes_{};
  Copies copied_in_;
  Copies copied_out_;
  std::array<Histogram, kRunStages + 1> stages_;
};

// What is under way now; whoever changes it adds and subtracts.
struct Gauges {
  std::atomic<int64_t> in_flight{0};  // tasks that the accelerator has
  std::atomic<int64_t> waiting{0};    // runs that wait for a place
};

struct DeviceMemory {
  int64_t used = 0;  // bytes of buffers in runs and in the caller's hands
  int64_t idle = 0;  // bytes that the pool keeps for the next runs
};

struct RuntimeSnapshot {
  std::vector<std::pair<std::string, ModelSnapshot>> models;
  CoreUse::Snapshot cores;
  int64_t in_flight = 0;
  int64_t waiting = 0;
  DeviceMemory memory;
};

class RuntimeStatistics {
 public:
  explicit RuntimeStatistics(int core_count) : core_use_(core_count, now_ns()) {}

  // The counters of a model, made when its name comes up first, e.g. at load: keep the pointer,
  // this takes a lock. A model loaded again under the same name goes on counting.
  [[nodiscard]] std::shared_ptr<ModelStatistics> model(const std::string& name);
  // The model is unloaded: it leaves the snapshots.
  void forget(const std::string& name);

  [[nodiscard]] CoreUse& core_use() noexcept { return core_use_; }
  [[nodiscard]] Gauges& gauges() noexcept { return gauges_; }

  // Models in the order in which they came up; the caller knows about the memory.
  [[nodiscard]] RuntimeSnapshot snapshot(const DeviceMemory& memory = {}) const;
  // All counts and times start afresh; gauges and tasks in flight stay what they are.
  void reset();

 private:
  using LoadedModel = std::pair<std::string, std::shared_ptr<ModelStatistics>>;

  mutable std::mutex mutex_;  // of the list, not of the counters
  std::vector<LoadedModel> models_;
  CoreUse core_use_;
  Gauges gauges_;
};

}  // namespace hbm
