// SPDX-License-Identifier: Apache-2.0
// Copies inputs in, hands the task over and describes its outputs.
#include "core/run/model_run.hpp"

#include <utility>

#include "abi/strided_copy.hpp"
#include "core/board/error.hpp"
#include "core/run/reclaimer.hpp"
#include "core/tensors/byte_order.hpp"
#include "core/tensors/data_type.hpp"

namespace hbm {
namespace {

void set_properties(hbDNNTensorProperties& properties, const Extents& shape, const Extents& strides,
                    int64_t byte_size) {
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    properties.validShape.dimensionSize[axis] = static_cast<int32_t>(shape[axis]);
    properties.stride[axis] = strides[axis];
  }
  properties.alignedByteSize = byte_size;
}

}  // namespace

ModelRun::ModelRun(std::shared_ptr<const Library> library, const LoadedModel& model)
    : model_(model), task_(std::move(library), model.name()) {
  const ModelInfo& info = model.info();
  for (const TensorInfo& input : info.inputs) {
    const bool dynamic = is_dynamic_input(input);
    dynamic_inputs_.push_back(dynamic);
    input_layouts_.push_back(dynamic ? Layout{} : input_layout(input, input.shape));
    inputs_.push_back({{}, input.properties});
  }
  for (const TensorInfo& output : info.outputs) {
    dynamic_outputs_.push_back(has_unknown(output.shape, output.strides));
    output_layouts_.push_back(output_layout(output, info.name));
    outputs_.push_back({{}, output.properties});
  }
}

void ModelRun::set_inputs(BufferPool& pool, const ModelCall& call, int64_t now) {
  record_.begin(call.record, now);
  sched_ = call.sched;
  use_ = call.use;
  const ModelInfo& info = model_.info();
  sizes_.clear();
  uint64_t bytes = 0;
  for (std::size_t index = 0; index < inputs_.size(); ++index) {
    const InputView& view = call.inputs[index];
    inputs_[index].sysMem.virAddr = nullptr;
    if (view.device) {
      if (const auto strides = strides_in_place(info.inputs[index], view)) {
        borrow(index, view, *strides);
        continue;
      }
    }
    if (dynamic_inputs_[index]) {
      input_layouts_[index] =
          input_layout(info.inputs[index], element_shape(info.inputs[index], view.shape));
    }
    sizes_.push_back(input_layouts_[index].byte_size);
    bytes += static_cast<uint64_t>(input_layouts_[index].byte_size);
  }
  first_output_ = sizes_.size();
  if (call.outputs.empty()) {
    for (const Layout& layout : output_layouts_) sizes_.push_back(layout.byte_size);
  }
  pool.acquire(sizes_, buffers_);
  pool_ = pool.shared_from_this();
  std::size_t next = 0;
  for (std::size_t index = 0; index < inputs_.size(); ++index) {
    if (inputs_[index].sysMem.virAddr == nullptr) {
      copy_in(index, call.inputs[index], buffers_[next++]);
    }
  }
  buffers_.insert(buffers_.end(), call.outputs.begin(), call.outputs.end());
  for (std::size_t index = 0; index < outputs_.size(); ++index) {
    outputs_[index].sysMem = buffers_[first_output_ + index]->memory();
  }
  record_.copied_in(now_ns(), first_output_, bytes);
}

void ModelRun::borrow(std::size_t index, const InputView& view, const Extents& strides) {
  const auto offset = static_cast<uint64_t>(view.data - view.device->data());
  hbDNNTensor& tensor = inputs_[index];
  tensor.sysMem = view.device->memory();
  tensor.sysMem.phyAddr += offset;
  tensor.sysMem.virAddr = view.device->data() + offset;
  tensor.sysMem.memSize -= offset;
  set_properties(tensor.properties, element_shape(model_.info().inputs[index], view.shape), strides,
                 static_cast<int64_t>(tensor.sysMem.memSize));
  borrowed_.push_back(view.device);
  view.device->clean();
}

void ModelRun::copy_in(std::size_t index, const InputView& view, const BufferRef& buffer) {
  const TensorInfo& info = model_.info().inputs[index];
  const Layout& layout = input_layouts_[index];
  strided_copy(buffer->data(), layout.strides, view.data, view.strides, layout.shape,
               layout.element_size);
  if (view.other_byte_order) {
    swap_byte_order(buffer->data(), layout.shape, layout.strides, layout.element_size);
  }
  buffer->clean();
  hbDNNTensor& tensor = inputs_[index];
  tensor.sysMem = buffer->memory();
  set_properties(tensor.properties, element_shape(info, view.shape), layout.strides,
                 layout.byte_size);
}

void ModelRun::submit(TaskSlot slot, hbUCPTaskDoneCb done, void* user_data) {
  slot_ = std::move(slot);
  hbUCPSchedParam sched = sched_;
  slot_.apply_to(sched);
  record_.submitted(sched, model_.info().core_count);
  task_.create(model_.info().handle, outputs_, inputs_);
  if (done != nullptr) task_.call_when_done(done, user_data);
  task_.submit(sched);
}

void ModelRun::wait(const Deadline& deadline) {
  task_.wait(deadline);
  record_.done(now_ns());
}

void ModelRun::saw_end(int64_t when) noexcept {
  task_.saw_end();
  record_.done(when);
}

void ModelRun::take_outputs(RunResult& result) {
  result.outputs.reserve(outputs_.size());
  for (std::size_t index = 0; index < outputs_.size(); ++index) {
    buffers_[first_output_ + index]->invalidate();
    result.outputs.push_back(describe_output(index));
  }
  record_.finished(now_ns());
  result.times = record_.times();
}

// What the run produced, which for dynamic outputs only the task knows.
OutputTensor ModelRun::describe_output(std::size_t index) const {
  const BufferRef& buffer = buffers_[first_output_ + index];
  const TensorInfo& known = model_.info().outputs[index];
  const Layout& layout = output_layouts_[index];
  if (!dynamic_outputs_[index]) return {buffer, known.data_type, layout.shape, layout.strides};
  const auto properties = task_.output_properties(static_cast<int32_t>(index));
  const TensorInfo info = make_tensor_info(known.name, {}, properties, model_.name());
  const Layout finished = finished_layout(info, buffer->size(), model_.name());
  return {buffer, info.data_type, finished.shape, finished.strides};
}

void ModelRun::end() noexcept {
  task_.release();
  record_.release();
  slot_.leave();
  buffers_.clear();
  borrowed_.clear();
  if (pool_ != nullptr) {
    pool_->run_ended(sizes_);
    pool_.reset();
  }
  if (use_ != nullptr) use_->clear();
  use_.reset();
}

RunLease::RunLease(const std::shared_ptr<const Library>& library,
                   std::shared_ptr<const LoadedModel> model)
    : run_(model->take_idle_run()) {
  if (run_ == nullptr) {
    Reclaimer::of_process().start_threads();  // one that could not be had may keep a run
    run_ = std::make_unique<ModelRun>(library, *model);
  }
  run_->keep_ = std::move(model);
}

void RunLease::give_back() noexcept {
  if (run_ == nullptr) return;
  if (run_->is_in_flight()) {
    Reclaimer::of_process().take(std::move(run_));
  } else {
    end_now(std::move(run_));
  }
}

void RunLease::end_now(std::unique_ptr<ModelRun> run) noexcept {
  run->end();
  const std::shared_ptr<const LoadedModel> model = std::move(run->keep_);
  model->keep_idle_run(std::move(run));
}

}  // namespace hbm
