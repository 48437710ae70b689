// SPDX-License-Identifier: Apache-2.0
// Waits of the core on a Python thread: without the GIL, with Ctrl-C, with the interpreter's end.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "core/board/deadline.hpp"
#include "core/board/log.hpp"

namespace hbm::bindings {

// Thrown through a waiting run once the interpreter ends, so that it gives its task back.
struct InterpreterEnding {};

// True on every thread but the one that ends the interpreter, once that has begun.
[[nodiscard]] bool must_not_return();

// Stops this thread for good, without the GIL: a daemon thread that came back into an ending
// interpreter could only crash it. The process takes the thread along when it goes.
[[noreturn]] void park_thread();

// Counts one call that may wait with the GIL released; made with the GIL held.
class RunningCall {
 public:
  RunningCall();
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;
  ~RunningCall();
};

// Lets Ctrl-C and the interpreter's end finish a long wait.
inline void look_up() {
  if (must_not_return()) throw InterpreterEnding();
  const pybind11::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
}

// Calls `wait(deadline)` with the GIL released. Once the interpreter ends, other threads than the
// one that ends it do not come back from here.
template <typename Wait>
auto without_gil(std::optional<Deadline::Clock::duration> timeout, Wait&& wait) {
  std::optional<RunningCall> running(std::in_place);
  const pybind11::gil_scoped_release free_gil;
  try {
    return wait(Deadline(timeout, look_up));
  } catch (const InterpreterEnding&) {
    running.reset();  // all is given back
    park_thread();
  }
}

// Releases the GIL for a call that cannot be interrupted. Once the interpreter ends, other threads
// than the one that ends it do not come back from here; it waits a while for those it counts.
template <bool kCounted = true>
class GilReleased {
 public:
  GilReleased() = default;
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;
  ~GilReleased() {
    if (must_not_return()) {
      running_.reset();
      park_thread();
    }
    PyEval_RestoreThread(state_);
  }

 private:
  std::optional<RunningCall> running_ = make_running();  // made with the GIL, ended with it
  PyThreadState* state_ = PyEval_SaveThread();

  static std::optional<RunningCall> make_running() {
    if constexpr (kCounted) return std::optional<RunningCall>(std::in_place);
    return std::nullopt;
  }
};

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
