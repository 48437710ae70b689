// SPDX-License-Identifier: Apache-2.0
// The entry points of libdnn.so: check, call inside, return a status.
#include <sys/stat.h>

#include <cstddef>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "abi/hb_dnn.h"
#include "abi/status_table.hpp"
#include "simulator/abi/entry.hpp"
#include "simulator/device/device_interface.hpp"
#include "simulator/models/inference.hpp"
#include "simulator/models/model.hpp"

namespace hbm::simulator {
namespace {

// False when the file was packed for another chip.
bool fits_chip(const std::string& march) {
  const Chip& chip = hbSimDevice()->profile().chip;
  if (march.empty() || march == chip.march) return true;
  const Chip* other = chip_with_march(march);
  log(LogLevel::kError,
      "the file is for the march '%.40s' (%s), this chip is an %s with '%s': pack or compile it "
      "for "
      "'%s'%s%s",
      march.c_str(), other != nullptr ? other->name : "no chip of the family", chip.name,
      chip.march, chip.march, other != nullptr ? ", or set HBM_SIM_SOC=" : "",
      other != nullptr ? other->name : "");
  return false;
}

// Adds the models of one file; a name that is already there is dropped with a line in the log, as
// libdnn.so 3.12 does.
int32_t add_file(Packed& packed, const std::byte* bytes, std::size_t size) {
  const ModelFile file = read_model_file(bytes, size);
  if (!fits_chip(file.march)) return HB_UCP_MODEL_INCOMPATIBLE;
  packed.file_descriptions.push_back(file.description);
  for (const ModelSpec& spec : file.models) {
    bool known = false;
    for (const auto& model : packed.models) known = known || model->name == spec.name;
    if (known) {
      log(LogLevel::kWarning, "the model '%s' is loaded already; the later one is dropped",
          spec.name.c_str());
      continue;
    }
    packed.models.push_back(std::make_shared<SimulatedModel>(spec, bytes));
  }
  return HB_UCP_SUCCESS;
}

// Runs `load` for each item and turns what goes wrong into the ABI's statuses.
template <typename Load>
int32_t initialize(hbDNNPackedHandle_t* out, int32_t count, Load&& load) {
  const std::string& problem = hbSimDevice()->environment_error();
  if (!problem.empty()) {
    log(LogLevel::kError, "%s", problem.c_str());
    return HB_UCP_INIT_FAILED;
  }
  auto packed = std::make_shared<Packed>();
  for (int32_t index = 0; index < count; ++index) {
    try {
      const int32_t status = load(*packed, index);
      if (status != HB_UCP_SUCCESS) return status;
    } catch (const EngineMissing& error) {
      log(LogLevel::kError, "%s", error.what());
      return HB_UCP_INIT_FAILED;
    } catch (const OutOfDeviceMemory& error) {
      log(LogLevel::kError, "model file %d: %s", index, error.what());
      return HB_UCP_MEM_ALLOC_FAIL;
    } catch (const ModelFileError& error) {
      log(LogLevel::kError, "model file %d: %s", index, error.what());
      return HB_UCP_MODEL_INVALID;
    } catch (const EngineError& error) {
      log(LogLevel::kError, "model file %d: the engine refuses the graph: %s", index, error.what());
      return HB_UCP_MODEL_INVALID;
    }
  }
  *out = HandleTable::instance().add(std::move(packed));
  return HB_UCP_SUCCESS;
}

int32_t load_path(Packed& packed, const char* path) {
  struct stat status {};
  if (::stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
    log(LogLevel::kError, "%s: there is no such file", path);
    return HB_UCP_FILE_OPEN_FAILED;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::ifstream stream(path, std::ios::binary);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) {
    log(LogLevel::kError, "%s: the file cannot be read", path);
    return HB_UCP_FILE_OPEN_FAILED;
  }
  return add_file(packed, bytes.data(), bytes.size());
}

// Runs `function` on the model behind the handle.
template <typename Function>
int32_t with_model(const char* name, hbDNNHandle_t handle, Function&& function) {
  return entry(name, [&]() -> int32_t {
    const auto model = HandleTable::instance().model(handle);
    return model != nullptr ? function(*model) : HB_UCP_INVALID_ARGUMENT;
  });
}

// As with_model, for one input or output of it.
template <typename Function>
int32_t with_tensor(const char* name, hbDNNHandle_t handle,
                    std::vector<BorderTensor> SimulatedModel::*border, int32_t index,
                    Function&& function) {
  return with_model(name, handle, [&](SimulatedModel& model) -> int32_t {
    const auto& tensors = model.*border;
    if (index < 0 || static_cast<std::size_t>(index) >= tensors.size()) {
      return HB_UCP_INVALID_ARGUMENT;
    }
    return function(tensors[static_cast<std::size_t>(index)]);
  });
}

int32_t get_count(const char* name, int32_t* count, hbDNNHandle_t handle,
                  std::vector<BorderTensor> SimulatedModel::*border) {
  return with_model(name, handle, [&](SimulatedModel& model) -> int32_t {
    if (count == nullptr) return HB_UCP_INVALID_ARGUMENT;
    *count = static_cast<int32_t>((model.*border).size());
    return HB_UCP_SUCCESS;
  });
}

int32_t get_name(const char* function, const char** name, hbDNNHandle_t handle,
                 std::vector<BorderTensor> SimulatedModel::*border, int32_t index) {
  return with_tensor(function, handle, border, index, [&](const BorderTensor& tensor) -> int32_t {
    if (name == nullptr) return HB_UCP_INVALID_ARGUMENT;
    *name = tensor.spec.name.c_str();
    return HB_UCP_SUCCESS;
  });
}

int32_t get_properties(const char* name, hbDNNTensorProperties* properties, hbDNNHandle_t handle,
                       std::vector<BorderTensor> SimulatedModel::*border, int32_t index) {
  return with_tensor(name, handle, border, index, [&](const BorderTensor& tensor) -> int32_t {
    if (properties == nullptr) return HB_UCP_INVALID_ARGUMENT;
    *properties = tensor.properties;
    return HB_UCP_SUCCESS;
  });
}

int32_t give_text(const std::string& value, const char** text, uint32_t* size, int32_t* type) {
  if (text == nullptr || size == nullptr || type == nullptr) return HB_UCP_INVALID_ARGUMENT;
  *text = value.c_str();
  *size = static_cast<uint32_t>(value.size());
  *type = HB_DNN_DESC_TYPE_STRING;
  return HB_UCP_SUCCESS;
}

}  // namespace
}  // namespace hbm::simulator

using namespace hbm::simulator;

extern "C" {

const char* hbDNNGetVersion() { return kDnnVersion; }

const char* hbDNNGetErrorDesc(int32_t status) { return hbm::abi::status_text(status); }

int32_t hbDNNInitializeFromFiles(hbDNNPackedHandle_t* packed, const char** files, int32_t count) {
  return entry("hbDNNInitializeFromFiles", [&]() -> int32_t {
    if (packed == nullptr || files == nullptr || count <= 0) return HB_UCP_INVALID_ARGUMENT;
    return initialize(packed, count, [&](Packed& into, int32_t index) -> int32_t {
      if (files[index] == nullptr) return HB_UCP_INVALID_ARGUMENT;
      return load_path(into, files[index]);
    });
  });
}

int32_t hbDNNInitializeFromDDR(hbDNNPackedHandle_t* packed, const void** data, int32_t* lengths,
                               int32_t count) {
  return entry("hbDNNInitializeFromDDR", [&]() -> int32_t {
    if (packed == nullptr || data == nullptr || lengths == nullptr || count <= 0) {
      return HB_UCP_INVALID_ARGUMENT;
    }
    return initialize(packed, count, [&](Packed& into, int32_t index) -> int32_t {
      if (data[index] == nullptr || lengths[index] < 0) return HB_UCP_INVALID_ARGUMENT;
      return add_file(into, static_cast<const std::byte*>(data[index]),
                      static_cast<std::size_t>(lengths[index]));
    });
  });
}

int32_t hbDNNRelease(hbDNNPackedHandle_t packed) {
  return entry("hbDNNRelease", [&] { return HandleTable::instance().remove(packed); });
}

int32_t hbDNNGetModelNameList(const char*** names, int32_t* count, hbDNNPackedHandle_t packed) {
  return entry("hbDNNGetModelNameList", [&]() -> int32_t {
    const auto found = HandleTable::instance().packed(packed);
    if (found == nullptr || names == nullptr || count == nullptr) return HB_UCP_INVALID_ARGUMENT;
    *names = found->model_names.data();
    *count = static_cast<int32_t>(found->model_names.size());
    return HB_UCP_SUCCESS;
  });
}

int32_t hbDNNGetModelHandle(hbDNNHandle_t* model, hbDNNPackedHandle_t packed, const char* name) {
  return entry("hbDNNGetModelHandle", [&]() -> int32_t {
    const auto found = HandleTable::instance().packed(packed);
    if (found == nullptr || model == nullptr || name == nullptr) return HB_UCP_INVALID_ARGUMENT;
    for (std::size_t index = 0; index < found->models.size(); ++index) {
      if (found->models[index]->name == name) {
        *model = found->model_handles[index];
        return HB_UCP_SUCCESS;
      }
    }
    return HB_UCP_UNKNOWN_ERROR;
  });
}

int32_t hbDNNGetModelDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model) {
  return with_model("hbDNNGetModelDesc", model, [&](const SimulatedModel& found) {
    return give_text(found.description, text, size, type);
  });
}

int32_t hbDNNGetHBMDesc(const char** text, uint32_t* size, int32_t* type,
                        hbDNNPackedHandle_t packed, int32_t file_index) {
  return entry("hbDNNGetHBMDesc", [&]() -> int32_t {
    const auto found = HandleTable::instance().packed(packed);
    if (found == nullptr || file_index < 0 ||
        static_cast<std::size_t>(file_index) >= found->file_descriptions.size()) {
      return HB_UCP_INVALID_ARGUMENT;
    }
    return give_text(found->file_descriptions[static_cast<std::size_t>(file_index)], text, size,
                     type);
  });
}

int32_t hbDNNGetCompileBpuCoreNum(int32_t* count, hbDNNHandle_t model) {
  return with_model("hbDNNGetCompileBpuCoreNum", model,
                    [&](const SimulatedModel& found) -> int32_t {
                      if (count == nullptr) return HB_UCP_INVALID_ARGUMENT;
                      *count = static_cast<int32_t>(found.core_count);
                      return HB_UCP_SUCCESS;
                    });
}

int32_t hbDNNGetInputCount(int32_t* count, hbDNNHandle_t model) {
  return get_count("hbDNNGetInputCount", count, model, &SimulatedModel::inputs);
}

int32_t hbDNNGetOutputCount(int32_t* count, hbDNNHandle_t model) {
  return get_count("hbDNNGetOutputCount", count, model, &SimulatedModel::outputs);
}

int32_t hbDNNGetInputName(const char** name, hbDNNHandle_t model, int32_t index) {
  return get_name("hbDNNGetInputName", name, model, &SimulatedModel::inputs, index);
}

int32_t hbDNNGetOutputName(const char** name, hbDNNHandle_t model, int32_t index) {
  return get_name("hbDNNGetOutputName", name, model, &SimulatedModel::outputs, index);
}

int32_t hbDNNGetInputTensorProperties(hbDNNTensorProperties* properties, hbDNNHandle_t model,
                                      int32_t index) {
  return get_properties("hbDNNGetInputTensorProperties", properties, model, &SimulatedModel::inputs,
                        index);
}

int32_t hbDNNGetOutputTensorProperties(hbDNNTensorProperties* properties, hbDNNHandle_t model,
                                       int32_t index) {
  return get_properties("hbDNNGetOutputTensorProperties", properties, model,
                        &SimulatedModel::outputs, index);
}

int32_t hbDNNGetInputDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model,
                          int32_t index) {
  return with_tensor("hbDNNGetInputDesc", model, &SimulatedModel::inputs, index,
                     [&](const BorderTensor& tensor) {
                       return give_text(tensor.spec.description, text, size, type);
                     });
}

int32_t hbDNNGetOutputDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model,
                           int32_t index) {
  return with_tensor("hbDNNGetOutputDesc", model, &SimulatedModel::outputs, index,
                     [&](const BorderTensor& tensor) {
                       return give_text(tensor.spec.description, text, size, type);
                     });
}

int32_t hbDNNInferV2(hbUCPTaskHandle_t* task, hbDNNTensor* outputs, const hbDNNTensor* inputs,
                     hbDNNHandle_t model) {
  return entry("hbDNNInferV2", [&]() -> int32_t {
    int32_t status = HB_UCP_SUCCESS;
    auto inference = Inference::make(model, outputs, inputs, &status);
    if (inference == nullptr) return status;
    if (task == nullptr) return hbSimDevice()->run_and_wait(std::move(inference));
    if (*task == nullptr) return hbSimDevice()->create_task(std::move(inference), task);
    return hbSimDevice()->append(*task, std::move(inference));
  });
}

int32_t hbDNNGetTaskOutputTensorProperties(hbDNNTensorProperties* properties,
                                           hbUCPTaskHandle_t task, int32_t sub_task,
                                           int32_t output_index) {
  return entry("hbDNNGetTaskOutputTensorProperties", [&]() -> int32_t {
    if (properties == nullptr) return HB_UCP_INVALID_ARGUMENT;
    const auto operation = hbSimDevice()->finished_operation(task, sub_task);
    const auto inference = std::dynamic_pointer_cast<Inference>(operation);
    if (inference == nullptr) return HB_UCP_TASK_HANDLE_INVALID;
    const hbDNNTensorProperties* produced = inference->output_properties(output_index);
    if (produced == nullptr) return HB_UCP_INVALID_ARGUMENT;
    *properties = *produced;
    return HB_UCP_SUCCESS;
  });
}

}  // extern "C"
