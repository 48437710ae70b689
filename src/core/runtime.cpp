// SPDX-License-Identifier: Apache-2.0
// Copies inputs in, runs tasks together and hands their outputs over.
#include "runtime.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "abi/strided_copy.hpp"
#include "byte_order.hpp"
#include "data_type.hpp"
#include "error.hpp"
#include "task.hpp"

namespace hbm {
namespace {

// Shape in elements from one in storage units; only the two 4-bit types differ.
Extents element_shape(const TensorInfo& input, const InputView& view) {
  Extents shape = view.shape;
  if (data_type_row(input.data_type).bits == 4) {
    shape.back() = input.shape.back() > 0 ? input.shape.back() : 2 * view.shape.back();
  }
  return shape;
}

void set_properties(hbDNNTensorProperties& properties, const Extents& shape, const Layout& layout) {
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    properties.validShape.dimensionSize[axis] = static_cast<int32_t>(shape[axis]);
    properties.stride[axis] = layout.strides[axis];
  }
  properties.alignedByteSize = layout.byte_size;
}

}  // namespace

void check_input(const ModelInfo& model, const TensorInfo& input, const InputView& view) {
  // The first words are those of the original package, which people search for.
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kInput, what, {model.name, input.name});
  };
  if (view.data_type != input.data_type) {
    refuse("Data type mismatch for input tensor '" + input.name + "' in model '" + model.name +
           "': expected data type " + describe_data_type(input.data_type) + ", got " +
           describe_data_type(view.data_type) + "; convert the array with astype");
  }
  const Extents expected = storage_shape(input.shape, input.data_type);
  bool same = view.shape.size() == expected.size();
  for (std::size_t axis = 0; same && axis < expected.size(); ++axis) {
    const int64_t dim = view.shape[axis];
    same = expected[axis] < 0 ? dim > 0 && dim <= INT32_MAX : dim == expected[axis];
  }
  if (!same) {
    refuse("Mismatch in tensor dimensions for model: " + model.name + ", input: " + input.name +
           ": expected shape " + describe_shape(expected) +
           (std::count(expected.begin(), expected.end(), -1) > 0 ? " (-1: any)" : "") + ", got " +
           describe_shape(view.shape));
  }
}

// One model's task with all the memory that it uses; the task is the first to go.
class Runtime::Job {
 public:
  Job(const Runtime& runtime, const Request& request)
      : model_(runtime.packed_.models()[request.model]), buffers_(runtime.pool_) {
    std::vector<hbDNNTensor> inputs;
    for (std::size_t index = 0; index < model_.inputs.size(); ++index) {
      inputs.push_back(copy_in(model_.inputs[index], request.inputs[index]));
    }
    for (const TensorInfo& output : model_.outputs) {
      const Layout layout = output_layout(output, model_.name);
      output_buffers_.push_back(buffers_.acquire(layout.byte_size));
      outputs_.push_back({output_buffers_.back()->memory(), output.properties});
    }
    task_.emplace(runtime.library_, model_.name, model_.handle, outputs_, inputs);
    task_->submit(request.sched);
  }

  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() = default;

  [[nodiscard]] std::vector<OutputTensor> finish(const Deadline& deadline) {
    task_->wait(deadline);
    std::vector<OutputTensor> results;
    for (std::size_t index = 0; index < output_buffers_.size(); ++index) {
      output_buffers_[index]->invalidate();
      results.push_back(describe_output(index));
    }
    return results;
  }

 private:
  [[nodiscard]] hbDNNTensor copy_in(const TensorInfo& input, const InputView& view) {
    const Extents shape = element_shape(input, view);
    const Layout layout = input_layout(input, shape);
    const auto buffer = buffers_.acquire(layout.byte_size);
    strided_copy(buffer->data(), layout.strides, view.data, view.strides, layout.shape,
                 layout.element_size);
    if (view.other_byte_order) {
      swap_byte_order(buffer->data(), layout.shape, layout.strides, layout.element_size);
    }
    buffer->clean();
    input_buffers_.push_back(buffer);
    hbDNNTensor tensor{buffer->memory(), input.properties};
    set_properties(tensor.properties, shape, layout);
    return tensor;
  }

  // What the run produced, which for dynamic outputs only the task knows.
  [[nodiscard]] OutputTensor describe_output(std::size_t index) const {
    const TensorInfo& known = model_.outputs[index];
    const auto properties = task_->output_properties(static_cast<int32_t>(index));
    const TensorInfo info = make_tensor_info(known.name, {}, properties, model_.name);
    Layout layout = finished_layout(info, output_buffers_[index]->size(), model_.name);
    return {output_buffers_[index], info.data_type, std::move(layout.shape),
            std::move(layout.strides)};
  }

  const ModelInfo& model_;
  RunBuffers buffers_;
  std::vector<std::shared_ptr<DeviceBuffer>> input_buffers_;
  std::vector<std::shared_ptr<DeviceBuffer>> output_buffers_;
  std::vector<hbDNNTensor> outputs_;
  std::optional<Task> task_;
};

Runtime::Runtime(std::shared_ptr<const Library> library, const std::vector<std::string>& files)
    : library_(std::move(library)), packed_(library_, files), pool_(BufferPool::create(library_)) {}

std::vector<std::vector<OutputTensor>> Runtime::run(const std::vector<Request>& requests,
                                                    const Deadline& deadline) const {
  library_->check_usable();
  for (const Request& request : requests) {
    const ModelInfo& model = packed_.models().at(request.model);
    check_sched_param(request.sched, library_->core_count(), model.name);
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
  TaskSlots& slots = TaskSlots::of_process();
  std::vector<std::vector<OutputTensor>> results;
  while (results.size() < requests.size()) {
    const std::size_t begin = results.size();
    const std::size_t count = std::min(requests.size() - begin, slots.limit());
    const TaskSlotLease lease(slots, count, deadline);
    std::vector<std::unique_ptr<Job>> jobs;
    for (std::size_t index = begin; index < begin + count; ++index) {
      jobs.push_back(std::make_unique<Job>(*this, requests[index]));
    }
    for (const auto& job : jobs) results.push_back(job->finish(deadline));
  }
  return results;
}

}  // namespace hbm
