// SPDX-License-Identifier: Apache-2.0
// Makes models from specs, joining the graphs of their calls, and keeps the table of handles.
#include "simulator/models/model.hpp"

#include <algorithm>
#include <map>

#include "abi/data_types.hpp"
#include "simulator/device/device_interface.hpp"

namespace hbm::simulator {
namespace {

void check_tensor(const char* side, const TensorSpec& spec, const GraphTensor& tensor) {
  const bool same_shape =
      std::equal(spec.shape.begin(), spec.shape.end(), tensor.shape.begin(), tensor.shape.end(),
                 [](int64_t have, int64_t of_graph) { return of_graph < 0 || have == of_graph; });
  if (!same_shape || kDataTypes[spec.data_type].onnx != tensor.element_type) {
    throw ModelFileError(std::string("the ") + side + " '" + spec.name +
                         "' of the metadata differs from the graph's in type or shape");
  }
}

std::vector<BorderTensor> make_border(const std::vector<TensorSpec>& specs) {
  std::vector<BorderTensor> border;
  border.reserve(specs.size());
  for (const TensorSpec& spec : specs) border.emplace_back(spec);
  return border;
}

bool has_open_shape(const std::vector<TensorSpec>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const TensorSpec& tensor) {
    return std::find(tensor.shape.begin(), tensor.shape.end(), -1) != tensor.shape.end();
  });
}

// Joins the graphs of a model's calls by the names of their values.
class CallLinker {
 public:
  explicit CallLinker(SimulatedModel& model) : model_(model) {
    for (std::size_t index = 0; index < model.inputs.size(); ++index) {
      const TensorSpec& spec = model.inputs[index].spec;
      values_.emplace(spec.name, Value{index, kDataTypes[spec.data_type].onnx, 0});
    }
    for (std::size_t index = 0; index < model.outputs.size(); ++index) {
      output_slots_[model.outputs[index].spec.name] = model.inputs.size() + index;
    }
    next_slot_ = model.inputs.size() + model.outputs.size();
    is_used_.resize(next_slot_);
  }

  void add(FunctionCall call) {
    if (call.graph != nullptr) {
      for (const GraphTensor& tensor : call.graph->inputs()) take_input(call, tensor);
      for (const GraphTensor& tensor : call.graph->outputs()) make_output(call, tensor);
    }
    model_.calls.push_back(std::move(call));
  }

  void finish() {
    for (std::size_t slot = 0; slot < is_used_.size(); ++slot) {
      if (is_used_[slot]) continue;
      const bool is_input = slot < model_.inputs.size();
      const BorderTensor& tensor =
          is_input ? model_.inputs[slot] : model_.outputs[slot - model_.inputs.size()];
      throw ModelFileError(std::string("the ") + (is_input ? "input" : "output") + " '" +
                           tensor.spec.name + "' of the metadata belongs to no graph");
    }
    for (const auto& [name, value] : values_) {
      model_.calls[value.last_call].last_used_slots.push_back(value.slot);
    }
    model_.slot_count = next_slot_;
  }

 private:
  struct Value {
    std::size_t slot;
    int32_t element_type;
    std::size_t last_call;  // that makes or takes it
  };

  void take_input(FunctionCall& call, const GraphTensor& tensor) {
    const auto found = values_.find(tensor.name);
    if (found == values_.end()) {
      throw ModelFileError("a graph takes '" + tensor.name +
                           "', which is no input of the model and made by no earlier call");
    }
    Value& value = found->second;
    if (value.element_type != tensor.element_type) {
      throw ModelFileError("a graph takes '" + tensor.name + "' with another type than it has");
    }
    if (value.slot < model_.inputs.size()) {
      check_tensor("input", model_.inputs[value.slot].spec, tensor);
      is_used_[value.slot] = true;
    }
    value.last_call = model_.calls.size();
    call.input_names.push_back(tensor.name.c_str());
    call.input_slots.push_back(value.slot);
  }

  void make_output(FunctionCall& call, const GraphTensor& tensor) {
    const auto border = output_slots_.find(tensor.name);
    const bool is_border = border != output_slots_.end();
    const std::size_t slot = is_border ? border->second : next_slot_++;
    if (is_border) {
      check_tensor("output", model_.outputs[slot - model_.inputs.size()].spec, tensor);
      if (is_used_[slot]) throw ModelFileError("two graphs make the output '" + tensor.name + "'");
      is_used_[slot] = true;
    }
    const Value value{slot, tensor.element_type, model_.calls.size()};
    const auto [known, is_new] = values_.emplace(tensor.name, value);
    // An input that the graph also gives out stays the input; nothing else is made twice.
    const bool passes_through = is_border && known->second.slot < model_.inputs.size();
    if (!is_new && !passes_through) {
      throw ModelFileError("two graphs make the value '" + tensor.name + "'");
    }
    call.output_names.push_back(tensor.name.c_str());
    call.output_slots.push_back(slot);
  }

  SimulatedModel& model_;
  std::map<std::string, Value> values_;
  std::map<std::string, std::size_t> output_slots_;
  std::vector<bool> is_used_;  // of the border
  std::size_t next_slot_ = 0;
};

}  // namespace

BorderTensor::BorderTensor(TensorSpec tensor_spec) : spec(std::move(tensor_spec)) {
  properties.validShape.numDimensions = static_cast<int32_t>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), properties.validShape.dimensionSize);
  std::copy(spec.strides.begin(), spec.strides.end(), properties.stride);
  properties.tensorType = static_cast<int32_t>(spec.data_type);
  properties.alignedByteSize = spec.aligned_byte_size;
  properties.quantiType = static_cast<hbDNNQuantiType>(spec.quanti_type);
  properties.quantizeAxis = spec.quantize_axis;
  properties.scale = hbDNNQuantiScale{static_cast<int32_t>(spec.scales.size()),
                                      spec.scales.empty() ? nullptr : spec.scales.data(),
                                      static_cast<int32_t>(spec.zero_points.size()),
                                      spec.zero_points.empty() ? nullptr : spec.zero_points.data()};
}

SimulatedModel::SimulatedModel(const ModelSpec& spec, const std::byte* file)
    : name(spec.name),
      description(spec.description),
      core_count(static_cast<int>(spec.core_count)),
      preemptible(spec.max_time_per_fc_us > 0),
      is_dynamic(has_open_shape(spec.inputs)),
      inputs(make_border(spec.inputs)),
      outputs(make_border(spec.outputs)) {
  CallLinker linker(*this);
  for (const CallSpec& call_spec : spec.calls) {
    FunctionCall call;
    call.least_time = std::chrono::microseconds(call_spec.latency_us);
    if (call_spec.size > 0) call.graph = load_graph(file + call_spec.offset, call_spec.size);
    linker.add(std::move(call));
  }
  linker.finish();
}

HandleTable& HandleTable::instance() {
  // Never destroyed: see ExitGuard (loaded_graph.cpp), which empties it in the process that filled
  // it.
  static HandleTable& table = *std::make_unique<HandleTable>().release();
  return table;
}

void HandleTable::clear() {
  const std::lock_guard lock(mutex_);
  packed_.clear();
  models_.clear();
}

hbDNNPackedHandle_t HandleTable::add(std::shared_ptr<Packed> packed) {
  const std::lock_guard lock(mutex_);
  // Handles are numbers that never come again, so a stale one is always recognised.
  const auto next = [this] { return reinterpret_cast<void*>(next_handle_++ << 4U); };
  for (const auto& model : packed->models) {
    packed->model_names.push_back(model->name.c_str());
    packed->model_handles.push_back(next());
    models_.emplace(packed->model_handles.back(), model);
  }
  hbSimDevice()->count_packed(+1);
  const hbDNNPackedHandle_t handle = next();
  packed_.emplace(handle, std::move(packed));
  return handle;
}

int32_t HandleTable::remove(hbDNNPackedHandle_t handle) {
  std::shared_ptr<Packed> removed;  // freed after the lock: sessions are large
  const std::lock_guard lock(mutex_);
  const auto found = packed_.find(handle);
  if (found == packed_.end()) return HB_UCP_INVALID_ARGUMENT;
  for (const auto& model : found->second->models) {
    if (model->operations_in_flight > 0) return HB_UCP_MODEL_IS_INUSE;
  }
  removed = std::move(found->second);
  for (const hbDNNHandle_t model : removed->model_handles) models_.erase(model);
  packed_.erase(found);
  hbSimDevice()->count_packed(-1);
  return HB_UCP_SUCCESS;
}

std::shared_ptr<Packed> HandleTable::packed(hbDNNPackedHandle_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = packed_.find(handle);
  return found == packed_.end() ? nullptr : found->second;
}

std::shared_ptr<SimulatedModel> HandleTable::model(hbDNNHandle_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(handle);
  return found == models_.end() ? nullptr : found->second;
}

std::shared_ptr<SimulatedModel> HandleTable::use(hbDNNHandle_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(handle);
  if (found == models_.end()) return nullptr;
  ++found->second->operations_in_flight;
  return found->second;
}

}  // namespace hbm::simulator
