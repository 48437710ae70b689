// SPDX-License-Identifier: Apache-2.0
// Waits of the core on a Python thread: without the GIL, with Ctrl-C, with the interpreter's end.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "core/board/deadline.hpp"
#include "exit.hpp"

namespace hbm::bindings {

// Lets Ctrl-C and the interpreter's end finish a long wait.
inline void look_up() {
  throw_if_ending();
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

}  // namespace hbm::bindings
