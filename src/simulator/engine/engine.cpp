// SPDX-License-Identifier: Apache-2.0
// Opens ONNX Runtime and wraps the calls that the simulator makes.
#include "simulator/engine/engine.hpp"

#include <dlfcn.h>

#include <cstdlib>

namespace hbm::simulator {
namespace {

std::string library_name() {
  const char* chosen = std::getenv("HBM_SIM_ENGINE");
  return chosen != nullptr && *chosen != '\0' ? chosen : "libonnxruntime.so.1";
}

}  // namespace

void Engine::CloseLibrary::operator()(void* library) const noexcept { ::dlclose(library); }

const Engine& Engine::instance() {
  // Never destroyed: a forked child still holds sessions that are not its own.
  static const Engine& engine = *std::unique_ptr<const Engine>(new Engine).release();
  return engine;
}

Engine::Engine() {
  // From 1.29 on the wheels send telemetry unless this is set before the environment is made.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  const std::string name = library_name();
  // Never unloaded: the engine leaves objects with the threads that ran it.
  library_.reset(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE));
  if (library_ == nullptr) {
    const char* reason = ::dlerror();
    throw EngineMissing("ONNX Runtime, which computes the models, cannot be opened (" +
                        std::string(reason != nullptr ? reason : name) +
                        "); install the Python package onnxruntime or set HBM_SIM_ENGINE to its "
                        "libonnxruntime.so");
  }
  using GetApiBase = const ort::ApiBase* (*)();
  const auto get_base = reinterpret_cast<GetApiBase>(::dlsym(library_.get(), "OrtGetApiBase"));
  if (get_base == nullptr) throw EngineMissing(name + " is not ONNX Runtime");
  table_ = get_base()->get_api(ort::kApiVersion);
  if (table_ == nullptr) {
    throw EngineMissing(name + " (version " + get_base()->get_version_string() +
                        ") is too old; onnxruntime 1.20 or newer is needed");
  }
  env_ = make<ort::ReleaseEnv, ort::CreateEnv, ort::Env>(ort::LoggingLevel::kFatal, "simulator");
  memory_ = make<ort::ReleaseMemoryInfo, ort::CreateCpuMemoryInfo, ort::MemoryInfo>(
      ort::AllocatorType::kArena, ort::MemoryType::kDefault);
  call<ort::GetAllocatorWithDefaultOptions>(&allocator_);
}

void Engine::check(ort::Status* status) const {
  if (status == nullptr) return;
  const std::string text = ort::GetErrorMessage::call(table_, status);
  ort::ReleaseStatus::call(table_, status);
  throw EngineError(text);
}

SessionPtr Engine::make_session(const std::byte* graph, std::size_t size) const {
  const auto options =
      make<ort::ReleaseSessionOptions, ort::CreateSessionOptions, ort::SessionOptions>();
  // One thread: the run stays on the core's own thread and the engine makes none.
  call<ort::SetIntraOpNumThreads>(options.get(), 1);
  call<ort::SetInterOpNumThreads>(options.get(), 1);
  call<ort::SetSessionExecutionMode>(options.get(), ort::ExecutionMode::kSequential);
  call<ort::SetSessionGraphOptimizationLevel>(options.get(), ort::OptimizationLevel::kAll);
  return make<ort::ReleaseSession, ort::CreateSessionFromArray, ort::Session>(
      static_cast<const ort::Env*>(env_.get()), static_cast<const void*>(graph), size,
      static_cast<const ort::SessionOptions*>(options.get()));
}

RunOptionsPtr Engine::make_run_options() const {
  return make<ort::ReleaseRunOptions, ort::CreateRunOptions, ort::RunOptions>();
}

ValuePtr Engine::wrap(void* data, std::size_t bytes, const std::vector<int64_t>& shape,
                      int32_t element_type) const {
  return make<ort::ReleaseValue, ort::CreateTensorWithDataAsOrtValue, ort::Value>(
      static_cast<const ort::MemoryInfo*>(memory_.get()), data, bytes, shape.data(), shape.size(),
      element_type);
}

ValuePtr Engine::adopt(ort::Value* value) const {
  return ValuePtr(value, OrtDeleter<ort::ReleaseValue, ort::Value>{table_});
}

std::vector<int64_t> Engine::shape_of(const ort::Value* value) const {
  const auto info =
      make<ort::ReleaseTensorInfo, ort::GetTensorTypeAndShape, ort::TensorInfo>(value);
  const ort::TensorInfo* tensor = info.get();
  std::size_t rank = 0;
  call<ort::GetDimensionsCount>(tensor, &rank);
  std::vector<int64_t> shape(rank);
  call<ort::GetDimensions>(tensor, shape.data(), rank);
  return shape;
}

template <typename Count, typename Name, typename Type>
std::vector<GraphTensor> Engine::border_of(const ort::Session* session) const {
  std::size_t count = 0;
  call<Count>(session, &count);
  std::vector<GraphTensor> tensors(count);
  for (std::size_t index = 0; index < count; ++index) {
    GraphTensor& tensor = tensors[index];
    char* name = nullptr;
    call<Name>(session, index, allocator_, &name);
    tensor.name = name;
    call<ort::AllocatorFree>(allocator_, static_cast<void*>(name));
    const auto type = make<ort::ReleaseTypeInfo, Type, ort::TypeInfo>(session, index);
    const ort::TensorInfo* info = nullptr;  // borrowed from `type`
    call<ort::CastTypeInfoToTensorInfo>(static_cast<const ort::TypeInfo*>(type.get()), &info);
    if (info == nullptr) throw EngineError("'" + tensor.name + "' is not a tensor");
    call<ort::GetTensorElementType>(info, &tensor.element_type);
    std::size_t rank = 0;
    call<ort::GetDimensionsCount>(info, &rank);
    tensor.shape.resize(rank);
    call<ort::GetDimensions>(info, tensor.shape.data(), rank);
  }
  return tensors;
}

std::vector<GraphTensor> Engine::inputs_of(const ort::Session* session) const {
  return border_of<ort::SessionGetInputCount, ort::SessionGetInputName,
                   ort::SessionGetInputTypeInfo>(session);
}

std::vector<GraphTensor> Engine::outputs_of(const ort::Session* session) const {
  return border_of<ort::SessionGetOutputCount, ort::SessionGetOutputName,
                   ort::SessionGetOutputTypeInfo>(session);
}

}  // namespace hbm::simulator
