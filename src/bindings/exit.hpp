// SPDX-License-Identifier: Apache-2.0
// Ends runs of daemon threads before the interpreter goes, without letting them back into it.
#pragma once

namespace hbm::bindings {

// Thrown through a waiting run once the interpreter ends, so that it gives its task back.
struct InterpreterEnding {};

// True on every thread but the one that ends the interpreter, once that has begun.
[[nodiscard]] bool must_not_return();

// Throws InterpreterEnding where that is so.
void throw_if_ending();

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

}  // namespace hbm::bindings
