// SPDX-License-Identifier: Apache-2.0
// Checks calls, submits them together and waits for their outputs.
#include "core/run/runtime.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/board/error.hpp"
#include "core/scheduling/admission.hpp"

namespace hbm {

SlotRequest slot_for(const ModelCall* calls, std::size_t count, int chip_cores) {
  SlotRequest slot;
  slot.count = count;
  slot.core_count = chip_cores;
  slot.priority = calls[0].sched.priority;
  slot.custom_id = calls[0].sched.customId;
  for (std::size_t index = 0; index < count; ++index) {
    const ModelCall& call = calls[index];
    slot.priority = std::max(slot.priority, call.sched.priority);
    slot.custom_id = std::min(slot.custom_id, call.sched.customId);
    // Models that run together wait together, the most patient one as long as the least.
    if (call.max_wait && (!slot.max_wait || *call.max_wait < *slot.max_wait)) {
      slot.max_wait = call.max_wait;
    }
  }
  return slot;
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

void count_refused(const ModelCall& call, const Error& error) noexcept {
  if (call.record != nullptr) call.record->statistics->ended(outcome_of(error));
}

Runtime::Runtime(std::shared_ptr<const Library> library)
    : library_(std::move(library)),
      pool_(BufferPool::create(library_)),
      sinks_(std::make_shared<RunSinks>(library_->core_count())) {}

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

void Runtime::check(const std::vector<ModelCall>& calls) const {
  check_usable();
  for (const ModelCall& call : calls) {
    const ModelInfo& model = call.model->info();
    try {
      if (call.inputs.size() != model.inputs.size()) {
        throw Error(ErrorKind::kInput,
                    "model '" + model.name + "': expected " + std::to_string(model.inputs.size()) +
                        " inputs, got " + std::to_string(call.inputs.size()),
                    {model.name, {}});
      }
      for (std::size_t index = 0; index < model.inputs.size(); ++index) {
        check_input(model, model.inputs[index], call.inputs[index]);
      }
    } catch (const Error& error) {
      count_refused(call, error);
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

// A slot for calls that run together; counts those that do not get one.
TaskSlot enter(const ModelCall* calls, std::size_t count, int chip_cores,
               const Deadline& deadline) {
  try {
    return Admission::of_process().enter(slot_for(calls, count, chip_cores), deadline);
  } catch (const Error& error) {
    for (std::size_t index = 0; index < count; ++index) count_refused(calls[index], error);
    throw;
  }
}

}  // namespace

std::vector<RunResult> Runtime::run(const std::vector<ModelCall>& calls,
                                    const Deadline& deadline) const {
  check(calls);
  const std::size_t limit = Admission::of_process().limit();
  std::vector<RunResult> results(calls.size());
  for (std::size_t begin = 0; begin < calls.size();) {
    const std::size_t count = std::min(calls.size() - begin, limit);
    const int64_t called = now_ns();
    TaskSlot slots = enter(&calls[begin], count, library_->core_count(), deadline);
    const int64_t granted = now_ns();
    std::vector<RunLease> runs;
    runs.reserve(count);
    counting_errors(runs, [&] {
      for (std::size_t index = begin; index < begin + count; ++index) {
        RunLease& run = runs.emplace_back(library_, calls[index].model);
        run->set_inputs(*pool_, calls[index], index == begin ? granted : now_ns());
        run->queued_before(called);
        run->submit(slots.take_one());
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

void Runtime::run_in_place(const ModelCall& call, const Deadline& deadline,
                           RunResult& result) const {
  check_usable();
  const int64_t called = now_ns();
  try {
    call.use->set(deadline, call.model->name());
  } catch (const Error& error) {
    count_refused(call, error);
    throw;
  }
  TaskSlot slot;
  std::array<RunLease, 1> runs;
  try {
    slot = enter(&call, 1, library_->core_count(), deadline);
    runs[0] = RunLease(library_, call.model);
  } catch (...) {
    call.use->clear();
    throw;
  }
  const int64_t granted = now_ns();
  counting_errors(runs, [&] {
    runs[0]->set_inputs(*pool_, call, granted);
    runs[0]->queued_before(called);
    runs[0]->submit(std::move(slot));
    runs[0]->wait(deadline);
    result.outputs.clear();
    runs[0]->take_outputs(result);
  });
}

}  // namespace hbm
