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
#include "core/run/model.hpp"
#include "core/run/model_run.hpp"
#include "core/telemetry/run_sinks.hpp"

namespace hbm {

// The place that requests need which run together.
[[nodiscard]] PlaceRequest place_for(const Request* requests, std::size_t count, int chip_cores);

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
  [[nodiscard]] const std::shared_ptr<Recorder>& recorder() const noexcept { return recorder_; }

  // Throws Error(kLibrary) in a forked child, Error(kClosed) after close().
  void check_usable() const;
  // The same, and Error(kInput) for inputs that do not fit.
  void check(const std::vector<Request>& requests) const;

  // Submits every request, then waits for all; results come in the requests' order. Any thread.
  // Throws Error; what is still in flight then is abandoned, and its memory comes back later.
  [[nodiscard]] std::vector<RunResult> run(const std::vector<Request>& requests,
                                           const Deadline& deadline) const;
  // The same for one checked request with given outputs and a mark of their use; allocates nothing
  // from the second call on. Throws Error(kBusy) while another call with that mark runs.
  void run_in_place(const Request& request, const Deadline& deadline, RunResult& result) const;

 private:
  std::shared_ptr<const Library> library_;
  std::shared_ptr<BufferPool> pool_;
  std::shared_ptr<Recorder> recorder_;
  std::atomic<bool> closed_{false};
};

// How an error counts.
[[nodiscard]] Outcome outcome_of(const Error& error) noexcept;
// Counts a request that did not become a run.
void count_refused(const Request& request, const Error& error) noexcept;

}  // namespace hbm
