// SPDX-License-Identifier: Apache-2.0
// An input as the caller has it, and whether it fits a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/memory/pool.hpp"
#include "core/run/loaded_model.hpp"
#include "core/tensors/layout.hpp"

namespace hbm {

// An array of the caller; strides in bytes, of any sign.
struct InputView {
  const std::byte* data = nullptr;
  int32_t data_type = 0;
  Extents shape;  // storage units: 4-bit types come as bytes of two elements
  Extents strides;
  bool other_byte_order = false;  // big-endian elements
  BufferRef device;               // the device memory that `data` leads into, if it does
};

// Throws Error(kInput) that names what was expected and what came.
void check_input(const ModelInfo& model, const TensorInfo& input, const InputView& view);

// Shape in elements from one in storage units; only the two 4-bit types differ.
[[nodiscard]] Extents element_shape(const TensorInfo& input, const Extents& storage);

// The strides to report for a view that the accelerator can read where it lies: the model's, dense
// ones of a static input, or those of aligned rows of a dynamic one. None if it must be copied.
[[nodiscard]] std::optional<Extents> strides_in_place(const TensorInfo& input,
                                                      const InputView& view);

}  // namespace hbm
