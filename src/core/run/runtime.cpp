// SPDX-License-Identifier: Apache-2.0
// Checks requests, submits them together and waits for their outputs.
#include "core/run/runtime.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/board/error.hpp"
#include "core/scheduling/admission.hpp"

namespace hbm {

PlaceRequest place_for(const Request* requests, std::size_t count, int chip_cores) {
  PlaceRequest place;
  place.count = count;
  place.core_count = chip_cores;
  place.priority = requests[0].sched.priority;
  place.custom_id = requests[0].sched.customId;
  for (std::size_t index = 0; index < count; ++index) {
    const Request& request = requests[index];
    place.priority = std::max(place.priority, request.sched.priority);
    place.custom_id = std::min(place.custom_id, request.sched.customId);
    // Models that run together wait together, the most patient one as long as the least.
    if (request.max_wait && (!place.max_wait || *request.max_wait < *place.max_wait)) {
      place.max_wait = request.max_wait;
    }
  }
  return place;
}

Outcome outcome_of(const Error& error) noexcept {
  switch (error.kind()) {
    case ErrorKind::kTimeout:
      return Outcome::kTimeout;
    case ErrorKind::kInput:
    case ErrorKind::kBusy:
    case ErrorKind::kClosed:
      return Outcome::kRejected;
    default:
      return Outcome::kFailed;
  }
}

void count_refused(const Request& request, const Error& error) noexcept {
  if (request.record != nullptr) request.record->statistics->ended(outcome_of(error));
}

Runtime::Runtime(std::shared_ptr<const Library> library)
    : library_(std::move(library)),
      pool_(BufferPool::create(library_)),
      recorder_(std::make_shared<Recorder>(library_->core_count())) {}

void Runtime::close() noexcept {
  closed_ = true;
  pool_->close();
}

void Runtime::check_usable() const {
  library_->check_usable();
  if (closed_) {
    throw Error(ErrorKind::kClosed, "the runtime is closed; make a new HB_HBMRuntime");
  }
}

void Runtime::check(const std::vector<Request>& requests) const {
  check_usable();
  for (const Request& request : requests) {
    const ModelInfo& model = request.model->info();
    try {
      if (request.inputs.size() != model.inputs.size()) {
        throw Error(ErrorKind::kInput,
                    "model '" + model.name + "': expected " + std::to_string(model.inputs.size()) +
                        " inputs, got " + std::to_string(request.inputs.size()),
                    {model.name, {}});
      }
      for (std::size_t index = 0; index < model.inputs.size(); ++index) {
        check_input(model, model.inputs[index], request.inputs[index]);
      }
    } catch (const Error& error) {
      count_refused(request, error);
      throw;
    }
  }
}

namespace {

// Counts the outcome of runs that an error ends; what is in flight is abandoned.
template <typename Runs, typename Work>
void counting_errors(Runs& runs, Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    for (RunLease& run : runs) run->give_up(outcome_of(error));
    throw;
  }
}

// A place for requests that run together; counts those that do not get one.
Place enter(const Request* requests, std::size_t count, int chip_cores, const Deadline& deadline) {
  try {
    return Admission::of_process().enter(place_for(requests, count, chip_cores), deadline);
  } catch (const Error& error) {
    for (std::size_t index = 0; index < count; ++index) count_refused(requests[index], error);
    throw;
  }
}

}  // namespace

std::vector<RunResult> Runtime::run(const std::vector<Request>& requests,
                                    const Deadline& deadline) const {
  check(requests);
  const std::size_t limit = Admission::of_process().limit();
  std::vector<RunResult> results(requests.size());
  for (std::size_t begin = 0; begin < requests.size();) {
    const std::size_t count = std::min(requests.size() - begin, limit);
    const int64_t called = now_ns();
    Place places = enter(&requests[begin], count, library_->core_count(), deadline);
    const int64_t granted = now_ns();
    std::vector<RunLease> runs;
    runs.reserve(count);
    counting_errors(runs, [&] {
      for (std::size_t index = begin; index < begin + count; ++index) {
        RunLease& run = runs.emplace_back(library_, requests[index].model);
        run->set_inputs(*pool_, requests[index], index == begin ? granted : now_ns());
        run->queued_before(called);
        run->submit(places.take_one());
      }
      for (std::size_t index = 0; index < count; ++index) {
        runs[index]->wait(deadline);
        runs[index]->take_outputs(results[begin + index]);
      }
    });
    begin += count;
  }
  return results;
}

void Runtime::run_in_place(const Request& request, const Deadline& deadline,
                           RunResult& result) const {
  check_usable();
  const int64_t called = now_ns();
  try {
    request.use->set(deadline, request.model->name());
  } catch (const Error& error) {
    count_refused(request, error);
    throw;
  }
  Place place;
  std::array<RunLease, 1> runs;
  try {
    place = enter(&request, 1, library_->core_count(), deadline);
    runs[0] = RunLease(library_, request.model);
  } catch (...) {
    request.use->clear();
    throw;
  }
  const int64_t granted = now_ns();
  counting_errors(runs, [&] {
    runs[0]->set_inputs(*pool_, request, granted);
    runs[0]->queued_before(called);
    runs[0]->submit(std::move(place));
    runs[0]->wait(deadline);
    result.outputs.clear();
    runs[0]->take_outputs(result);
  });
}

}  // namespace hbm
