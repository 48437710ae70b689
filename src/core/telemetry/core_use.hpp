// SPDX-License-Identifier: Apache-2.0
// How much this process keeps the BPU cores busy, as far as the ABI lets it know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace hbm {

// The ABI does not tell which core ran a task, nor when. So this is this process's view: a core is
// surely wanted while a task is in flight that may run on no other one, and of all cores at most
// as many work as tasks in flight occupy. Other processes are not seen.
class CoreUse {
 public:
  struct Snapshot {
    int64_t elapsed_ns = 0;  // since the beginning or the last reset
    // Per core: the time with at least one task in flight that may run only there.
    std::vector<int64_t> pinned_ns;
    // Over all cores: the integral of min(cores that tasks in flight occupy, cores).
    int64_t occupied_ns = 0;
    // Cores that the tasks in flight occupy now; more than there are while some wait.
    int64_t wanted_now = 0;
  };

  explicit CoreUse(int core_count, int64_t now);

  // A task goes to the accelerator and comes back; `core_mask` is the set of cores that it may use,
  // bit by bit, 0 for any. `occupied` is how many it occupies at once (the model's core_count).
  // Any thread. No lock-free pair: integral and counts change together under a mutex that is held
  // for a few additions; nothing is allocated.
  void started(uint32_t core_mask, int64_t now, int occupied = 1) noexcept;
  void ended(uint32_t core_mask, int64_t now, int occupied = 1) noexcept;

  [[nodiscard]] Snapshot snapshot(int64_t now) const;
  // The times start afresh; tasks in flight stay in flight.
  void reset(int64_t now) noexcept;

 private:
  static constexpr int kMaxCores = 32;  // bits of a mask

  void advance(int64_t now) noexcept;
  void change(uint32_t core_mask, int64_t now, int64_t by, int occupied) noexcept;

  const int core_count_;
  mutable std::mutex mutex_;
  int64_t since_;
  int64_t last_;
  int64_t wanted_ = 0;
  int64_t occupied_ns_ = 0;
  struct Core {
    int64_t tasks = 0;  // in flight that may run only here
    int64_t pinned_ns = 0;
  };
  std::vector<Core> cores_;
};

}  // namespace hbm
