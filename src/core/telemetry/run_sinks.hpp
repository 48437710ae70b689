// SPDX-License-Identifier: Apache-2.0
// Where the runs of a runtime are counted and traced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/telemetry/run_trace.hpp"
#include "core/telemetry/statistics.hpp"

namespace hbm {

// Outlives its runtime when runs do.
struct RunSinks {
  explicit RunSinks(int core_count) : statistics(core_count) {}

  RuntimeStatistics statistics;
  RunTrace trace;
};

// One model's part of it, found once when the model is loaded.
struct ModelRecord {
  ModelRecord(std::shared_ptr<RunSinks> of_runtime, const std::string& model)
      : sinks(std::move(of_runtime)),
        statistics(sinks->statistics.model(model)),
        trace_id(sinks->trace.model_id(model)) {}

  std::shared_ptr<RunSinks> sinks;
  std::shared_ptr<ModelStatistics> statistics;
  uint32_t trace_id;
};

}  // namespace hbm
