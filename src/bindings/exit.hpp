// SPDX-License-Identifier: Apache-2.0
// Ends runs before the interpreter goes: a thread that waits in C++ must not wake without one.
#pragma once

namespace hbm::bindings {

// Counts one call that may wait with the GIL released. Throws Error once the interpreter ends.
class RunningCall {
 public:
  RunningCall();
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;
  ~RunningCall();
};

// Throws Error when the interpreter is about to end; for the slices of a long wait.
void throw_if_exiting();

}  // namespace hbm::bindings
