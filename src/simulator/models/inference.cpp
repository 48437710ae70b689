// SPDX-License-Identifier: Apache-2.0
// Computes an inference with the engine, one function call at a time.
#include "simulator/models/inference.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "abi/data_types.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {

std::shared_ptr<Inference> Inference::make(hbDNNHandle_t handle, const hbDNNTensor* outputs,
                                           const hbDNNTensor* inputs, int32_t* status) {
  *status = HB_UCP_INVALID_ARGUMENT;
  if (outputs == nullptr || inputs == nullptr) return nullptr;
  auto model = HandleTable::instance().use(handle);
  if (model == nullptr) return nullptr;
  std::shared_ptr<Inference> made(new Inference(std::move(model)));
  made->inputs_.resize(made->model_->inputs.size());
  made->outputs_.resize(made->model_->outputs.size());
  for (std::size_t index = 0; index < made->inputs_.size(); ++index) {
    *status = check_input(made->model_->inputs[index].spec, inputs[index], made->inputs_[index]);
    if (*status != HB_UCP_SUCCESS) return nullptr;
  }
  for (std::size_t index = 0; index < made->outputs_.size(); ++index) {
    const BorderTensor& border = made->model_->outputs[index];
    *status = check_output(border.spec, outputs[index], made->outputs_[index]);
    if (*status != HB_UCP_SUCCESS) return nullptr;
    made->produced_.push_back(border.properties);
  }
  made->run_options_ = Engine::instance().make_run_options();
  return made;
}

const hbDNNTensorProperties* Inference::output_properties(int32_t index) const noexcept {
  if (index < 0 || static_cast<std::size_t>(index) >= produced_.size()) return nullptr;
  return &produced_[static_cast<std::size_t>(index)];
}

int32_t Inference::run_call(uint32_t call) noexcept {
  try {
    const auto begin = std::chrono::steady_clock::now();
    if (call == 0) open_border();
    if (model_->calls[call].graph != nullptr) compute(model_->calls[call]);
    if (call + 1 == call_count()) {
      slots_.clear();
      buffers_.clear();
      close_border();
      note_time(std::chrono::steady_clock::now() - begin);
    }
    return HB_UCP_SUCCESS;
  } catch (const std::exception& error) {
    if (!cancelled_) {
      log(LogLevel::kError, "model '%s': %s", model_->name.c_str(), error.what());
    }
  }
  slots_.clear();
  buffers_.clear();
  close_border();
  return HB_UCP_TASK_RUN_FAILED;
}

void Inference::cancel() noexcept {
  if (cancelled_.exchange(true)) return;
  try {
    // Stays set: a later call stops at its first node.
    Engine::instance().call<ort::RunOptionsSetTerminate>(run_options_.get());
  } catch (const std::exception& error) {
    log(LogLevel::kWarning, "model '%s' cannot be stopped early: %s", model_->name.c_str(),
        error.what());
  }
}

void Inference::ended() noexcept {
  if (in_flight_.exchange(false)) --model_->operations_in_flight;
}

void Inference::note_time(std::chrono::nanoseconds time) noexcept {
  // Races between cores lose a sample at most.
  std::atomic<int64_t>& usual = model_->usual_ns_of_last_call;
  const int64_t before = usual.load(std::memory_order_relaxed);
  usual.store(before == 0 ? time.count() : before + (time.count() - before) / 4,
              std::memory_order_relaxed);
}

void Inference::open_border() {
  slots_.resize(model_->slot_count);
  for (std::size_t index = 0; index < inputs_.size(); ++index) {
    if (inputs_[index].is_stale()) complain_of_stale(index);
    open_slot(slots_[index], inputs_[index], true);
  }
  for (std::size_t index = 0; index < outputs_.size(); ++index) {
    open_slot(slots_[inputs_.size() + index], outputs_[index], false);
  }
}

void Inference::complain_of_stale(std::size_t index) const {
  log(LogLevel::kError,
      "model '%s': input '%s': the CPU wrote to it after it was last cleaned, and the device does "
      "not see that: call hbUCPMemFlush with HB_SYS_MEM_CACHE_CLEAN on all of it before "
      "hbUCPSubmitTask",
      model_->name.c_str(), model_->inputs[index].spec.name.c_str());
}

// The CPU sees what the device wrote only once it has invalidated that.
void Inference::close_border() noexcept {
  for (std::size_t index = 0; index < outputs_.size(); ++index) {
    const Region& output = outputs_[index];
    if (output.of_cpu == output.data) continue;
    const int64_t size =
        std::max(model_->outputs[index].spec.aligned_byte_size, produced_[index].alignedByteSize);
    hbSimDevice()->written_by_device(output.of_cpu,
                                     static_cast<uint64_t>(std::max<int64_t>(size, 0)));
  }
}

void Inference::open_slot(Slot& slot, const Region& region, bool is_input) {
  if (region.is_open()) return;  // the engine makes it
  const std::size_t size = region.dense_size();
  std::byte* data = region.data;
  if (!region.is_dense()) {
    buffers_.emplace_back(size);
    data = slot.staged = buffers_.back().data();
    if (is_input) region.gather(data);
  }
  slot.value =
      Engine::instance().wrap(data, size, region.elements, kDataTypes[region.data_type].onnx);
}

void Inference::compute(const FunctionCall& call) {
  const Engine& engine = Engine::instance();
  std::vector<const ort::Value*> inputs;
  inputs.reserve(call.input_slots.size());
  for (const std::size_t slot : call.input_slots) inputs.push_back(slots_[slot].value.get());
  // The engine makes what is null here; only then may its shape be unknown.
  std::vector<ort::Value*> outputs;
  outputs.reserve(call.output_slots.size());
  for (const std::size_t slot : call.output_slots) outputs.push_back(slots_[slot].value.get());

  engine.call<ort::Run>(
      call.graph->session(), static_cast<const ort::RunOptions*>(run_options_.get()),
      static_cast<const char* const*>(call.input_names.data()),
      static_cast<const ort::Value* const*>(inputs.data()), inputs.size(),
      static_cast<const char* const*>(call.output_names.data()), outputs.size(), outputs.data());

  for (std::size_t index = 0; index < outputs.size(); ++index) {
    Slot& slot = slots_[call.output_slots[index]];
    if (slot.value == nullptr) slot.value = engine.adopt(outputs[index]);
  }
  for (const std::size_t slot : call.output_slots) {
    const std::size_t border = slot - inputs_.size();
    if (border < outputs_.size()) close_output(border, slots_[slot]);
  }
  for (const std::size_t slot : call.last_used_slots) slots_[slot].value.reset();
}

// Brings an output of the model to where the caller wants it.
void Inference::close_output(std::size_t index, Slot& slot) {
  if (outputs_[index].is_open()) {
    void* data = nullptr;
    Engine::instance().call<ort::GetTensorMutableData>(slot.value.get(), &data);
    keep_dynamic_output(index, slot.value.get(), data);
  } else if (slot.staged != nullptr) {
    outputs_[index].scatter(slot.staged);
  }
}

// Writes an output whose shape the run decided, densely, and reports that shape.
void Inference::keep_dynamic_output(std::size_t index, const ort::Value* value, const void* data) {
  const TensorSpec& spec = model_->outputs[index].spec;
  Region made = outputs_[index];
  made.elements = Engine::instance().shape_of(value);
  made.shape = storage_shape(made.elements, spec.data_type);
  made.strides = dense_strides(made.shape, made.unit);
  const std::size_t size = made.dense_size();
  if (made.shape.size() != spec.shape.size() || size > hbSimDevice()->bytes_from(made.of_cpu)) {
    throw std::runtime_error("output '" + spec.name + "' needs " + std::to_string(size) +
                             " bytes, which is more than its device memory");
  }
  if (size > 0) std::memcpy(made.data, data, size);  // an empty tensor has no address
  hbDNNTensorProperties& produced = produced_[index];
  std::copy(made.elements.begin(), made.elements.end(), produced.validShape.dimensionSize);
  std::copy(made.strides.begin(), made.strides.end(), produced.stride);
  produced.alignedByteSize = static_cast<int64_t>(size);
}

}  // namespace hbm::simulator
