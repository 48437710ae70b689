// SPDX-License-Identifier: Apache-2.0
// Where the runs of a runtime are counted and traced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/telemetry/statistics.hpp"
#include "core/telemetry/trace.hpp"

namespace hbm {

// Outlives its runtime when runs do.
struct Recorder {
  explicit Recorder(int core_count) : statistics(core_count) {}

  RuntimeStatistics statistics;
  Trace trace;
};

// One model's part of it, found once when the model is loaded.
struct ModelRecord {
  ModelRecord(std::shared_ptr<Recorder> of_runtime, const std::string& model)
      : recorder(std::move(of_runtime)),
        statistics(recorder->statistics.model(model)),
        trace_id(recorder->trace.model_id(model)) {}

  std::shared_ptr<Recorder> recorder;
  std::shared_ptr<ModelStatistics> statistics;
  uint32_t trace_id;
};

}  // namespace hbm
