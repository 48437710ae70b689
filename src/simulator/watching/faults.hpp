// SPDX-License-Identifier: Apache-2.0
// Faults on order: the n-th call of a function fails, or comes late, as HBM_SIM_FAULTS says.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hbm::simulator {

// The name under which the execution of a sub-task counts as a call.
inline constexpr std::string_view kRunFault = "run";

// One rule: WHAT[@N[+]]=ACTION, see README.md.
struct FaultRule {
  std::string function;
  uint64_t first = 1;    // the call that it concerns, counted from 1
  bool onwards = false;  // and all later ones
  int32_t status = 0;    // what the call returns; 0: it goes on
  std::chrono::milliseconds delay{0};
};

class Faults {
 public:
  [[nodiscard]] static Faults& instance();

  // Replaces all rules and counts from 1 again; on an error nothing changes and its text is given.
  [[nodiscard]] std::optional<std::string> set(std::string_view rules);
  [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  // Counts a call, waits if a rule says so, and gives the status to fail with, or 0.
  [[nodiscard]] int32_t on_call(std::string_view function);
  // As on_call(), for a function call that a core is about to run.
  [[nodiscard]] int32_t on_core(int core);
  // Ends all delays, also later ones: the process exits.
  void end_delays();
  // What is wrong with HBM_SIM_FAULTS; empty when nothing is.
  [[nodiscard]] const std::string& environment_error() const noexcept { return error_; }

 private:
  struct Counter {
    std::string function;
    uint64_t calls = 0;
  };

  Faults();

  std::atomic<bool> any_{false};
  std::mutex mutex_;
  std::vector<FaultRule> rules_;
  std::vector<Counter> counters_;
  std::condition_variable ending_changed_;
  bool ending_ = false;
  std::string error_;
};

}  // namespace hbm::simulator

// Exported by libhbucp.so for libdnn.so: what every entry point asks first; 0 to go on.
extern "C" int32_t hbSimFault(const char* function);
