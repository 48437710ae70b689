// SPDX-License-Identifier: Apache-2.0
// Binds the runtime: numpy arrays in, numpy views of device memory out.
#include "core/run/runtime.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "builtin.hpp"
#include "calls.hpp"
#include "core/scheduling/scheduling.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

std::vector<RunResult> run(const Runtime& runtime, const Call& call,
                           std::optional<Duration> timeout) {
  // The GIL is free from copy-in to the last output.
  return without_gil(timeout ? timeout : call.timeout, [&](const Deadline& deadline) {
    return runtime.run(call.model_calls, deadline);
  });
}

// A plan's plain calls: input to outputs, NotImplemented for all that needs a closer look.
struct FastPath {
  static constexpr const char* kName = "hbm_runtime._core.fast_path";

  std::shared_ptr<Runtime> runtime;
  std::shared_ptr<Plan> plan;
};

PyObject* run_fast(PyObject* self, PyObject* input) {
  const auto& path = state_of<FastPath>(self);
  return guarded([&]() -> py::object {
    Call call;
    if (!path.plan->prepare(input, call)) {
      return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    }
    const ForwardLogLines forward;
    return to_dict(call, run(*path.runtime, call, std::nullopt));
  });
}

PyMethodDef fast_path_method{"fast_path", &run_fast, METH_O,
                             "Run an input of a usual form; NotImplemented for others."};

Scheduling make_scheduling(int32_t priority, int64_t custom_id, std::vector<int> bpu_cores,
                           uint32_t device_id, const std::shared_ptr<LoadedModel>& model,
                           int core_count, std::optional<double> timeout,
                           std::optional<double> max_wait) {
  const SchedParam param{priority, custom_id, std::move(bpu_cores), device_id};
  return {to_abi(param, core_count, model->name(), model->info().core_count), to_duration(timeout),
          to_duration(max_wait)};
}

}  // namespace

void register_runtime(py::module_& module) {
  py::class_<Scheduling>(module, "Scheduling", "Checked parameters of one run of one model.")
      .def(py::init(&make_scheduling), py::arg("priority"), py::arg("custom_id"),
           py::arg("bpu_cores"), py::arg("device_id"), py::arg("model"), py::arg("core_count"),
           py::arg("timeout") = py::none(), py::arg("max_wait") = py::none(),
           "Check them against a chip of that many cores; times in seconds.");
  py::class_<Runtime, std::shared_ptr<Runtime>> runtime_class(module, "Runtime", "Runs models.");
  py::class_<Plan, std::shared_ptr<Plan>>(module, "Plan", "Models with how they are scheduled.")
      .def(py::init<const Runtime&, const py::list&>(), py::arg("runtime"), py::arg("entries"),
           "From (LoadedModel, Scheduling) tuples.");
  runtime_class
      .def(py::init([](const std::shared_ptr<Library>& library) {
             return std::make_shared<Runtime>(library);
           }),
           py::arg("library"))
      .def(
          "run",
          [](const Runtime& runtime, const std::shared_ptr<Plan>& plan, const py::list& items,
             std::optional<double> timeout) {
            const ForwardLogLines forward;
            const Call call = plan->prepare_items(items);
            return to_dict_and_times(call, run(runtime, call, to_duration(timeout)));
          },
          py::arg("plan"), py::arg("items"), py::arg("timeout") = py::none(),
          "Run (model index, arrays, Scheduling or None) tuples: (outputs, times in ns).")
      .def(
          "fast_path",
          [](std::shared_ptr<Runtime> self, std::shared_ptr<Plan> plan) {
            return make_builtin(fast_path_method, FastPath{std::move(self), std::move(plan)});
          },
          py::arg("plan"),
          "The function that runs inputs of usual forms; NotImplemented for others.")
      .def(
          "statistics",
          [](const Runtime& runtime) {
            const PoolUse use = runtime.pool().use();
            return to_python(
                runtime.sinks()->statistics.snapshot({use.used_bytes, use.idle_bytes}));
          },
          "Counts and times so far, see hbm_runtime.telemetry.statistics.")
      .def("reset_statistics", [](const Runtime& runtime) { runtime.sinks()->statistics.reset(); })
      .def(
          "forget",
          [](const Runtime& runtime, const std::string& model) {
            runtime.sinks()->statistics.forget(model);
          },
          py::arg("model"), "Leave a model out of the statistics.")
      .def("close", &Runtime::close, py::call_guard<GilReleased<>>(),
           "Refuse new runs, and keep no idle device memory any longer.")
      .def(
          "count_copied_out",
          [](const Runtime& runtime, const std::string& model, uint64_t copies, uint64_t bytes) {
            runtime.sinks()->statistics.model(model)->copied_out(copies, bytes);
          },
          py::arg("model"), py::arg("copies"), py::arg("bytes"))
      .def_property_readonly(
          "trace", [](const Runtime& runtime) -> RunTrace& { return runtime.sinks()->trace; },
          py::return_value_policy::reference_internal);
}

}  // namespace hbm::bindings
