// SPDX-License-Identifier: Apache-2.0
// Counts forks, in the child.
#include "core/board/fork_guard.hpp"

#include <pthread.h>

#include <atomic>

namespace hbm {
namespace {

std::atomic<uint64_t> generation{0};

}  // namespace

uint64_t fork_generation() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++generation; });
  static_cast<void>(registered);  // without memory for the handler forks go unnoticed
  return generation.load(std::memory_order_relaxed);
}

}  // namespace hbm
