// SPDX-License-Identifier: Apache-2.0
// Python's calls as the core's: models with their scheduling, arrays in, arrays out.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "core/jobs/ended_jobs.hpp"
#include "core/run/runtime.hpp"

namespace hbm::bindings {

// How a model is scheduled, checked.
struct Scheduling {
  hbUCPSchedParam sched{};
  std::optional<Duration> timeout;   // unless the call has its own
  std::optional<Duration> max_wait;  // until the task goes first
};

// One model as a plan knows it.
struct PlannedModel {
  // The core's call of it, without its arrays.
  [[nodiscard]] ModelCall call(const Scheduling& own) const;

  pybind11::object name;
  std::shared_ptr<const LoadedModel> model;
  std::shared_ptr<const ModelRecord> record;
  Scheduling scheduling;
  std::vector<pybind11::object> input_names;
  std::vector<pybind11::object> output_names;
};

// Models that run together, with the arrays that their inputs lie in.
struct Call {
  std::vector<ModelCall> model_calls;
  std::vector<pybind11::object> held;
  std::vector<const PlannedModel*> models;  // of each model's call
  std::optional<Duration> timeout;
};

// The models of a runtime with their scheduling parameters; never changed, only replaced.
class Plan {
 public:
  // entries: (LoadedModel, Scheduling) in load order.
  Plan(const Runtime& runtime, const pybind11::list& entries);

  // The usual forms of an input, without errors: false for all that needs a closer look.
  [[nodiscard]] bool prepare(PyObject* input, Call& call) const;
  // items: (index of the model, arrays in its order, Scheduling or None for the plan's own).
  // Throws Error(kInput).
  [[nodiscard]] Call prepare_items(const pybind11::list& items) const;

  [[nodiscard]] const PlannedModel& at(std::size_t index) const { return models_.at(index); }

 private:
  [[nodiscard]] bool add(const PlannedModel& planned, PyObject* inputs, Call& call) const;

  std::vector<PlannedModel> models_;
  pybind11::dict indices_;  // name: index
};

// {model: {output: array}}
[[nodiscard]] pybind11::dict to_dict(const Call& call, const std::vector<RunResult>& results);
// ({model: {output: array}}, {model: (queue, copy in, execute, copy out) in ns})
[[nodiscard]] pybind11::tuple to_dict_and_times(const Call& call,
                                                const std::vector<RunResult>& results);

// How an asynchronous run is started: where it counts, whom it tells, and how long it may take.
struct JobStart {
  std::shared_ptr<RunLimit> limit;
  std::shared_ptr<EndedJobs> ended_jobs;
  uint64_t number = 0;
  std::optional<Duration> timeout;
  bool wait_when_full = false;
  bool delivering = false;  // see RunLimit::enter
};

// Waits until the limit and the calls' bindings are free; what that refuses counts for each call.
[[nodiscard]] std::shared_ptr<Job> start_job(const Runtime& runtime,
                                             const std::vector<ModelCall>& calls,
                                             const JobStart& start);

}  // namespace hbm::bindings
