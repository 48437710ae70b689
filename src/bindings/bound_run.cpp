// SPDX-License-Identifier: Apache-2.0
// Binds runs whose inputs and outputs stay in the same device memory.
#include <pybind11/stl.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "arrays.hpp"
#include "builtin.hpp"
#include "calls.hpp"
#include "core/tensors/layout.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

py::object new_buffer(const Runtime& runtime, int32_t data_type, const Layout& layout) {
  BufferRef buffer = runtime.pool().acquire_apart(layout.byte_size);
  // What another program left there is none of the caller's business.
  std::memset(buffer->data(), 0, static_cast<std::size_t>(buffer->size()));
  return to_array({std::move(buffer), data_type, layout.shape, layout.strides});
}

py::object input_buffer(const Runtime& runtime, const std::shared_ptr<LoadedModel>& model,
                        std::size_t index, const std::vector<int64_t>& shape) {
  const TensorInfo& info = model->info().inputs.at(index);
  InputView view;
  view.data_type = info.data_type;
  view.shape = storage_shape(Extents(shape), info.data_type);
  check_input(model->info(), info, view);
  runtime.check_usable();
  return new_buffer(runtime, info.data_type, input_layout(info, Extents(shape)));
}

py::object output_buffer(const Runtime& runtime, const std::shared_ptr<LoadedModel>& model,
                         std::size_t index) {
  const TensorInfo& info = model->info().outputs.at(index);
  if (has_unknown(info.shape, info.strides)) {
    throw Error(ErrorKind::kInput,
                "model '" + model->name() + "', output '" + info.name +
                    "': its shape is known only when a run is done, so that it cannot be bound; "
                    "use run()",
                {model->name(), info.name});
  }
  runtime.check_usable();
  return new_buffer(runtime, info.data_type, output_layout(info, model->name()));
}

class BoundRun {
 public:
  // Arrays in the model's order; the inputs must be device memory that is read in place.
  BoundRun(std::shared_ptr<Runtime> runtime, const std::shared_ptr<Plan>& plan, std::size_t index,
           const py::list& inputs, const py::list& outputs, const std::optional<Scheduling>& own)
      : runtime_(std::move(runtime)), plan_(plan) {
    const PlannedModel& planned = plan_->at(index);
    const Scheduling& scheduling = own ? *own : planned.scheduling;
    const ModelInfo& model = planned.model->info();
    timeout_ = scheduling.timeout;
    call_ = planned.call(scheduling);
    call_.use = std::make_shared<BindingInUse>();
    for (std::size_t input = 0; input < inputs.size(); ++input) {
      const TensorInfo& info = model.inputs.at(input);
      const auto array = inputs[input].cast<py::array>();
      call_.inputs.push_back(view_of(array, model, info));
      check_input(model, info, call_.inputs.back());
      if (!strides_in_place(info, call_.inputs.back())) {
        throw Error(ErrorKind::kInput,
                    "model '" + model.name + "', input '" + info.name +
                        "': the array is no device memory, or not laid out as the accelerator "
                        "reads it; bind arrays of input_buffers() or outputs of other models",
                    {model.name, info.name});
      }
    }
    for (const py::handle output : outputs) {
      call_.outputs.push_back(device_memory_of(output.ptr()));
    }
    runtime_->check({call_});
  }

  void run(std::optional<Duration> timeout) {
    const ForwardLogLines forward;
    without_gil(timeout ? timeout : timeout_, [this](const Deadline& deadline) {
      runtime_->run_in_place(call_, deadline, result_);
    });
  }

  // The job's results are of no interest: they lie in the bound outputs.
  std::shared_ptr<Job> start(std::shared_ptr<RunLimit> limit, std::shared_ptr<EndedJobs> ended_jobs,
                             uint64_t number, std::optional<double> timeout, bool wait_when_full,
                             bool delivering) {
    return start_job(*runtime_, {call_},
                     {std::move(limit), std::move(ended_jobs), number,
                      timeout ? to_duration(timeout) : timeout_, wait_when_full, delivering});
  }

 private:
  std::shared_ptr<Runtime> runtime_;
  std::shared_ptr<Plan> plan_;
  std::optional<Duration> timeout_;
  ModelCall call_;
  RunResult result_;  // kept for its memory; guarded by the mark of use
};

// A bound run and what its calls return.
struct BoundRunner {
  static constexpr const char* kName = "hbm_runtime._core.bound_runner";

  std::shared_ptr<BoundRun> bound;
  py::object outputs;
};

PyObject* run_bound(PyObject* self, PyObject* timeout) {
  const auto& runner = state_of<BoundRunner>(self);
  return guarded([&] {
    std::optional<Duration> duration;
    if (timeout != Py_None) {
      const double seconds = PyFloat_AsDouble(timeout);
      if (seconds == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
      duration = to_duration(seconds);
    }
    runner.bound->run(duration);
    return runner.outputs;
  });
}

PyMethodDef bound_runner_method{"bound_runner", &run_bound, METH_O,
                                "Run with a time-out in seconds or None; the bound outputs."};

py::object make_bound_runner(std::shared_ptr<BoundRun> bound, py::object outputs) {
  return make_builtin(bound_runner_method, BoundRunner{std::move(bound), std::move(outputs)});
}

}  // namespace

void register_bound_run(py::module_& module) {
  module.def("input_buffer", &input_buffer, py::arg("runtime"), py::arg("model"), py::arg("index"),
             py::arg("shape"), "Device memory for an input of that shape in elements.");
  module.def("output_buffer", &output_buffer, py::arg("runtime"), py::arg("model"),
             py::arg("index"), "Device memory for an output.");
  py::class_<BoundRun, std::shared_ptr<BoundRun>>(module, "BoundRun",
                                                  "Runs in the same device memory.")
      .def(py::init<std::shared_ptr<Runtime>, const std::shared_ptr<Plan>&, std::size_t,
                    const py::list&, const py::list&, const std::optional<Scheduling>&>(),
           py::arg("runtime"), py::arg("plan"), py::arg("index"), py::arg("inputs"),
           py::arg("outputs"), py::arg("scheduling"))
      .def("runner", &make_bound_runner, py::arg("outputs"),
           "The function that runs with a time-out and returns the outputs.")
      .def("start", &BoundRun::start, py::arg("limit"), py::arg("ended_jobs"), py::arg("number"),
           py::arg("timeout"), py::arg("wait_when_full"), py::arg("delivering"));
}

}  // namespace hbm::bindings
