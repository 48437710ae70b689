// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime, opened at run time, as the arithmetic of the simulated cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "simulator/engine/ort_api.hpp"

namespace hbm::simulator {

// The engine could not be found or opened.
class EngineMissing : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The engine refused a graph or a run.
class EngineError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Frees an engine object through the function table.
template <typename Release, typename Object>
struct OrtDeleter {
  const void* const* table = nullptr;
  void operator()(Object* object) const noexcept { Release::call(table, object); }
};

template <typename Release, typename Object>
using OrtPtr = std::unique_ptr<Object, OrtDeleter<Release, Object>>;

using ValuePtr = OrtPtr<ort::ReleaseValue, ort::Value>;
using SessionPtr = OrtPtr<ort::ReleaseSession, ort::Session>;
using RunOptionsPtr = OrtPtr<ort::ReleaseRunOptions, ort::RunOptions>;

// One tensor at the border of a graph.
struct GraphTensor {
  std::string name;
  int32_t element_type = 0;    // ONNX's TensorProto.DataType
  std::vector<int64_t> shape;  // -1 where symbolic
};

class Engine {
 public:
  // The one engine of this process; throws EngineMissing.
  [[nodiscard]] static const Engine& instance();

  ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Throws EngineError with the engine's text when the call failed.
  template <typename Function, typename... Arguments>
  void call(Arguments... arguments) const {
    check(Function::call(table_, arguments...));
  }

  template <typename Release, typename Create, typename Object, typename... Arguments>
  [[nodiscard]] OrtPtr<Release, Object> make(Arguments... arguments) const {
    Object* made = nullptr;
    call<Create>(arguments..., &made);
    return OrtPtr<Release, Object>(made, OrtDeleter<Release, Object>{table_});
  }

  [[nodiscard]] SessionPtr make_session(const std::byte* graph, std::size_t size) const;
  [[nodiscard]] RunOptionsPtr make_run_options() const;
  // A tensor over memory of the caller.
  [[nodiscard]] ValuePtr wrap(void* data, std::size_t bytes, const std::vector<int64_t>& shape,
                              int32_t element_type) const;
  // Takes over a value that the engine made.
  [[nodiscard]] ValuePtr adopt(ort::Value* value) const;
  [[nodiscard]] std::vector<int64_t> shape_of(const ort::Value* value) const;
  [[nodiscard]] std::vector<GraphTensor> inputs_of(const ort::Session* session) const;
  [[nodiscard]] std::vector<GraphTensor> outputs_of(const ort::Session* session) const;

 private:
  struct CloseLibrary {
    void operator()(void* library) const noexcept;
  };

  Engine();
  void check(ort::Status* status) const;
  template <typename Count, typename Name, typename Type>
  [[nodiscard]] std::vector<GraphTensor> border_of(const ort::Session* session) const;

  std::unique_ptr<void, CloseLibrary> library_;
  const void* const* table_ = nullptr;
  OrtPtr<ort::ReleaseEnv, ort::Env> env_;
  OrtPtr<ort::ReleaseMemoryInfo, ort::MemoryInfo> memory_;
  ort::Allocator* allocator_ = nullptr;  // the engine's own, never released
};

}  // namespace hbm::simulator
