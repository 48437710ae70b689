// SPDX-License-Identifier: Apache-2.0
// Runs models: host arrays in, device buffers with their layout out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "deadline.hpp"
#include "input_view.hpp"
#include "library.hpp"
#include "model.hpp"
#include "model_run.hpp"
#include "pool.hpp"

namespace hbm {

// One model's part of a run; inputs in the model's order.
struct Request {
  std::shared_ptr<const Model> model;
  std::vector<InputView> inputs;
  hbUCPSchedParam sched{};                            // see to_abi
  std::optional<Deadline::Clock::duration> max_wait;  // see PlaceRequest
};

// Outputs in the model's order.
using Outputs = std::vector<OutputTensor>;

// The place that requests need which run together.
[[nodiscard]] PlaceRequest place_for(const Request* requests, std::size_t count, int chip_cores);

class Runtime {
 public:
  explicit Runtime(std::shared_ptr<const Library> library);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() { pool_->close(); }

  [[nodiscard]] const std::shared_ptr<const Library>& library() const noexcept { return library_; }
  [[nodiscard]] BufferPool& pool() const noexcept { return *pool_; }

  // Throws Error(kLibrary) in a forked child, Error(kInput) for inputs that do not fit.
  void check(const std::vector<Request>& requests) const;

  // Submits every request, then waits for all; outputs come in the requests' order. Any thread.
  // Throws Error; what is still in flight then is abandoned, and its memory comes back later.
  [[nodiscard]] std::vector<Outputs> run(const std::vector<Request>& requests,
                                         const Deadline& deadline) const;

 private:
  std::shared_ptr<const Library> library_;
  std::shared_ptr<BufferPool> pool_;
};

}  // namespace hbm
