// SPDX-License-Identifier: Apache-2.0
// Binds the trace; a recording comes as columns of numbers.
#include "core/telemetry/trace.hpp"

#include <pybind11/numpy.h>

#include <memory>
#include <vector>

#include "bindings.hpp"
#include "text.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

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

// A row for each run, a column for each stage in the order of Stage.
py::array_t<int64_t> times(const Runs& runs, int64_t StageSpans::Span::*which) {
  const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(runs.size()),
                                       static_cast<py::ssize_t>(kStages)};
  py::array_t<int64_t> values(shape);
  int64_t* data = values.mutable_data();
  for (const TracedRun& run : runs) {
    for (const StageSpans::Span& span : run.stages.spans) *data++ = span.*which;
  }
  return values;
}

py::dict stop(Trace& trace) {
  Trace::Recording recording;
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

void register_trace(py::module_& module) {
  py::class_<Trace, std::shared_ptr<Trace>>(module, "Trace", "Recorder of a runtime's runs.")
      .def(py::init<>())
      .def_property_readonly("on", &Trace::on)
      .def("start", &Trace::start, py::arg("capacity"), "Record at most this many runs from now.")
      .def("stop", &stop, "End the recording; columns by name, times in ns of CLOCK_MONOTONIC.");
}

}  // namespace hbm::bindings
