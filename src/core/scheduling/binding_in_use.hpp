// SPDX-License-Identifier: Apache-2.0
// Whether buffers that a caller keeps are with a run, also with one that was abandoned.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "core/board/deadline.hpp"
#include "core/board/error.hpp"

namespace hbm {

class BindingInUse {
 public:
  // Throws Error(kBusy) while another call runs; waits for the end of an abandoned run, and throws
  // Error(kTimeout) at the deadline.
  void set(const Deadline& deadline, const std::string& model) {
    std::unique_lock lock(mutex_);
    if (state_ == State::kRunning) {
      throw Error(ErrorKind::kBusy,
                  "model '" + model + "': this binding is running; use one binding per thread",
                  {model, {}});
    }
    while (state_ == State::kAbandoned) {
      if (deadline.passed()) {
        throw Error(ErrorKind::kTimeout,
                    "model '" + model +
                        "': the deadline passed before the accelerator let go of an earlier run "
                        "of this binding",
                    {model, {}});
      }
      deadline.wait(cleared_, lock);
    }
    state_ = State::kRunning;
  }
  // The caller no longer waits, but the accelerator may still have the buffers.
  void abandon() noexcept {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kRunning) state_ = State::kAbandoned;
  }
  void clear() noexcept {
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kFree;
    }
    cleared_.notify_all();
  }

 private:
  enum class State { kFree, kRunning, kAbandoned };

  std::mutex mutex_;
  std::condition_variable cleared_;
  State state_ = State::kFree;
};

}  // namespace hbm
