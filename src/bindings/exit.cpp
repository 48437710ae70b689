// SPDX-License-Identifier: Apache-2.0
// The atexit handler that asks running calls to end and waits for them, but not for ever.
#include "exit.hpp"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "bindings.hpp"
#include "core/error.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// Longer than a slice of a wait plus a task's way out of the accelerator.
constexpr std::chrono::seconds kPatience{5};

// No mutex: a forked child could inherit it locked.
std::atomic<bool> exiting{false};
std::atomic<int> running{0};

void end_running_calls() {
  exiting = true;
  const py::gil_scoped_release free_gil;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (running > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace

RunningCall::RunningCall() {
  throw_if_exiting();
  ++running;
}

RunningCall::~RunningCall() { --running; }

void throw_if_exiting() {
  if (exiting) throw Error(ErrorKind::kTask, "the run was cancelled: the interpreter is ending");
}

void register_exit(py::module_&) {
  // The calls of the parent's other threads do not run on in a forked child.
  static_cast<void>(::pthread_atfork(nullptr, nullptr, [] { running = 0; }));
  py::module_::import("atexit").attr("register")(py::cpp_function(&end_running_calls));
}

}  // namespace hbm::bindings
