// SPDX-License-Identifier: Apache-2.0
// Runs models: host arrays in, device buffers with their layout out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/board/deadline.hpp"
#include "core/board/error.hpp"
#include "core/board/library.hpp"
#include "core/memory/pool.hpp"
#include "core/run/input_view.hpp"
#include "core/run/loaded_model.hpp"
#include "core/run/model_run.hpp"
#include "core/telemetry/run_sinks.hpp"

namespace hbm {

// The slot that calls need which run together.
[[nodiscard]] SlotRequest slot_for(const ModelCall* calls, std::size_t count, int chip_cores);

class Runtime {
 public:
  explicit Runtime(std::shared_ptr<const Library> library);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() { pool_->close(); }

  // From now on all runs are refused; those under way go on.
  void close() noexcept;

  [[nodiscard]] const std::shared_ptr<const Library>& library() const noexcept { return library_; }
  [[nodiscard]] BufferPool& pool() const noexcept { return *pool_; }
  [[nodiscard]] const std::shared_ptr<RunSinks>& sinks() const noexcept { return sinks_; }

  // Throws Error(kLibrary) in a forked child, Error(kClosed) after close().
  void check_usable() const;
  // The same, and Error(kInput) for inputs that do not fit.
  void check(const std::vector<ModelCall>& calls) const;

  // Submits every call, then waits for all; results come in the calls' order. Any thread.
  // Throws Error; what is still in flight then is abandoned, and its memory comes back later.
  [[nodiscard]] std::vector<RunResult> run(const std::vector<ModelCall>& calls,
                                           const Deadline& deadline) const;
  // The same for one checked call with given outputs and a mark of their use; allocates nothing
  // from the second call on. Throws Error(kBusy) while another call with that mark runs.
  void run_in_place(const ModelCall& call, const Deadline& deadline, RunResult& result) const;

 private:
  std::shared_ptr<const Library> library_;
  std::shared_ptr<BufferPool> pool_;
  std::shared_ptr<RunSinks> sinks_;
  std::atomic<bool> closed_{false};
};

// How an error counts.
[[nodiscard]] Outcome outcome_of(const Error& error) noexcept;
// Counts a call that did not become a run.
void count_refused(const ModelCall& call, const Error& error) noexcept;

}  // namespace hbm
