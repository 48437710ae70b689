// SPDX-License-Identifier: Apache-2.0
// Counts forks, in the child.
#include "core/board/fork_guard.hpp"

#include <pthread.h>

#include <atomic>

#include "core/board/error.hpp"

namespace hbm {
namespace {

std::atomic<uint64_t> generation{0};

}  // namespace

uint64_t fork_generation() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++generation; });
  static_cast<void>(registered);  // without memory for the handler forks go unnoticed
  return generation.load(std::memory_order_relaxed);
}

void ForkGuard::check_own_process() const {
  if (is_own_process()) return;
  throw Error(ErrorKind::kLibrary,
              "this process was forked after the accelerator had been opened, and a forked child "
              "cannot use it; start workers with multiprocessing's 'spawn' method, or open the "
              "accelerator in the child only");
}

}  // namespace hbm
