// SPDX-License-Identifier: Apache-2.0
// One run of one model: its tensors in device memory and its task. Used again from run to run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/board/deadline.hpp"
#include "core/memory/pool.hpp"
#include "core/run/input_view.hpp"
#include "core/run/loaded_model.hpp"
#include "core/run/task.hpp"
#include "core/scheduling/admission.hpp"
#include "core/scheduling/binding_in_use.hpp"
#include "core/telemetry/run_record.hpp"

namespace hbm {

// An output in device memory, readable as long as the buffer is held.
struct OutputTensor {
  BufferRef buffer;
  int32_t data_type = 0;
  Extents shape;    // storage units
  Extents strides;  // bytes
};

// One model's part of a run; inputs in the model's order.
struct ModelCall {
  std::shared_ptr<const LoadedModel> model;
  std::vector<InputView> inputs;
  // Where the outputs go; from the pool if empty.
  std::vector<BufferRef> outputs;
  hbUCPSchedParam sched{};                            // see to_abi
  std::optional<Deadline::Clock::duration> max_wait;  // see SlotRequest
  std::shared_ptr<const ModelRecord> record;          // may be null
  std::shared_ptr<BindingInUse> use;                  // cleared when all is given back; or null
};

// What a run gives: outputs in the model's order, and how long its stages took.
struct RunResult {
  std::vector<OutputTensor> outputs;
  StageTimes times;
};

class ModelRun {
 public:
  // Throws Error(kModel) if an output's size is not known before the run.
  ModelRun(std::shared_ptr<const Library> library, const LoadedModel& model);

  [[nodiscard]] const LoadedModel& model() const noexcept { return model_; }

  // Takes buffers and copies the inputs that the accelerator cannot read where they lie; they
  // must have passed check_input. `now` is the time.
  void set_inputs(BufferPool& pool, const ModelCall& call, int64_t now);
  // The run waited for its slot: from then until set_inputs, or from there until now.
  void queued_before(int64_t begin) noexcept { record_.queued_before(begin); }
  void queued_after(int64_t now) noexcept { record_.queued_after(now); }
  // Hands the task over. With `done`, it is called once, on a thread of the accelerator.
  void submit(TaskSlot slot, hbUCPTaskDoneCb done = nullptr, void* user_data = nullptr);
  void wait(const Deadline& deadline);
  // The end as the callback reported it, at that time.
  void saw_end(int64_t when) noexcept;
  // Throws Error for a status that is no success.
  void check_done(int32_t status) const { task_.check_done(status); }
  // After a successful end: the outputs now belong to the caller too.
  void take_outputs(RunResult& result);
  // There will be no outputs.
  void give_up(Outcome outcome) noexcept {
    record_.ended(outcome);
    if (use_ != nullptr) use_->abandon();
  }
  // Cancels what is in flight, waits for it, and gives back task, slot and buffers.
  void end() noexcept;
  [[nodiscard]] bool is_in_flight() const noexcept { return task_.is_in_flight(); }

 private:
  friend class RunLease;

  void borrow(std::size_t index, const InputView& view, const Extents& strides);
  void copy_in(std::size_t index, const InputView& view, const BufferRef& buffer);
  [[nodiscard]] OutputTensor describe_output(std::size_t index) const;

  const LoadedModel& model_;
  std::shared_ptr<const LoadedModel> keep_;  // while in use
  std::vector<Layout> input_layouts_;
  std::vector<Layout> output_layouts_;
  std::vector<bool> dynamic_inputs_;
  std::vector<bool> dynamic_outputs_;
  std::shared_ptr<BufferPool> pool_;  // that `sizes_` were taken from
  std::vector<int64_t> sizes_;
  std::vector<BufferRef> buffers_;  // the copied inputs', then the outputs'
  std::vector<BufferRef> borrowed_;
  std::vector<hbDNNTensor> inputs_;
  std::vector<hbDNNTensor> outputs_;
  std::size_t first_output_ = 0;  // in `buffers_`
  hbUCPSchedParam sched_{};
  std::shared_ptr<BindingInUse> use_;
  RunRecord record_;
  TaskSlot slot_;
  Task task_;  // the first to go
};

// A run in use. At its end it goes back to its model; one that is still in flight is abandoned to
// a thread that waits for the accelerator to let go of it.
class RunLease {
 public:
  RunLease() = default;
  RunLease(const std::shared_ptr<const Library>& library, std::shared_ptr<const LoadedModel> model);
  RunLease(RunLease&&) = default;
  RunLease& operator=(RunLease&&) = default;
  ~RunLease() { give_back(); }

  void give_back() noexcept;
  explicit operator bool() const noexcept { return run_ != nullptr; }
  ModelRun& operator*() const noexcept { return *run_; }
  ModelRun* operator->() const noexcept { return run_.get(); }

 private:
  friend class Reclaimer;
  static void end_now(std::unique_ptr<ModelRun> run) noexcept;

  std::unique_ptr<ModelRun> run_;
};

}  // namespace hbm
