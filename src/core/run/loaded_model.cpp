// SPDX-License-Identifier: Apache-2.0
// Loads model files and reads their metadata through the ABI.
#include "core/run/loaded_model.hpp"

#include <utility>

#include "core/board/error.hpp"
#include "core/board/release.hpp"
#include "core/run/model_run.hpp"

namespace hbm {
namespace {

// Descriptions may hold NULs: the size counts, not the first NUL.
std::string description(int32_t status, const char* call, const char* text, uint32_t size,
                        const ErrorPlace& place) {
  check(status, call, "read a description", place);
  return text != nullptr ? std::string(text, size) : std::string();
}

using CountFunction = int32_t (*)(int32_t*, hbDNNHandle_t);
using NameFunction = int32_t (*)(const char**, hbDNNHandle_t, int32_t);
using PropertiesFunction = int32_t (*)(hbDNNTensorProperties*, hbDNNHandle_t, int32_t);
using DescriptionFunction = int32_t (*)(const char**, uint32_t*, int32_t*, hbDNNHandle_t, int32_t);

// The four functions that describe one side of a model, with their names for messages.
struct Side {
  CountFunction count;
  NameFunction name;
  PropertiesFunction properties;
  DescriptionFunction description;
  const char* what;
};

std::vector<TensorInfo> describe_side(const Side& side, hbDNNHandle_t model,
                                      const std::string& model_name) {
  const std::string call = std::string("hbDNNGet") + side.what;
  int32_t count = 0;
  check(side.count(&count, model), (call + "Count").c_str(), "count the tensors", {model_name, {}});
  std::vector<TensorInfo> tensors;
  for (int32_t index = 0; index < count; ++index) {
    const char* name = nullptr;
    check(side.name(&name, model, index), (call + "Name").c_str(), "read a tensor's name",
          {model_name, {}});
    const ErrorPlace place{model_name, name != nullptr ? name : ""};
    hbDNNTensorProperties properties{};
    check(side.properties(&properties, model, index), (call + "TensorProperties").c_str(),
          "read a tensor's properties", place);
    const char* text = nullptr;
    uint32_t size = 0;
    int32_t type = 0;
    const int32_t status = side.description(&text, &size, &type, model, index);
    tensors.push_back(make_tensor_info(
        place.tensor, description(status, (call + "Desc").c_str(), text, size, place), properties,
        model_name));
  }
  return tensors;
}

std::string list(const std::vector<std::string>& files) {
  std::string text;
  for (const std::string& file : files) text += (text.empty() ? "" : ", ") + file;
  return text;
}

}  // namespace

PackedModels::Handle::Handle(std::shared_ptr<const Library> library,
                             const std::vector<std::string>& files)
    : library_(std::move(library)) {
  library_->check_usable();
  std::vector<const char*> paths;
  for (const std::string& file : files) paths.push_back(file.c_str());
  check(library_->hbDNNInitializeFromFiles(&handle_, paths.data(),
                                           static_cast<int32_t>(paths.size())),
        "hbDNNInitializeFromFiles", "load " + list(files));
}

PackedModels::Handle::~Handle() {
  if (handle_ == nullptr || !library_->is_usable()) return;
  release_or_log("hbDNNRelease", [this] { return library_->hbDNNRelease(handle_); });
}

PackedModels::PackedModels(std::shared_ptr<const Library> library,
                           const std::vector<std::string>& files)
    : library_(std::move(library)), handle_(library_, files) {
  const char** names = nullptr;
  int32_t count = 0;
  check(library_->hbDNNGetModelNameList(&names, &count, handle_.get()), "hbDNNGetModelNameList",
        "list the models of " + list(files));
  for (int32_t index = 0; index < count; ++index) models_.push_back(describe(names[index]));
  for (std::size_t index = 0; index < files.size(); ++index) {
    const char* text = nullptr;
    uint32_t size = 0;
    int32_t type = 0;
    const int32_t status =
        library_->hbDNNGetHBMDesc(&text, &size, &type, handle_.get(), static_cast<int32_t>(index));
    file_descriptions_.push_back(description(status, "hbDNNGetHBMDesc", text, size, {}));
  }
}

PackedModels::~PackedModels() = default;

LoadedModel::LoadedModel(std::shared_ptr<const PackedModels> packed, std::size_t index)
    : packed_(std::move(packed)), info_(packed_->models().at(index)) {}

LoadedModel::~LoadedModel() = default;

std::unique_ptr<ModelRun> LoadedModel::take_idle_run() const {
  const std::lock_guard lock(mutex_);
  if (idle_runs_.empty()) return nullptr;
  std::unique_ptr<ModelRun> run = std::move(idle_runs_.back());
  idle_runs_.pop_back();
  return run;
}

void LoadedModel::keep_idle_run(std::unique_ptr<ModelRun> run) const noexcept {
  try {
    const std::lock_guard lock(mutex_);
    idle_runs_.push_back(std::move(run));
  } catch (const std::exception&) {
    // No memory to remember the run: it is made anew next time.
  }
}

LoadedFiles load_files(const std::shared_ptr<const Library>& library,
                       const std::vector<std::string>& files) {
  LoadedFiles loaded;
  const auto packed = std::make_shared<const PackedModels>(library, files);
  for (std::size_t index = 0; index < packed->models().size(); ++index) {
    loaded.models.push_back(std::make_shared<const LoadedModel>(packed, index));
  }
  loaded.descriptions = packed->file_descriptions();
  return loaded;
}

ModelInfo PackedModels::describe(const char* name) const {
  ModelInfo model;
  model.name = name;
  const ErrorPlace place{model.name, {}};
  check(library_->hbDNNGetModelHandle(&model.handle, handle_.get(), name), "hbDNNGetModelHandle",
        "find the model", place);
  const char* text = nullptr;
  uint32_t size = 0;
  int32_t type = 0;
  const int32_t status = library_->hbDNNGetModelDesc(&text, &size, &type, model.handle);
  model.description = description(status, "hbDNNGetModelDesc", text, size, place);
  if (library_->hbDNNGetCompileBpuCoreNum != nullptr) {
    check(library_->hbDNNGetCompileBpuCoreNum(&model.core_count, model.handle),
          "hbDNNGetCompileBpuCoreNum", "read the number of cores", place);
  }
  model.inputs =
      describe_side({library_->hbDNNGetInputCount, library_->hbDNNGetInputName,
                     library_->hbDNNGetInputTensorProperties, library_->hbDNNGetInputDesc, "Input"},
                    model.handle, model.name);
  model.outputs = describe_side(
      {library_->hbDNNGetOutputCount, library_->hbDNNGetOutputName,
       library_->hbDNNGetOutputTensorProperties, library_->hbDNNGetOutputDesc, "Output"},
      model.handle, model.name);
  return model;
}

}  // namespace hbm
