// SPDX-License-Identifier: Apache-2.0
// Binds histograms and the trace, and turns what was counted and recorded into plain Python values.
#include <pybind11/numpy.h>

#include <memory>
#include <vector>

#include "bindings.hpp"
#include "core/telemetry/run_trace.hpp"
#include "waiting.hpp"

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

using Runs = std::vector<TracedRun>;

template <typename Read>
py::array_t<int64_t> column(const Runs& runs, Read read) {
  py::array_t<int64_t> values(static_cast<py::ssize_t>(runs.size()));
  int64_t* const data = values.mutable_data();
  for (std::size_t index = 0; index < runs.size(); ++index) {
    data[index] = static_cast<int64_t>(read(runs[index]));
  }
  return values;
}

// A row for each run, a column for each stage in the order of RunStage.
py::array_t<int64_t> times(const Runs& runs, int64_t StageSpans::Span::*which) {
  const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(runs.size()),
                                       static_cast<py::ssize_t>(kRunStages)};
  py::array_t<int64_t> values(shape);
  int64_t* data = values.mutable_data();
  for (const TracedRun& run : runs) {
    for (const StageSpans::Span& span : run.stages.spans) *data++ = span.*which;
  }
  return values;
}

// The trace's recording as columns of numbers.
py::dict stop(RunTrace& trace) {
  RunTrace::Recording recording;
  {
    const GilReleased<> free_gil;
    recording = trace.stop();
  }
  py::list models;
  for (const auto& name : recording.models) models.append(to_text(name));
  const Runs& runs = recording.runs;
  py::dict result;
  result["models"] = models;
  result["dropped"] = recording.dropped;
  result["number"] = column(runs, [](const TracedRun& run) { return run.number; });
  result["model"] = column(runs, [](const TracedRun& run) { return run.model; });
  result["core_mask"] = column(runs, [](const TracedRun& run) { return run.core_mask; });
  result["priority"] = column(runs, [](const TracedRun& run) { return run.priority; });
  result["custom_id"] = column(runs, [](const TracedRun& run) { return run.custom_id; });
  result["outcome"] = column(runs, [](const TracedRun& run) { return run.outcome; });
  result["begin"] = times(runs, &StageSpans::Span::begin);
  result["end"] = times(runs, &StageSpans::Span::end);
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

void register_telemetry(py::module_& module) {
  py::class_<Histogram>(module, "Histogram", "Durations in ns, counted for their quantiles.")
      .def(py::init<>())
      .def("add", &Histogram::add, py::arg("ns"))
      .def(
          "summary", [](const Histogram& histogram) { return to_python(histogram.summary()); },
          "(count, sum, p50, p90, p99, max, (below 2^12 ns, below 2^13 ns, …)).");
  py::class_<RunTrace, std::shared_ptr<RunTrace>>(module, "RunTrace",
                                                  "Recorder of a runtime's runs.")
      .def(py::init<>())
      .def_property_readonly("on", &RunTrace::on)
      .def("start", &RunTrace::start, py::arg("capacity"),
           "Record at most this many runs from now.")
      .def("stop", &stop, "End the recording; columns by name, times in ns of CLOCK_MONOTONIC.");
}

}  // namespace hbm::bindings
