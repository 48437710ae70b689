// SPDX-License-Identifier: Apache-2.0
// The slots of ONNX Runtime's C function table that we call; the table is append-only.
#pragma once

#include <cstddef>
#include <cstdint>

// ONNX Runtime's wheels carry no header; these few declarations are ours. The table that
// GetApi(kOrtApiVersion) returns keeps its order in every later version.
namespace hbm::simulator::ort {

inline constexpr uint32_t kApiVersion = 16;

struct Env;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct TypeInfo;
struct TensorInfo;
struct Allocator;
struct Status;

struct ApiBase {
  const void* const* (*get_api)(uint32_t version);
  const char* (*get_version_string)();
};

enum class LoggingLevel : int32_t { kFatal = 4 };
enum class ExecutionMode : int32_t { kSequential = 0 };
enum class OptimizationLevel : int32_t { kAll = 99 };
enum class AllocatorType : int32_t { kArena = 1 };
enum class MemoryType : int32_t { kDefault = 0 };

// A slot's index together with its signature.
template <std::size_t Index, typename Signature>
struct Slot;

template <std::size_t Index, typename Result, typename... Arguments>
struct Slot<Index, Result(Arguments...)> {
  using Function = Result (*)(Arguments...);
  static Result call(const void* const* table, Arguments... arguments) {
    return reinterpret_cast<Function>(const_cast<void*>(table[Index]))(arguments...);
  }
};

using GetErrorMessage = Slot<2, const char*(const Status*)>;
using CreateEnv = Slot<3, Status*(LoggingLevel, const char*, Env**)>;
using CreateSessionFromArray =
    Slot<8, Status*(const Env*, const void*, std::size_t, const SessionOptions*, Session**)>;
using Run = Slot<9, Status*(Session*, const RunOptions*, const char* const*, const Value* const*,
                            std::size_t, const char* const*, std::size_t, Value**)>;
using CreateSessionOptions = Slot<10, Status*(SessionOptions**)>;
using SetSessionExecutionMode = Slot<13, Status*(SessionOptions*, ExecutionMode)>;
using SetSessionGraphOptimizationLevel = Slot<23, Status*(SessionOptions*, OptimizationLevel)>;
using SetIntraOpNumThreads = Slot<24, Status*(SessionOptions*, int)>;
using SetInterOpNumThreads = Slot<25, Status*(SessionOptions*, int)>;
using SessionGetInputCount = Slot<30, Status*(const Session*, std::size_t*)>;
using SessionGetOutputCount = Slot<31, Status*(const Session*, std::size_t*)>;
using SessionGetInputTypeInfo = Slot<33, Status*(const Session*, std::size_t, TypeInfo**)>;
using SessionGetOutputTypeInfo = Slot<34, Status*(const Session*, std::size_t, TypeInfo**)>;
using SessionGetInputName = Slot<36, Status*(const Session*, std::size_t, Allocator*, char**)>;
using SessionGetOutputName = Slot<37, Status*(const Session*, std::size_t, Allocator*, char**)>;
using CreateRunOptions = Slot<39, Status*(RunOptions**)>;
using RunOptionsSetTerminate = Slot<46, Status*(RunOptions*)>;
using CreateTensorWithDataAsOrtValue =
    Slot<49, Status*(const MemoryInfo*, void*, std::size_t, const int64_t*, std::size_t, int32_t,
                     Value**)>;
using GetTensorMutableData = Slot<51, Status*(Value*, void**)>;
using CastTypeInfoToTensorInfo = Slot<55, Status*(const TypeInfo*, const TensorInfo**)>;
using GetTensorElementType = Slot<60, Status*(const TensorInfo*, int32_t*)>;
using GetDimensionsCount = Slot<61, Status*(const TensorInfo*, std::size_t*)>;
using GetDimensions = Slot<62, Status*(const TensorInfo*, int64_t*, std::size_t)>;
using GetTensorTypeAndShape = Slot<65, Status*(const Value*, TensorInfo**)>;
using CreateCpuMemoryInfo = Slot<69, Status*(AllocatorType, MemoryType, MemoryInfo**)>;
using AllocatorFree = Slot<76, Status*(Allocator*, void*)>;
using GetAllocatorWithDefaultOptions = Slot<78, Status*(Allocator**)>;
using ReleaseEnv = Slot<92, void(Env*)>;
using ReleaseStatus = Slot<93, void(Status*)>;
using ReleaseMemoryInfo = Slot<94, void(MemoryInfo*)>;
using ReleaseSession = Slot<95, void(Session*)>;
using ReleaseValue = Slot<96, void(Value*)>;
using ReleaseRunOptions = Slot<97, void(RunOptions*)>;
using ReleaseTypeInfo = Slot<98, void(TypeInfo*)>;
using ReleaseTensorInfo = Slot<99, void(TensorInfo*)>;
using ReleaseSessionOptions = Slot<100, void(SessionOptions*)>;

}  // namespace hbm::simulator::ort
