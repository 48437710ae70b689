// SPDX-License-Identifier: Apache-2.0
// The queue between the threads that end jobs and the one that tells their owners.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "core/jobs/job.hpp"

namespace hbm {

class EndedJobs final : public EndListener {
 public:
  void ended(std::shared_ptr<Job> job) noexcept override { put(job->number()); }
  // One more to be taken.
  void put(uint64_t number) {
    {
      const std::lock_guard lock(mutex_);
      numbers_.push_back(number);
    }
    arrived_.notify_one();
  }
  // Waits for the next one; none once it is closed and empty.
  [[nodiscard]] std::optional<uint64_t> take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return closed_ || !numbers_.empty(); });
    if (numbers_.empty()) return std::nullopt;
    const uint64_t number = numbers_.front();
    numbers_.pop_front();
    return number;
  }
  // take() no longer waits.
  void close() noexcept {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    arrived_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<uint64_t> numbers_;
  bool closed_ = false;
};

}  // namespace hbm
