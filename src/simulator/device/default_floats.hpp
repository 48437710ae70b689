// SPDX-License-Identifier: Apache-2.0
// Rounding and denormals as the engine expects them, whatever the program set for its threads.
#pragma once

#include <cfenv>

namespace hbm::simulator {

// For a scope. Threads inherit the settings of those that make them, and compilers' fast-math flags
// change them behind a program's back: results would depend on the thread.
class DefaultFloats {
 public:
  DefaultFloats() noexcept {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  DefaultFloats(const DefaultFloats&) = delete;
  DefaultFloats& operator=(const DefaultFloats&) = delete;
  ~DefaultFloats() { std::fesetenv(&before_); }

 private:
  std::fenv_t before_{};
};

}  // namespace hbm::simulator
