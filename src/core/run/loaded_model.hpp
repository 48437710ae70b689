// SPDX-License-Identifier: Apache-2.0
// Models loaded from files, and all that the accelerator tells about them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/board/library.hpp"
#include "core/tensors/tensor.hpp"

namespace hbm {

struct ModelInfo {
  std::string name;
  std::string description;
  hbDNNHandle_t handle = nullptr;
  int32_t core_count = 1;  // cores that the model was compiled for
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
};

// Owns the packed handle of a group of files.
class PackedModels {
 public:
  // Throws Error that names the files.
  PackedModels(std::shared_ptr<const Library> library, const std::vector<std::string>& files);
  PackedModels(const PackedModels&) = delete;
  PackedModels& operator=(const PackedModels&) = delete;
  ~PackedModels();

  [[nodiscard]] const std::vector<ModelInfo>& models() const noexcept { return models_; }
  // In the order of the files.
  [[nodiscard]] const std::vector<std::string>& file_descriptions() const noexcept {
    return file_descriptions_;
  }

 private:
  class Handle {
   public:
    Handle(std::shared_ptr<const Library> library, const std::vector<std::string>& files);
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle();
    [[nodiscard]] hbDNNPackedHandle_t get() const noexcept { return handle_; }

   private:
    std::shared_ptr<const Library> library_;
    hbDNNPackedHandle_t handle_ = nullptr;
  };

  [[nodiscard]] ModelInfo describe(const char* name) const;

  std::shared_ptr<const Library> library_;
  Handle handle_;
  std::vector<ModelInfo> models_;
  std::vector<std::string> file_descriptions_;
};

class ModelRun;

// One model of a group; whoever holds it keeps the group loaded.
class LoadedModel {
 public:
  LoadedModel(std::shared_ptr<const PackedModels> packed, std::size_t index);
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;
  ~LoadedModel();

  [[nodiscard]] const ModelInfo& info() const noexcept { return info_; }
  [[nodiscard]] const std::string& name() const noexcept { return info_.name; }

  // Runs that ended and can be used again; null when there is none.
  [[nodiscard]] std::unique_ptr<ModelRun> take_idle_run() const;
  void keep_idle_run(std::unique_ptr<ModelRun> run) const noexcept;

 private:
  std::shared_ptr<const PackedModels> packed_;
  const ModelInfo& info_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<ModelRun>> idle_runs_;
};

// All models of the files, in their order.
struct LoadedFiles {
  std::vector<std::shared_ptr<const LoadedModel>> models;
  std::vector<std::string> descriptions;  // one per file
};

// Throws Error that names the files.
[[nodiscard]] LoadedFiles load_files(const std::shared_ptr<const Library>& library,
                                     const std::vector<std::string>& files);

}  // namespace hbm
