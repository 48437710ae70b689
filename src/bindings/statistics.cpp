// SPDX-License-Identifier: Apache-2.0
// Binds histograms, and turns snapshots of statistics into plain Python values.
#include "statistics.hpp"

#include <memory>

#include "bindings.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

template <typename Values>
py::tuple to_tuple(const Values& values) {
  py::tuple tuple(values.size());
  for (std::size_t index = 0; index < values.size(); ++index) tuple[index] = values[index];
  return tuple;
}

// (count, sum, p50, p90, p99, max, (below 2^12 ns, below 2^13 ns, …)).
py::tuple to_python(const Histogram::Summary& summary) {
  return py::make_tuple(summary.count, summary.sum, summary.p50, summary.p90, summary.p99,
                        summary.max, to_tuple(summary.below));
}

py::tuple to_python(const CopyCount& count) { return py::make_tuple(count.copies, count.bytes); }

py::dict to_python(const ModelSnapshot& model) {
  py::tuple stages(model.stages.size());
  for (std::size_t stage = 0; stage < model.stages.size(); ++stage) {
    stages[stage] = to_python(model.stages[stage]);
  }
  py::dict result;
  result["outcomes"] = to_tuple(model.outcomes);
  result["copied_in"] = to_python(model.copied_in);
  result["copied_out"] = to_python(model.copied_out);
  result["stages"] = stages;
  return result;
}

}  // namespace

py::dict to_python(const RuntimeSnapshot& snapshot) {
  py::dict models;
  for (const auto& [name, model] : snapshot.models) models[to_text(name)] = to_python(model);
  py::dict result;
  result["models"] = models;
  result["elapsed_ns"] = snapshot.cores.elapsed_ns;
  result["pinned_ns"] = to_tuple(snapshot.cores.pinned_ns);
  result["occupied_ns"] = snapshot.cores.occupied_ns;
  result["wanted_now"] = snapshot.cores.wanted_now;
  result["in_flight"] = snapshot.in_flight;
  result["waiting"] = snapshot.waiting;
  result["memory"] = py::make_tuple(snapshot.memory.used, snapshot.memory.idle);
  return result;
}

py::tuple to_python(const StageTimes& times) {
  return py::make_tuple(times.queue_ns, times.copy_in_ns, times.execute_ns, times.copy_out_ns);
}

void register_statistics(py::module_& module) {
  py::class_<Histogram>(module, "Histogram", "Durations in ns, counted for their quantiles.")
      .def(py::init<>())
      .def("add", &Histogram::add, py::arg("ns"))
      .def(
          "summary", [](const Histogram& histogram) { return to_python(histogram.summary()); },
          "(count, sum, p50, p90, p99, max, (below 2^12 ns, below 2^13 ns, …)).");
}

}  // namespace hbm::bindings
