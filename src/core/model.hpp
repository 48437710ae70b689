// SPDX-License-Identifier: Apache-2.0
// Models loaded from files, and all that the accelerator tells about them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "library.hpp"
#include "tensor.hpp"

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

}  // namespace hbm
