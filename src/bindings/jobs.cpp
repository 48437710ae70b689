// SPDX-License-Identifier: Apache-2.0
// Binds asynchronous runs.
#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "calls.hpp"
#include "core/jobs/dispatcher.hpp"
#include "core/jobs/job.hpp"
#include "core/run/reclaimer.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// A call whose input was looked at, so that its job can be started and its results be named.
class PendingCall {
 public:
  PendingCall(std::shared_ptr<Plan> plan, const py::object& input, bool is_items)
      : plan_(std::move(plan)) {
    if (is_items) {
      call_ = plan_->prepare_items(input.cast<py::list>());
      fits_ = true;
    } else {
      fits_ = plan_->prepare(input.ptr(), call_);
    }
  }

  [[nodiscard]] bool fits() const noexcept { return fits_; }

  std::shared_ptr<Job> start(const std::shared_ptr<Runtime>& runtime,
                             std::shared_ptr<RunLimit> limit, std::shared_ptr<EndedJobs> ended_jobs,
                             uint64_t number, std::optional<double> timeout, bool wait_when_full,
                             bool delivering) {
    auto job =
        start_job(*runtime, call_.model_calls,
                  {std::move(limit), std::move(ended_jobs), number,
                   timeout ? to_duration(timeout) : call_.timeout, wait_when_full, delivering});
    call_.model_calls.clear();
    call_.held.clear();
    return job;
  }

  [[nodiscard]] py::tuple take_results(Job& job) const {
    return to_dict_and_times(call_, job.take_results());
  }

 private:
  std::shared_ptr<Plan> plan_;
  Call call_;
  bool fits_ = false;
};

void wait(Job& job, std::optional<double> timeout) {
  without_gil(to_duration(timeout), [&](const Deadline& deadline) { job.wait(deadline); });
}

const char* end_of(const Job& job) {
  switch (job.end()) {
    case Job::End::kResults:
      return "results";
    case Job::End::kError:
      return "error";
    case Job::End::kCancelled:
      return "cancelled";
    case Job::End::kNone:
      break;
  }
  return "";
}

// Ends what asynchronous runs need; false when the accelerator did not let go in that time.
bool stop_jobs(double patience) {
  const GilReleased<> free_gil;
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(*to_duration(patience));
  const bool stopped = Dispatcher::of_process().stop(time);
  return Reclaimer::of_process().wait_for_all(time) && stopped;
}

}  // namespace

std::shared_ptr<Job> start_job(const Runtime& runtime, const std::vector<ModelCall>& calls,
                               const JobStart& start) {
  const auto called = Deadline::Clock::now();
  return without_gil(start.timeout, [&](const Deadline& deadline) {
    runtime.check_usable();
    try {
      const ModelCall& first = calls.front();  // only a call of one model has a binding
      if (first.use != nullptr) first.use->set(deadline, first.model->name());
      try {
        start.limit->enter(start.wait_when_full, start.delivering, deadline);
      } catch (...) {
        if (first.use != nullptr) first.use->clear();
        throw;
      }
    } catch (const Error& error) {
      for (const ModelCall& call : calls) count_refused(call, error);
      throw;
    }
    try {
      // What is left of the time covers the rest.
      std::optional<Duration> left = start.timeout;
      if (left) *left -= Deadline::Clock::now() - called;
      return Job::start(runtime, calls, left, start.limit, start.ended_jobs, start.number);
    } catch (...) {
      start.limit->leave();
      throw;
    }
  });
}

void register_jobs(py::module_& module) {
  py::class_<RunLimit, std::shared_ptr<RunLimit>>(module, "RunLimit",
                                                  "Counts unfinished asynchronous runs.")
      .def(py::init<std::size_t>(), py::arg("limit"))
      .def("close", &RunLimit::close, "Refuse new runs.")
      .def("delivered", &RunLimit::delivered, "The future of an ended run is settled.")
      .def(
          "wait_until_empty",
          [](RunLimit& limit, std::optional<double> timeout) {
            return without_gil(to_duration(timeout), [&](const Deadline& deadline) {
              return limit.wait_until_empty(deadline);
            });
          },
          py::arg("timeout"), "Wait for them; whether none is left.");
  py::class_<EndedJobs, std::shared_ptr<EndedJobs>>(module, "EndedJobs", "Queue of ended jobs.")
      .def(py::init<>())
      .def("take", &EndedJobs::take, py::call_guard<GilReleased<false>>(),
           "Wait for the number of the next one; None once it is closed and empty.")
      .def("put", &EndedJobs::put, py::arg("number"), "Add one.")
      .def("close", &EndedJobs::close, "Let take() return.");
  py::class_<Job, std::shared_ptr<Job>>(module, "Job", "A started asynchronous run.")
      .def("wait", &wait, py::arg("timeout"), "Wait for its end.")
      .def("cancel", &Job::cancel, py::call_guard<GilReleased<>>(),
           "Whether it will end without results.")
      .def_property_readonly("end", &end_of, "'', 'results', 'error' or 'cancelled'.")
      .def(
          "raise_error", [](const Job& job) { throw Error(*job.error()); }, "Raise what ended it.");
  py::class_<PendingCall>(module, "PendingCall", "An asynchronous run to start.")
      .def(py::init<std::shared_ptr<Plan>, const py::object&, bool>(), py::arg("plan"),
           py::arg("input"), py::arg("is_items"))
      .def_property_readonly("fits", &PendingCall::fits,
                             "Whether the input had a usual form; if not, it cannot be started.")
      .def("start", &PendingCall::start, py::arg("runtime"), py::arg("limit"),
           py::arg("ended_jobs"), py::arg("number"), py::arg("timeout"), py::arg("wait_when_full"),
           py::arg("delivering"))
      .def("take_results", &PendingCall::take_results, py::arg("job"),
           "Once: ({model: {output: array}}, {model: (queue, copy in, execute, copy out)} in ns).");
  module.def("stop_jobs", &stop_jobs, py::arg("patience"),
             "End asynchronous runs for good; whether the accelerator let go of all.");
}

}  // namespace hbm::bindings
