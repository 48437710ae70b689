// SPDX-License-Identifier: Apache-2.0
// libdnn.so of the null backend: one model "null", a and b to first, second and sum.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "abi/hb_dnn.h"
#include "abi/status_table.hpp"
#include "task.hpp"

using hbm::null_backend::kInputs;
using hbm::null_backend::kOutputs;
using hbm::null_backend::State;
using hbm::null_backend::Task;

namespace {

constexpr std::size_t kTasks = 1024;
constexpr long kMostElements = 16L << 20;
constexpr std::array<const char*, kInputs> kInputNames = {"a", "b"};
constexpr std::array<const char*, kOutputs> kOutputNames = {"first", "second", "sum"};
const char* kModelName = "null";

std::array<Task, kTasks> tasks;
std::atomic<std::size_t> next_task{0};
int packed_mark = 0;  // its address is the packed handle
int model_mark = 0;

// Elements of each tensor, from HBM_NULL_ELEMENTS; 0 when that is no number in range.
long elements() {
  static const long value = [] {
    const char* text = std::getenv("HBM_NULL_ELEMENTS");
    if (text == nullptr) return 1L;
    char* end = nullptr;
    const long number = std::strtol(text, &end, 10);
    return end != text && *end == '\0' && number > 0 && number <= kMostElements ? number : 0L;
  }();
  return value;
}

int32_t fill(hbDNNTensorProperties* properties) {
  if (properties == nullptr) return HB_UCP_INVALID_ARGUMENT;
  static const hbDNNTensorProperties kept = [] {
    hbDNNTensorProperties made{};
    made.validShape.numDimensions = 2;
    made.validShape.dimensionSize[0] = 1;
    made.validShape.dimensionSize[1] = static_cast<int32_t>(elements());
    made.tensorType = HB_DNN_TENSOR_TYPE_F32;
    made.quantiType = HB_DNN_QUANTI_NONE;
    made.stride[1] = sizeof(float);
    made.stride[0] = made.stride[1] * elements();
    made.alignedByteSize = made.stride[0];
    return made;
  }();
  *properties = kept;
  return HB_UCP_SUCCESS;
}

int32_t no_text(const char** text, uint32_t* size, int32_t* type) {
  if (text == nullptr || size == nullptr || type == nullptr) return HB_UCP_INVALID_ARGUMENT;
  *text = "";
  *size = 0;
  *type = HB_DNN_DESC_TYPE_STRING;
  return HB_UCP_SUCCESS;
}

bool is_packed(hbDNNPackedHandle_t packed) { return packed == &packed_mark; }
bool is_model(hbDNNHandle_t model) { return model == &model_mark; }

template <std::size_t kCount>
int32_t name_of(const std::array<const char*, kCount>& names, const char** name,
                hbDNNHandle_t model, int32_t index) {
  if (name == nullptr || !is_model(model)) return HB_UCP_INVALID_ARGUMENT;
  if (index < 0 || static_cast<std::size_t>(index) >= kCount) return HB_UCP_INVALID_ARGUMENT;
  *name = names[static_cast<std::size_t>(index)];
  return HB_UCP_SUCCESS;
}

bool in_range(hbDNNHandle_t model, int32_t index, std::size_t count) {
  return is_model(model) && index >= 0 && static_cast<std::size_t>(index) < count;
}

// Null when all are in use; a task that was just freed is the next one taken.
Task* take_task() {
  const std::size_t first = next_task.load(std::memory_order_relaxed);
  for (std::size_t tried = 0; tried < kTasks; ++tried) {
    const std::size_t index = (first + tried) % kTasks;
    State expected = State::kFree;
    if (tasks[index].state.compare_exchange_strong(expected, State::kMade,
                                                   std::memory_order_acquire)) {
      next_task.store(index, std::memory_order_relaxed);
      return &tasks[index];
    }
  }
  return nullptr;
}

}  // namespace

extern "C" {

const char* hbDNNGetVersion(void) { return "0.0.0_(null backend)"; }

const char* hbDNNGetErrorDesc(int32_t status) {
  const hbm::abi::StatusRow* row = hbm::abi::find_status(status);
  return row != nullptr ? row->text : "no such status";
}

int32_t hbDNNInitializeFromFiles(hbDNNPackedHandle_t* packed, const char** files, int32_t count) {
  if (packed == nullptr || files == nullptr || count <= 0) return HB_UCP_INVALID_ARGUMENT;
  if (elements() == 0) return HB_UCP_INIT_FAILED;
  *packed = &packed_mark;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNInitializeFromDDR(hbDNNPackedHandle_t* packed, const void** data, int32_t* lengths,
                               int32_t count) {
  if (packed == nullptr || data == nullptr || lengths == nullptr || count <= 0) {
    return HB_UCP_INVALID_ARGUMENT;
  }
  if (elements() == 0) return HB_UCP_INIT_FAILED;
  *packed = &packed_mark;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNRelease(hbDNNPackedHandle_t packed) {
  return is_packed(packed) ? HB_UCP_SUCCESS : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNGetModelNameList(const char*** names, int32_t* count, hbDNNPackedHandle_t packed) {
  if (names == nullptr || count == nullptr || !is_packed(packed)) return HB_UCP_INVALID_ARGUMENT;
  *names = &kModelName;
  *count = 1;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNGetModelHandle(hbDNNHandle_t* model, hbDNNPackedHandle_t packed, const char* name) {
  if (model == nullptr || name == nullptr || !is_packed(packed)) return HB_UCP_INVALID_ARGUMENT;
  if (std::strcmp(name, kModelName) != 0) return HB_UCP_INVALID_ARGUMENT;
  *model = &model_mark;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNGetModelDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model) {
  return is_model(model) ? no_text(text, size, type) : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNGetHBMDesc(const char** text, uint32_t* size, int32_t* type,
                        hbDNNPackedHandle_t packed, int32_t /*file_index*/) {
  return is_packed(packed) ? no_text(text, size, type) : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNGetCompileBpuCoreNum(int32_t* count, hbDNNHandle_t model) {
  if (count == nullptr || !is_model(model)) return HB_UCP_INVALID_ARGUMENT;
  *count = 1;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNGetInputCount(int32_t* count, hbDNNHandle_t model) {
  if (count == nullptr || !is_model(model)) return HB_UCP_INVALID_ARGUMENT;
  *count = kInputs;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNGetInputName(const char** name, hbDNNHandle_t model, int32_t index) {
  return name_of(kInputNames, name, model, index);
}

int32_t hbDNNGetInputTensorProperties(hbDNNTensorProperties* properties, hbDNNHandle_t model,
                                      int32_t index) {
  return in_range(model, index, kInputs) ? fill(properties) : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNGetInputDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model,
                          int32_t index) {
  return in_range(model, index, kInputs) ? no_text(text, size, type) : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNGetOutputCount(int32_t* count, hbDNNHandle_t model) {
  if (count == nullptr || !is_model(model)) return HB_UCP_INVALID_ARGUMENT;
  *count = kOutputs;
  return HB_UCP_SUCCESS;
}

int32_t hbDNNGetOutputName(const char** name, hbDNNHandle_t model, int32_t index) {
  return name_of(kOutputNames, name, model, index);
}

int32_t hbDNNGetOutputTensorProperties(hbDNNTensorProperties* properties, hbDNNHandle_t model,
                                       int32_t index) {
  return in_range(model, index, kOutputs) ? fill(properties) : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNGetOutputDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model,
                           int32_t index) {
  return in_range(model, index, kOutputs) ? no_text(text, size, type) : HB_UCP_INVALID_ARGUMENT;
}

int32_t hbDNNInferV2(hbUCPTaskHandle_t* task, hbDNNTensor* outputs, const hbDNNTensor* inputs,
                     hbDNNHandle_t model) {
  if (outputs == nullptr || inputs == nullptr || !is_model(model)) return HB_UCP_INVALID_ARGUMENT;
  if (task != nullptr && *task != nullptr) return HB_UCP_API_USE_ERROR;  // no sub-tasks here
  Task* const made = take_task();
  if (made == nullptr) return HB_UCP_TASK_NUMBER_EXCEED_LIMIT;
  made->callback = nullptr;
  for (std::size_t index = 0; index < kInputs; ++index) {
    made->inputs[index] = static_cast<const float*>(inputs[index].sysMem.virAddr);
  }
  for (std::size_t index = 0; index < kOutputs; ++index) {
    made->outputs[index] = static_cast<float*>(outputs[index].sysMem.virAddr);
  }
  if (task != nullptr) {
    *task = made;
    return HB_UCP_SUCCESS;
  }
  made->compute();
  made->state.store(State::kFree, std::memory_order_release);
  return HB_UCP_SUCCESS;
}

int32_t hbDNNGetTaskOutputTensorProperties(hbDNNTensorProperties* properties,
                                           hbUCPTaskHandle_t task, int32_t sub_task,
                                           int32_t output_index) {
  if (properties == nullptr || sub_task != 0) return HB_UCP_INVALID_ARGUMENT;
  if (task == nullptr ||
      static_cast<Task*>(task)->state.load(std::memory_order_acquire) != State::kDone) {
    return HB_UCP_TASK_HANDLE_INVALID;
  }
  return in_range(&model_mark, output_index, kOutputs) ? fill(properties) : HB_UCP_INVALID_ARGUMENT;
}

}  // extern "C"
