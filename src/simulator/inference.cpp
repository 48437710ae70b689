// SPDX-License-Identifier: Apache-2.0
// Checks an inference's tensors as the boards do and computes it with the engine.
#include "inference.hpp"

#include <algorithm>
#include <stdexcept>

#include "element_type.hpp"
#include "log.hpp"

namespace hbm::simulator {
namespace {

using Clock = std::chrono::steady_clock;

// Dense copies of padded tensors; one set per core thread, kept from run to run.
class Staging {
 public:
  [[nodiscard]] std::byte* take(std::size_t size) {
    if (used_ == buffers_.size()) buffers_.emplace_back();
    std::vector<std::byte>& buffer = buffers_[used_++];
    if (buffer.size() < size) buffer.resize(size);
    return buffer.data();
  }
  void give_back() noexcept { used_ = 0; }

 private:
  std::vector<std::vector<std::byte>> buffers_;
  std::size_t used_ = 0;
};

std::size_t dense_size(const Extents& shape, int64_t element_size) {
  int64_t size = element_size;
  for (const int64_t dim : shape) size *= dim;
  return static_cast<std::size_t>(size);
}

// Bytes from the first to behind the last element; -1 when that does not fit 64 bits.
int64_t reach(const Extents& shape, const Extents& strides, int64_t element_size) {
  int64_t bytes = element_size;
  for (std::size_t index = 0; index < shape.size(); ++index) {
    int64_t step = 0;
    if (__builtin_mul_overflow(shape[index] - 1, strides[index], &step) ||
        __builtin_add_overflow(bytes, step, &bytes)) {
      return -1;
    }
  }
  return bytes;
}

int32_t refuse(const char* side, const TensorSpec& spec, const char* why) {
  log(LogLevel::kError, "hbDNNInferV2: %s '%s': %s", side, spec.name.c_str(), why);
  return HB_UCP_INVALID_ARGUMENT;
}

}  // namespace

Inference::Inference(std::shared_ptr<Model> model) : model_(std::move(model)) {}

Inference::~Inference() { no_longer_in_flight(); }

std::shared_ptr<Inference> Inference::make(hbDNNHandle_t handle, hbDNNTensor* outputs,
                                           const hbDNNTensor* inputs, int32_t* status) {
  *status = HB_UCP_INVALID_ARGUMENT;
  if (outputs == nullptr || inputs == nullptr) return nullptr;
  auto model = ModelTable::instance().use(handle);
  if (model == nullptr) return nullptr;
  std::shared_ptr<Inference> made(new Inference(std::move(model)));
  made->inputs_.resize(made->model_->inputs.size());
  made->outputs_.resize(made->model_->outputs.size());
  made->produced_.resize(made->outputs_.size());
  made->run_options_ = Engine::instance().make_run_options();
  for (std::size_t index = 0; index < made->inputs_.size(); ++index) {
    *status = made->take_input(index, inputs[index]);
    if (*status != HB_UCP_SUCCESS) return nullptr;
  }
  for (std::size_t index = 0; index < made->outputs_.size(); ++index) {
    *status = made->take_output(index, outputs[index]);
    if (*status != HB_UCP_SUCCESS) return nullptr;
  }
  return made;
}

int32_t Inference::take_input(std::size_t index, const hbDNNTensor& tensor) {
  const TensorSpec& spec = model_->inputs[index].spec;
  const Profile& profile = hbSimDevice()->profile();
  const hbDNNTensorProperties& given = tensor.properties;
  const std::size_t rank = spec.shape.size();
  if (given.validShape.numDimensions != static_cast<int32_t>(rank)) {
    return refuse("input", spec, "the number of dimensions differs from the model's");
  }
  if (given.tensorType != static_cast<int32_t>(spec.data_type)) {
    return refuse("input", spec, "the data type differs from the model's");
  }
  Region region;
  region.unit = storage_unit(spec.data_type);
  region.data = static_cast<std::byte*>(tensor.sysMem.virAddr);
  region.elements.assign(given.validShape.dimensionSize, given.validShape.dimensionSize + rank);
  region.strides.assign(given.stride, given.stride + rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const int64_t dim = region.elements[axis];
    if (spec.shape[axis] == -1 ? dim < 1 : dim != spec.shape[axis]) {
      return refuse("input", spec, "a dimension is not filled in or differs from the model's");
    }
  }
  region.shape = storage_shape(region.elements, spec.data_type);
  const bool dynamic = std::count(spec.strides.begin(), spec.strides.end(), -1) > 0;
  if (!dynamic && region.strides != spec.strides &&
      !is_dense(region.shape, region.strides, region.unit)) {
    return refuse("input", spec, "the strides are neither the model's nor dense");
  }
  for (std::size_t axis = rank; dynamic && axis-- > 0;) {
    const int64_t inner =
        axis + 1 < rank ? region.strides[axis + 1] * region.shape[axis + 1] : region.unit;
    if (spec.strides[axis] != -1) {
      if (region.strides[axis] != spec.strides[axis]) {
        return refuse("input", spec, "a fixed stride differs from the model's");
      }
    } else if (region.strides[axis] < inner || region.strides[axis] > INT32_MAX) {
      return refuse("input", spec, "a stride is not filled in or smaller than what it steps over");
    } else if (region.strides[axis] % profile.pitch_alignment != 0) {
      return refuse("input", spec, "a stride is not a multiple of the chip's pitch alignment");
    }
  }
  if (region.data == nullptr ||
      reinterpret_cast<uintptr_t>(region.data) % static_cast<uintptr_t>(profile.base_alignment) !=
          0) {
    return refuse("input", spec, "the address is null or not aligned to 32 bytes");
  }
  const int64_t bytes = reach(region.shape, region.strides, region.unit);
  if (bytes < 0 || !hbSimDevice()->owns(region.data, static_cast<uint64_t>(bytes))) {
    return refuse("input", spec, "it does not lie inside one block of device memory");
  }
  inputs_[index] = std::move(region);
  return HB_UCP_SUCCESS;
}

int32_t Inference::take_output(std::size_t index, const hbDNNTensor& tensor) {
  const BorderTensor& border = model_->outputs[index];
  const TensorSpec& spec = border.spec;
  Region region;
  region.unit = storage_unit(spec.data_type);
  region.data = static_cast<std::byte*>(tensor.sysMem.virAddr);
  region.elements.assign(spec.shape.begin(), spec.shape.end());
  region.shape = storage_shape(region.elements, spec.data_type);
  region.strides = spec.strides;
  const uint64_t least = static_cast<uint64_t>(std::max<int64_t>(spec.aligned_byte_size, 1));
  if (region.data == nullptr || !hbSimDevice()->owns(region.data, least)) {
    return refuse("output", spec, "its aligned size does not fit one block of device memory");
  }
  outputs_[index] = std::move(region);
  produced_[index] = border.properties;
  return HB_UCP_SUCCESS;
}

const hbDNNTensorProperties* Inference::output_properties(int32_t index) const noexcept {
  if (index < 0 || static_cast<std::size_t>(index) >= produced_.size()) return nullptr;
  return &produced_[static_cast<std::size_t>(index)];
}

int32_t Inference::run() noexcept {
  const auto start = Clock::now();
  int32_t status = HB_UCP_TASK_RUN_FAILED;
  try {
    compute();
    if (hold_core_until(start + std::chrono::microseconds(model_->latency_us))) {
      status = HB_UCP_SUCCESS;
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    if (!cancelled_) {
      log(LogLevel::kError, "model '%s': %s", model_->name.c_str(), error.what());
    }
  }
  no_longer_in_flight();
  return status;
}

void Inference::cancel() noexcept {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return;
  cancelled_ = true;
  cancelled_changed_.notify_all();
  try {
    Engine::instance().call<ort::RunOptionsSetTerminate>(run_options_.get());
  } catch (const std::exception& error) {
    log(LogLevel::kWarning, "model '%s' cannot be stopped early: %s", model_->name.c_str(),
        error.what());
  }
}

void Inference::compute() {
  const Engine& engine = Engine::instance();
  thread_local Staging staging;
  staging.give_back();

  std::vector<ValuePtr> values;
  std::vector<const ort::Value*> inputs;
  for (std::size_t index = 0; index < inputs_.size(); ++index) {
    const Region& region = inputs_[index];
    const std::size_t size = dense_size(region.shape, region.unit);
    std::byte* data = region.data;
    if (!is_dense(region.shape, region.strides, region.unit)) {
      data = staging.take(size);
      strided_copy(data, dense_strides(region.shape, region.unit), region.data, region.strides,
                   region.shape, region.unit);
    }
    const uint32_t type = model_->inputs[index].spec.data_type;
    values.push_back(engine.wrap(data, size, region.elements, kElementTypes[type].onnx));
    inputs.push_back(values.back().get());
  }

  // A null output is made by the engine: only then may its shape be unknown.
  std::vector<ort::Value*> outputs;
  std::vector<std::byte*> staged(outputs_.size(), nullptr);
  for (std::size_t index = 0; index < outputs_.size(); ++index) {
    const Region& region = outputs_[index];
    if (std::count(region.shape.begin(), region.shape.end(), -1) > 0) {
      outputs.push_back(nullptr);
      continue;
    }
    const std::size_t size = dense_size(region.shape, region.unit);
    std::byte* data = region.data;
    if (!is_dense(region.shape, region.strides, region.unit)) {
      data = staged[index] = staging.take(size);
    }
    const uint32_t type = model_->outputs[index].spec.data_type;
    values.push_back(engine.wrap(data, size, region.elements, kElementTypes[type].onnx));
    outputs.push_back(values.back().get());
  }

  const std::vector<ort::Value*> before = outputs;
  engine.call<ort::Run>(
      model_->session.get(), static_cast<const ort::RunOptions*>(run_options_.get()),
      static_cast<const char* const*>(model_->input_names.data()),
      static_cast<const ort::Value* const*>(inputs.data()), inputs.size(),
      static_cast<const char* const*>(model_->output_names.data()), outputs.size(), outputs.data());

  for (std::size_t index = 0; index < outputs_.size(); ++index) {
    const Region& region = outputs_[index];
    if (before[index] == nullptr) {
      const ValuePtr made = engine.adopt(outputs[index]);
      void* data = nullptr;
      engine.call<ort::GetTensorMutableData>(made.get(), &data);
      keep_dynamic_output(index, made.get(), data);
    } else if (staged[index] != nullptr) {
      strided_copy(region.data, region.strides, staged[index],
                   dense_strides(region.shape, region.unit), region.shape, region.unit);
    }
  }
}

// Writes an output whose shape the run decided, densely, and reports that shape.
void Inference::keep_dynamic_output(std::size_t index, const ort::Value* value, const void* data) {
  const Region& region = outputs_[index];
  const TensorSpec& spec = model_->outputs[index].spec;
  const Extents elements = Engine::instance().shape_of(value);
  const Extents shape = storage_shape(elements, spec.data_type);
  const std::size_t size = dense_size(shape, region.unit);
  if (shape.size() != spec.shape.size() || size > hbSimDevice()->bytes_from(region.data)) {
    throw std::runtime_error("output '" + spec.name + "' needs " + std::to_string(size) +
                             " bytes, which is more than its device memory");
  }
  if (size > 0) std::memcpy(region.data, data, size);  // an empty tensor has no address
  hbDNNTensorProperties& produced = produced_[index];
  std::copy(elements.begin(), elements.end(), produced.validShape.dimensionSize);
  const Extents strides = dense_strides(shape, region.unit);
  std::copy(strides.begin(), strides.end(), produced.stride);
  produced.alignedByteSize = static_cast<int64_t>(size);
}

// False when cancelled.
bool Inference::hold_core_until(Clock::time_point end) {
  std::unique_lock lock(mutex_);
  cancelled_changed_.wait_until(lock, end, [this] { return cancelled_; });
  return !cancelled_;
}

void Inference::no_longer_in_flight() noexcept {
  if (!in_flight_) return;
  in_flight_ = false;
  --model_->operations_in_flight;
}

}  // namespace hbm::simulator
