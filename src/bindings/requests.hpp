// SPDX-License-Identifier: Apache-2.0
// Python's requests as the core's.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/run/runtime.hpp"
#include "scheduling.hpp"

namespace hbm::bindings {

// One model as a plan knows it.
struct PlannedModel {
  pybind11::object name;
  std::shared_ptr<const Model> model;
  std::shared_ptr<const ModelRecord> record;
  Scheduling scheduling;
  std::vector<pybind11::object> input_names;
  std::vector<pybind11::object> output_names;
};

// Requests that go together, with the arrays that their inputs lie in.
struct Prepared {
  std::vector<Request> requests;
  std::vector<pybind11::object> held;
  std::vector<const PlannedModel*> models;  // of each request
  std::optional<Deadline::Clock::duration> timeout;
};

// The models of a runtime with their scheduling parameters; never changed, only replaced.
class Plan {
 public:
  // entries: (Model, Scheduling) in load order.
  Plan(const Runtime& runtime, const pybind11::list& entries);

  // The usual forms of an input, without errors: false for all that needs a closer look.
  [[nodiscard]] bool prepare(PyObject* input, Prepared& prepared) const;
  // items: (index of the model, arrays in its order, Scheduling or None for the plan's own).
  // Throws Error(kInput).
  [[nodiscard]] Prepared prepare_items(const pybind11::list& items) const;

  [[nodiscard]] const PlannedModel& at(std::size_t index) const { return models_.at(index); }

 private:
  [[nodiscard]] bool add(const PlannedModel& model, PyObject* inputs, Prepared& prepared) const;

  std::vector<PlannedModel> models_;
  pybind11::dict indices_;  // name: index
};

// {model: {output: array}}
[[nodiscard]] pybind11::dict to_dict(const Prepared& prepared,
                                     const std::vector<RunResult>& results);
// {model: (queue, copy in, execute, copy out)} in ns
[[nodiscard]] pybind11::dict to_times(const Prepared& prepared,
                                      const std::vector<RunResult>& results);

}  // namespace hbm::bindings
