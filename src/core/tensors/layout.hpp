// SPDX-License-Identifier: Apache-2.0
// Where a tensor's bytes lie in device memory: dynamic strides filled in, sizes computed.
#pragma once

#include <cstdint>
#include <string>

#include "abi/data_types.hpp"
#include "core/tensors/tensor.hpp"

namespace hbm {

// Row pitch of dynamic inputs in bytes: 64 is right on S600 and also valid on S100 and S100P, whose
// pitch_alignment in abi/chips.hpp is 32.
inline constexpr int64_t kPitchAlignment = 64;

// Whether a shape or a stride is -1: known with the inputs, or when the run is done.
[[nodiscard]] bool has_unknown(const Extents& shape, const Extents& strides);

// Whether the caller decides where the input's bytes lie.
[[nodiscard]] bool is_dynamic_input(const TensorInfo& info);

struct Layout {
  Extents shape;             // storage units
  Extents strides;           // bytes
  int64_t element_size = 0;  // bytes of one storage unit
  int64_t byte_size = 0;     // to allocate
};

// The layout of an input with the given shape (elements), which must fit the model's.
[[nodiscard]] Layout input_layout(const TensorInfo& info, const Extents& shape);

// What to allocate for an output; a dynamic one has -1 in shape and strides until the run is done.
[[nodiscard]] Layout output_layout(const TensorInfo& info, const std::string& model);

// The layout of an output as its finished task reports it, which must fit the buffer.
[[nodiscard]] Layout finished_layout(const TensorInfo& info, int64_t buffer_size,
                                     const std::string& model);

// "[1, 3, 224, 224]"
[[nodiscard]] std::string describe_shape(const Extents& shape);

}  // namespace hbm
