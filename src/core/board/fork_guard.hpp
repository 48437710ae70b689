// SPDX-License-Identifier: Apache-2.0
// Tells a forked child from the process that opened the accelerator: the child has no part in it.
#pragma once

#include <cstdint>

namespace hbm {

// How often this process and its ancestors have forked away from the first; one atomic read.
[[nodiscard]] uint64_t fork_generation() noexcept;

class ForkGuard {
 public:
  // False in a child that was forked after the mark was made.
  [[nodiscard]] bool is_own_process() const noexcept { return generation_ == fork_generation(); }
  // Throws Error(kLibrary) in such a child.
  void check_own_process() const;

 private:
  uint64_t generation_ = fork_generation();
};

}  // namespace hbm
