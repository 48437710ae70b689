// SPDX-License-Identifier: Apache-2.0
// The atexit handler that ends running calls of other threads and waits, but not for ever.
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "bindings.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// Longer than a slice of a wait plus a task's way out of the accelerator.
constexpr std::chrono::seconds kPatience{5};

// No mutex: a forked child could inherit it locked.
std::atomic<bool> ending{false};
std::atomic<int> running{0};
std::thread::id ending_thread;  // written before `ending` is set

void end_running_calls() {
  ending_thread = std::this_thread::get_id();
  ending = true;
  const GilReleased<false> free_gil;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (running > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace

bool must_not_return() { return ending && std::this_thread::get_id() != ending_thread; }

void park_thread() {
  while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

RunningCall::RunningCall(Gil gil) {
  if (gil == Gil::kHeld && must_not_return()) {
    static_cast<void>(PyEval_SaveThread());
    park_thread();
  }
  ++running;
}

RunningCall::~RunningCall() {
  if (fork_guard_.is_own_process()) --running;
}

void register_exit(py::module_&) {
  // The calls of the parent's other threads do not run on in a forked child.
  static_cast<void>(::pthread_atfork(nullptr, nullptr, [] { running = 0; }));
  py::module_::import("atexit").attr("register")(py::cpp_function(&end_running_calls));
}

}  // namespace hbm::bindings
