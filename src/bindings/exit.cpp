// SPDX-License-Identifier: Apache-2.0
// The atexit handler that asks running calls to end and waits for them, but not for ever.
#include "exit.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "bindings.hpp"
#include "core/error.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// Longer than a slice of a wait plus a task's way out of the accelerator.
constexpr std::chrono::seconds kPatience{5};

std::atomic<bool> exiting{false};
std::mutex mutex;
std::condition_variable none_left;
int running = 0;

void end_running_calls() {
  exiting = true;
  const py::gil_scoped_release free_gil;
  std::unique_lock lock(mutex);
  none_left.wait_for(lock, kPatience, [] { return running == 0; });
}

}  // namespace

RunningCall::RunningCall() {
  throw_if_exiting();
  const std::lock_guard lock(mutex);
  ++running;
}

RunningCall::~RunningCall() {
  const std::lock_guard lock(mutex);
  if (--running == 0) none_left.notify_all();
}

void throw_if_exiting() {
  if (exiting) throw Error(ErrorKind::kTask, "the run was cancelled: the interpreter is ending");
}

void register_exit(py::module_&) {
  py::module_::import("atexit").attr("register")(py::cpp_function(&end_running_calls));
}

}  // namespace hbm::bindings
