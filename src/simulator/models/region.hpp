// SPDX-License-Identifier: Apache-2.0
// Where one tensor of an inference lies in device memory, checked as boards do.
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/hb_dnn.h"
#include "abi/strided_copy.hpp"
#include "model_file/model_file.hpp"

namespace hbm::simulator {

// Shape and strides in storage units; -1 in the shape of an output that the run decides.
struct Region {
  std::byte* data = nullptr;    // as the device sees it
  std::byte* of_cpu = nullptr;  // as the CPU sees it; the same unless the device is strict
  Extents elements;             // the shape that the graph knows
  Extents shape;
  Extents strides;
  int64_t unit = 0;  // bytes
  uint32_t data_type = 0;

  [[nodiscard]] bool is_open() const noexcept;
  [[nodiscard]] bool is_dense() const noexcept;
  // Of a dense copy, in bytes.
  [[nodiscard]] std::size_t dense_size() const noexcept;
  // Between the region and a dense copy of it.
  void gather(std::byte* dense) const;
  void scatter(const std::byte* dense) const;
  // Whether the CPU sees other elements than the device.
  [[nodiscard]] bool is_stale() const;
};

// HB_UCP_SUCCESS and the region, or a status; the log then names the tensor and what is wrong.
[[nodiscard]] int32_t check_input(const TensorSpec& spec, const hbDNNTensor& tensor,
                                  Region& region);
[[nodiscard]] int32_t check_output(const TensorSpec& spec, const hbDNNTensor& tensor,
                                   Region& region);

}  // namespace hbm::simulator
