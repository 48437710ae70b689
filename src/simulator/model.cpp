// SPDX-License-Identifier: Apache-2.0
// Makes engine sessions from model files and keeps the table of handles.
#include "model.hpp"

#include <algorithm>
#include <numeric>

#include "device_interface.hpp"
#include "element_type.hpp"

namespace hbm::simulator {
namespace {

// At exit the cores stop and the sessions go while the engine is still whole.
struct ExitGuard {
  ~ExitGuard() {
    if (hbSimDevice()->is_forked()) return;
    hbSimDevice()->shut_down();
    ModelTable::instance().clear();
  }
};

// Static objects die in reverse order: the guard is made after the engine, so it goes first.
const Engine& guarded_engine() {
  const Engine& engine = Engine::instance();
  static const ExitGuard guard;
  return engine;
}

void check_border(const char* side, const std::vector<BorderTensor>& wanted,
                  const std::vector<GraphTensor>& graph) {
  if (wanted.size() != graph.size()) {
    throw ModelFileError(std::string("the metadata name ") + std::to_string(wanted.size()) + " " +
                         side + "s, the graph has " + std::to_string(graph.size()));
  }
  for (std::size_t index = 0; index < graph.size(); ++index) {
    const TensorSpec& spec = wanted[index].spec;
    const GraphTensor& tensor = graph[index];
    const bool same_shape =
        std::equal(spec.shape.begin(), spec.shape.end(), tensor.shape.begin(), tensor.shape.end(),
                   [](int64_t have, int64_t of_graph) { return of_graph < 0 || have == of_graph; });
    if (spec.name != tensor.name || !same_shape ||
        kElementTypes[spec.data_type].onnx != tensor.element_type) {
      throw ModelFileError(std::string("the ") + side + " '" + spec.name +
                           "' of the metadata differs from the graph's '" + tensor.name +
                           "' in name, type or shape");
    }
  }
}

std::vector<BorderTensor> make_border(const std::vector<TensorSpec>& specs) {
  std::vector<BorderTensor> border;
  border.reserve(specs.size());
  for (const TensorSpec& spec : specs) border.emplace_back(spec);
  return border;
}

std::vector<const char*> names_of(const std::vector<BorderTensor>& border) {
  std::vector<const char*> names;
  for (const BorderTensor& tensor : border) names.push_back(tensor.spec.name.c_str());
  return names;
}

uint64_t latency_of(const ModelSpec& spec) {
  return std::accumulate(spec.calls.begin(), spec.calls.end(), uint64_t{0},
                         [](uint64_t sum, const CallSpec& call) { return sum + call.latency_us; });
}

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

Model::Model(const ModelSpec& spec, const std::byte* file)
    : name(spec.name),
      description(spec.description),
      core_count(spec.core_count),
      latency_us(latency_of(spec)),
      inputs(make_border(spec.inputs)),
      outputs(make_border(spec.outputs)),
      input_names(names_of(inputs)),
      output_names(names_of(outputs)),
      session(guarded_engine().make_session(file + spec.calls[0].offset, spec.calls[0].size)) {
  check_border("input", inputs, Engine::instance().inputs_of(session.get()));
  check_border("output", outputs, Engine::instance().outputs_of(session.get()));
}

ModelTable& ModelTable::instance() {
  // Never destroyed: see ExitGuard, which empties it in the process that filled it.
  static ModelTable& table = *std::make_unique<ModelTable>().release();
  return table;
}

void ModelTable::clear() {
  const std::lock_guard lock(mutex_);
  packed_.clear();
  models_.clear();
}

hbDNNPackedHandle_t ModelTable::add(std::shared_ptr<Packed> packed) {
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

int32_t ModelTable::remove(hbDNNPackedHandle_t handle) {
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

std::shared_ptr<Packed> ModelTable::packed(hbDNNPackedHandle_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = packed_.find(handle);
  return found == packed_.end() ? nullptr : found->second;
}

std::shared_ptr<Model> ModelTable::model(hbDNNHandle_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(handle);
  return found == models_.end() ? nullptr : found->second;
}

std::shared_ptr<Model> ModelTable::use(hbDNNHandle_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(handle);
  if (found == models_.end()) return nullptr;
  ++found->second->operations_in_flight;
  return found->second;
}

}  // namespace hbm::simulator
