// SPDX-License-Identifier: Apache-2.0
// Binds asynchronous runs.
#include "core/jobs/job.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings.hpp"
#include "core/jobs/dispatcher.hpp"
#include "core/jobs/ended_jobs.hpp"
#include "core/run/reclaimer.hpp"
#include "duration.hpp"
#include "errors.hpp"
#include "requests.hpp"
#include "start_job.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// An input that was looked at, so that its job can be started and its results be named.
class PreparedJob {
 public:
  PreparedJob(std::shared_ptr<Plan> plan, const py::object& input, bool is_items)
      : plan_(std::move(plan)) {
    if (is_items) {
      prepared_ = plan_->prepare_items(input.cast<py::list>());
      fits_ = true;
    } else {
      fits_ = plan_->prepare(input.ptr(), prepared_);
    }
  }

  [[nodiscard]] bool fits() const noexcept { return fits_; }

  std::shared_ptr<Job> start(const std::shared_ptr<Runtime>& runtime,
                             const std::shared_ptr<InFlight>& in_flight,
                             const std::shared_ptr<EndedJobs>& sink, uint64_t number,
                             std::optional<double> timeout, bool wait_when_full, bool delivering) {
    auto job = start_job(
        *runtime, prepared_.requests, timeout ? to_duration(timeout) : prepared_.timeout, in_flight,
        sink, number,
        [&](const Deadline& deadline) { in_flight->enter(wait_when_full, delivering, deadline); });
    prepared_.requests.clear();
    prepared_.held.clear();
    return job;
  }

  [[nodiscard]] py::tuple take_results(Job& job) const {
    const auto results = job.take_results();
    return py::make_tuple(to_dict(prepared_, results), to_times(prepared_, results));
  }

 private:
  std::shared_ptr<Plan> plan_;
  Prepared prepared_;
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
  const py::gil_scoped_release free_gil;
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(*to_duration(patience));
  const bool stopped = Dispatcher::of_process().stop(time);
  return Abandoned::of_process().wait_for_all(time) && stopped;
}

}  // namespace

void register_jobs(py::module_& module) {
  py::class_<InFlight, std::shared_ptr<InFlight>>(module, "InFlight",
                                                  "Counts unfinished asynchronous runs.")
      .def(py::init<std::size_t>(), py::arg("limit"))
      .def("close", &InFlight::close, "Refuse new runs.")
      .def("delivered", &InFlight::delivered, "The future of an ended run is settled.")
      .def(
          "wait_until_empty",
          [](InFlight& in_flight, std::optional<double> timeout) {
            return without_gil(to_duration(timeout), [&](const Deadline& deadline) {
              return in_flight.wait_until_empty(deadline);
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
  py::class_<PreparedJob>(module, "PreparedJob", "An asynchronous run to start.")
      .def(py::init<std::shared_ptr<Plan>, const py::object&, bool>(), py::arg("plan"),
           py::arg("input"), py::arg("is_items"))
      .def_property_readonly("fits", &PreparedJob::fits,
                             "Whether the input had a usual form; if not, it cannot be started.")
      .def("start", &PreparedJob::start, py::arg("runtime"), py::arg("in_flight"), py::arg("sink"),
           py::arg("number"), py::arg("timeout"), py::arg("wait_when_full"), py::arg("delivering"))
      .def("take_results", &PreparedJob::take_results, py::arg("job"),
           "Once: ({model: {output: array}}, {model: (queue, copy in, execute, copy out)} in ns).");
  module.def("stop_jobs", &stop_jobs, py::arg("patience"),
             "End asynchronous runs for good; whether the accelerator let go of all.");
}

}  // namespace hbm::bindings
