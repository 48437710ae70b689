// SPDX-License-Identifier: Apache-2.0
// What the accelerator tells about one input or output of a model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi/hb_dnn.h"
#include "abi/strided_copy.hpp"

namespace hbm {

struct Quantization {
  int32_t type = 0;  // hbDNNQuantiType
  int32_t axis = 0;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
};

struct TensorInfo {
  std::string name;
  std::string description;
  hbDNNTensorProperties properties{};  // as given; its scale pointers are the library's
  int32_t data_type = 0;
  Extents shape;                  // elements, -1 where dynamic
  Extents strides;                // bytes, -1 where dynamic
  int64_t aligned_byte_size = 0;  // -1 where dynamic
  Quantization quantization;
};

// Checks what the library says before anything is computed from it; throws Error(kModel).
[[nodiscard]] TensorInfo make_tensor_info(std::string name, std::string description,
                                          const hbDNNTensorProperties& properties,
                                          const std::string& model);

}  // namespace hbm
