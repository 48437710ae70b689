// SPDX-License-Identifier: Apache-2.0
// Starts an asynchronous run within its time.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/board/deadline.hpp"
#include "core/jobs/job.hpp"
#include "core/run/runtime.hpp"
#include "core/scheduling/run_limit.hpp"
#include "waiting.hpp"

namespace hbm::bindings {

// `enter(deadline)` waits for a place in `in_flight`; what it refuses counts for each request.
template <typename Enter>
std::shared_ptr<Job> start_job(Runtime& runtime, const std::vector<Request>& requests,
                               std::optional<Deadline::Clock::duration> time,
                               const std::shared_ptr<InFlight>& in_flight,
                               const std::shared_ptr<EndedJobs>& sink, uint64_t number,
                               const Enter& enter) {
  const auto called = Deadline::Clock::now();
  return without_gil(time, [&](const Deadline& deadline) {
    runtime.check_usable();
    try {
      enter(deadline);
    } catch (const Error& error) {
      for (const Request& request : requests) count_refused(request, error);
      throw;
    }
    try {
      // What is left of the time covers the rest.
      if (time) *time -= Deadline::Clock::now() - called;
      return Job::start(runtime, requests, time, in_flight, sink, number);
    } catch (...) {
      in_flight->leave();
      throw;
    }
  });
}

}  // namespace hbm::bindings
