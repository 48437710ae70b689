// SPDX-License-Identifier: Apache-2.0
// Binds the runtime: numpy arrays in, numpy views of device memory out.
#include "core/run/runtime.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings.hpp"
#include "builtin.hpp"
#include "duration.hpp"
#include "errors.hpp"
#include "log_lines.hpp"
#include "requests.hpp"
#include "statistics.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

std::vector<RunResult> run(const Runtime& runtime, const Prepared& prepared,
                           std::optional<Deadline::Clock::duration> timeout) {
  // The GIL is free from copy-in to the last output.
  return without_gil(timeout ? timeout : prepared.timeout, [&](const Deadline& deadline) {
    return runtime.run(prepared.requests, deadline);
  });
}

// A plan's plain calls: input to outputs, NotImplemented for all that needs a closer look.
struct PlainRunner {
  static constexpr const char* kName = "hbm_runtime._core.plain_runner";

  std::shared_ptr<Runtime> runtime;
  std::shared_ptr<Plan> plan;
};

PyObject* run_plain(PyObject* self, PyObject* input) {
  const auto& runner = state_of<PlainRunner>(self);
  return guarded([&]() -> py::object {
    Prepared prepared;
    if (!runner.plan->prepare(input, prepared)) {
      return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    }
    const ForwardLogLines forward;
    return to_dict(prepared, run(*runner.runtime, prepared, std::nullopt));
  });
}

PyMethodDef plain_runner_method{"plain_runner", &run_plain, METH_O,
                                "Run an input of a usual form; NotImplemented for others."};

}  // namespace

void register_runtime(py::module_& module) {
  py::class_<Runtime, std::shared_ptr<Runtime>> runtime_class(module, "Runtime", "Runs models.");
  py::class_<Plan, std::shared_ptr<Plan>>(module, "Plan", "Models with how they are scheduled.")
      .def(py::init<const Runtime&, const py::list&>(), py::arg("runtime"), py::arg("entries"),
           "From (Model, Scheduling) tuples.");
  runtime_class
      .def(py::init([](const std::shared_ptr<Library>& library) {
             return std::make_shared<Runtime>(library);
           }),
           py::arg("library"))
      .def(
          "run",
          [](const Runtime& runtime, const std::shared_ptr<Plan>& plan, const py::list& items,
             std::optional<double> timeout) -> py::tuple {
            const ForwardLogLines forward;
            const Prepared prepared = plan->prepare_items(items);
            const auto results = run(runtime, prepared, to_duration(timeout));
            return py::make_tuple(to_dict(prepared, results), to_times(prepared, results));
          },
          py::arg("plan"), py::arg("items"), py::arg("timeout") = py::none(),
          "Run (model index, arrays, Scheduling or None) tuples: (outputs, times in ns).")
      .def(
          "plain_runner",
          [](std::shared_ptr<Runtime> self, std::shared_ptr<Plan> plan) {
            return make_builtin(plain_runner_method, PlainRunner{std::move(self), std::move(plan)});
          },
          py::arg("plan"),
          "The function that runs inputs of usual forms; NotImplemented for others.")
      .def(
          "statistics",
          [](const Runtime& runtime) {
            const PoolUse use = runtime.pool().use();
            return to_python(
                runtime.recorder()->statistics.snapshot({use.used_bytes, use.idle_bytes}));
          },
          "Counts and times so far, see hbm_runtime.statistics.")
      .def("reset_statistics",
           [](const Runtime& runtime) { runtime.recorder()->statistics.reset(); })
      .def(
          "forget",
          [](const Runtime& runtime, const std::string& model) {
            runtime.recorder()->statistics.forget(model);
          },
          py::arg("model"), "Leave a model out of the statistics.")
      .def("close", &Runtime::close, py::call_guard<GilReleased<>>(),
           "Refuse new runs, and keep no idle device memory any longer.")
      .def(
          "count_copied_out",
          [](const Runtime& runtime, const std::string& model, uint64_t copies, uint64_t bytes) {
            runtime.recorder()->statistics.model(model)->copied_out(copies, bytes);
          },
          py::arg("model"), py::arg("copies"), py::arg("bytes"))
      .def_property_readonly(
          "trace", [](const Runtime& runtime) -> Trace& { return runtime.recorder()->trace; },
          py::return_value_policy::reference_internal);
}

}  // namespace hbm::bindings
