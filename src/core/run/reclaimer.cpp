// SPDX-License-Identifier: Apache-2.0
// Releases abandoned runs, each on a thread of its own so that none waits behind another.
#include "core/run/reclaimer.hpp"

#include <new>
#include <thread>
#include <utility>

namespace hbm {
namespace {

// An idle thread stays for the next abandoned run that long.
constexpr std::chrono::seconds kIdleTime{5};

}  // namespace

Reclaimer& Reclaimer::of_process() {
  // Never destroyed: its threads may wait for the accelerator while the process ends.
  static Reclaimer& abandoned = *std::make_unique<Reclaimer>().release();
  return abandoned;
}

void Reclaimer::take(std::unique_ptr<ModelRun> run) noexcept {
  if (!fork_guard_.is_own_process()) {
    RunLease::end_now(std::move(run));  // in a forked child: frees memory only
    return;
  }
  try {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(run));
    ++unfinished_;
  } catch (const std::bad_alloc&) {
    // Not even a place in the queue: the caller waits for the accelerator itself.
    RunLease::end_now(std::move(run));
    return;
  }
  start_threads();
}

void Reclaimer::start_threads() noexcept {
  if (!fork_guard_.is_own_process()) return;
  try {
    const std::lock_guard lock(mutex_);
    while (idle_threads_ < waiting_.size()) {
      std::thread([this] { drain(); }).detach();
      ++idle_threads_;  // it counts before it runs
    }
  } catch (const std::exception&) {
    // No thread to be had: the run waits for one that gets free, or for the next call.
  }
  arrived_.notify_one();
}

std::size_t Reclaimer::count() const {
  const std::lock_guard lock(mutex_);
  return unfinished_;
}

bool Reclaimer::wait_for_all(std::chrono::milliseconds patience) {
  if (!fork_guard_.is_own_process()) return true;
  start_threads();
  std::unique_lock lock(mutex_);
  return drained_.wait_for(lock, patience, [this] { return unfinished_ == 0; });
}

void Reclaimer::drain() {
  std::unique_lock lock(mutex_);
  while (arrived_.wait_for(lock, kIdleTime, [this] { return !waiting_.empty(); })) {
    std::unique_ptr<ModelRun> run = std::move(waiting_.front());
    waiting_.pop_front();
    --idle_threads_;
    lock.unlock();
    RunLease::end_now(std::move(run));
    lock.lock();
    ++idle_threads_;
    if (--unfinished_ == 0) drained_.notify_all();
  }
  --idle_threads_;
}

}  // namespace hbm
