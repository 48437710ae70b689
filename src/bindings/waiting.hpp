// SPDX-License-Identifier: Apache-2.0
// Waits of the core on a Python thread: without the GIL, with Ctrl-C, with the interpreter's end.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "core/board/deadline.hpp"
#include "core/board/fork_guard.hpp"
#include "core/board/log.hpp"

namespace hbm::bindings {

// Thrown through a waiting run once the interpreter ends, so that it gives its task back.
struct InterpreterEnding {};

// True on every thread but the one that ends the interpreter, once that has begun.
[[nodiscard]] bool must_not_return();

// Stops this thread for good, without the GIL: a daemon thread that came back into an ending
// interpreter could only crash it. The process takes the thread along when it goes.
[[noreturn]] void park_thread();

// Counts one call that the interpreter's end waits a while for: one that waits with the GIL
// released, or that runs code of Python's from here. Ended with the GIL, or when its thread is
// parked.
class RunningCall {
 public:
  enum class Gil { kHeld, kReleased };

  // With the GIL, a thread that must not return is parked here.
  explicit RunningCall(Gil gil = Gil::kHeld);
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;
  ~RunningCall();

 private:
  const ForkGuard fork_guard_;  // the calls of the parent are not counted in a forked child
};

// Releases the GIL for a scope; nothing else in the binding does. Once the interpreter ends, other
// threads than the one that ends it do not come back from here: CPython would end them by unwinding
// the stack, which C++ answers by aborting the program.
template <bool kCounted = true>
class GilReleased {
 public:
  GilReleased() {
    if constexpr (!kCounted) running_.reset();
    state_ = PyEval_SaveThread();
  }
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;
  ~GilReleased() {
    // Counted before it looks: either the interpreter's end waits for this thread, or the thread
    // sees that the end has begun.
    if (!running_) running_.emplace(RunningCall::Gil::kReleased);
    if (must_not_return()) stay();
    PyEval_RestoreThread(state_);
  }

  // Never comes back.
  [[noreturn]] void stay() {
    running_.reset();
    park_thread();
  }

 private:
  std::optional<RunningCall> running_{std::in_place};
  PyThreadState* state_ = nullptr;
};

// Lets Ctrl-C and the interpreter's end finish a long wait, and a fork in a signal handler finish
// the child's.
inline void look_up(const ForkGuard& begin) {
  if (must_not_return()) throw InterpreterEnding();
  const pybind11::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
  begin.check_own_process();
}

// Calls `wait(deadline)` with the GIL released.
template <typename Wait>
auto without_gil(std::optional<Deadline::Clock::duration> timeout, Wait&& wait) {
  GilReleased<> released;
  try {
    return wait(Deadline(timeout, [begin = ForkGuard()] { look_up(begin); }));
  } catch (const InterpreterEnding&) {
    released.stay();  // all is given back
  }
}

// Calls hbm_runtime._loading.log.forward_log_lines; what a logging handler raises is only reported.
void forward_log_lines() noexcept;

// Forwards the accelerator's log lines to Python's logging at the end of a scope.
struct ForwardLogLines {
  ForwardLogLines() = default;
  ForwardLogLines(const ForwardLogLines&) = delete;
  ForwardLogLines& operator=(const ForwardLogLines&) = delete;
  ~ForwardLogLines() {
    if (has_log_lines()) forward_log_lines();
  }
};

}  // namespace hbm::bindings
