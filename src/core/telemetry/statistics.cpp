// SPDX-License-Identifier: Apache-2.0
// Counts runs and copies, and keeps the models' counters by name.
#include "core/telemetry/statistics.hpp"

#include <algorithm>

namespace hbm {

void ModelStatistics::Copies::add(uint64_t more_copies, uint64_t more_bytes) noexcept {
  copies.fetch_add(more_copies, std::memory_order_relaxed);
  bytes.fetch_add(more_bytes, std::memory_order_relaxed);
}

CopyCount ModelStatistics::Copies::load() const noexcept {
  return {copies.load(std::memory_order_relaxed), bytes.load(std::memory_order_relaxed)};
}

void ModelStatistics::Copies::reset() noexcept {
  copies.store(0, std::memory_order_relaxed);
  bytes.store(0, std::memory_order_relaxed);
}

void ModelStatistics::ended(Outcome outcome) noexcept {
  outcomes_[static_cast<std::size_t>(outcome)].fetch_add(1, std::memory_order_relaxed);
}

void ModelStatistics::finished(const StageTimes& times) noexcept {
  ended(Outcome::kOk);
  stages_[0].add(times.queue_ns);
  stages_[1].add(times.copy_in_ns);
  stages_[2].add(times.execute_ns);
  stages_[3].add(times.copy_out_ns);
  stages_[kRunStages].add(times.total());
}

void ModelStatistics::copied_in(uint64_t copies, uint64_t bytes) noexcept {
  copied_in_.add(copies, bytes);
}

void ModelStatistics::copied_out(uint64_t copies, uint64_t bytes) noexcept {
  copied_out_.add(copies, bytes);
}

ModelSnapshot ModelStatistics::snapshot() const noexcept {
  ModelSnapshot snapshot;
  for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
    snapshot.outcomes[outcome] = outcomes_[outcome].load(std::memory_order_relaxed);
  }
  snapshot.copied_in = copied_in_.load();
  snapshot.copied_out = copied_out_.load();
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    snapshot.stages[stage] = stages_[stage].summary();
  }
  return snapshot;
}

void ModelStatistics::reset() noexcept {
  for (auto& outcome : outcomes_) outcome.store(0, std::memory_order_relaxed);
  copied_in_.reset();
  copied_out_.reset();
  for (Histogram& stage : stages_) stage.reset();
}

std::shared_ptr<ModelStatistics> RuntimeStatistics::model(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (const LoadedModel& model : models_) {
    if (model.first == name) return model.second;
  }
  return models_.emplace_back(name, std::make_shared<ModelStatistics>()).second;
}

void RuntimeStatistics::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  models_.erase(std::remove_if(models_.begin(), models_.end(),
                               [&](const LoadedModel& model) { return model.first == name; }),
                models_.end());
}

RuntimeSnapshot RuntimeStatistics::snapshot(const DeviceMemory& memory) const {
  RuntimeSnapshot snapshot;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, statistics] : models_) {
      snapshot.models.emplace_back(name, statistics->snapshot());
    }
  }
  snapshot.cores = core_use_.snapshot(now_ns());
  snapshot.in_flight = gauges_.in_flight.load(std::memory_order_relaxed);
  snapshot.waiting = gauges_.waiting.load(std::memory_order_relaxed);
  snapshot.memory = memory;
  return snapshot;
}

void RuntimeStatistics::reset() {
  const std::lock_guard lock(mutex_);
  for (const LoadedModel& model : models_) model.second->reset();
  core_use_.reset(now_ns());
}

}  // namespace hbm
