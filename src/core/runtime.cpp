// SPDX-License-Identifier: Apache-2.0
// Checks requests, submits them together and waits for their outputs.
#include "runtime.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "admission.hpp"
#include "error.hpp"

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

Runtime::Runtime(std::shared_ptr<const Library> library)
    : library_(std::move(library)), pool_(BufferPool::create(library_)) {}

void Runtime::check(const std::vector<Request>& requests) const {
  library_->check_usable();
  for (const Request& request : requests) {
    const ModelInfo& model = request.model->info();
    if (request.inputs.size() != model.inputs.size()) {
      throw Error(ErrorKind::kInput,
                  "model '" + model.name + "': expected " + std::to_string(model.inputs.size()) +
                      " inputs, got " + std::to_string(request.inputs.size()),
                  {model.name, {}});
    }
    for (std::size_t index = 0; index < model.inputs.size(); ++index) {
      check_input(model, model.inputs[index], request.inputs[index]);
    }
  }
}

std::vector<Outputs> Runtime::run(const std::vector<Request>& requests,
                                  const Deadline& deadline) const {
  check(requests);
  Admission& admission = Admission::of_process();
  std::vector<Outputs> results(requests.size());
  for (std::size_t begin = 0; begin < requests.size();) {
    const std::size_t count = std::min(requests.size() - begin, admission.limit());
    Place places =
        admission.enter(place_for(&requests[begin], count, library_->core_count()), deadline);
    std::vector<RunLease> runs;
    runs.reserve(count);
    for (std::size_t index = begin; index < begin + count; ++index) {
      RunLease& run = runs.emplace_back(library_, requests[index].model);
      run->set_inputs(*pool_, requests[index].inputs);
      run->submit(places.take_one(), requests[index].sched);
    }
    for (std::size_t index = 0; index < count; ++index) {
      runs[index]->wait(deadline);
      runs[index]->take_outputs(results[begin + index]);
    }
    begin += count;
  }
  return results;
}

}  // namespace hbm
