// SPDX-License-Identifier: Apache-2.0
// Threads that wait for the accelerator to let go of runs that nobody waits for any longer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

#include "core/board/fork_guard.hpp"
#include "core/run/model_run.hpp"

namespace hbm {

class Reclaimer {
 public:
  [[nodiscard]] static Reclaimer& of_process();

  // Cancels the run and gives back what it holds, on another thread since that may take long.
  void take(std::unique_ptr<ModelRun> run) noexcept;
  // Starts the threads that runs wait for, if any could not be started when it was their turn.
  void start_threads() noexcept;
  // Runs that the accelerator has not let go of yet.
  [[nodiscard]] std::size_t count() const;
  // Waits until there are none; false when `patience` was not enough.
  [[nodiscard]] bool wait_for_all(std::chrono::milliseconds patience);

 private:
  void drain();

  const ForkGuard fork_guard_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable drained_;
  std::deque<std::unique_ptr<ModelRun>> waiting_;
  std::size_t idle_threads_ = 0;
  std::size_t unfinished_ = 0;
};

}  // namespace hbm
