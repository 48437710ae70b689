// SPDX-License-Identifier: Apache-2.0
// Runs loaded models: host arrays in, device buffers with their layout out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "deadline.hpp"
#include "layout.hpp"
#include "library.hpp"
#include "memory.hpp"
#include "model.hpp"
#include "scheduling.hpp"

namespace hbm {

// An array of the caller; strides in bytes, of any sign.
struct InputView {
  const std::byte* data = nullptr;
  int32_t data_type = 0;
  Extents shape;  // storage units: 4-bit types come as bytes of two elements
  Extents strides;
  bool other_byte_order = false;  // big-endian elements
};

// One model's part of a run; inputs in the model's order.
struct Request {
  std::size_t model = 0;
  std::vector<InputView> inputs;
  SchedParam sched;
};

// An output in device memory, readable as long as the buffer is held.
struct OutputTensor {
  std::shared_ptr<DeviceBuffer> buffer;
  int32_t data_type = 0;
  Extents shape;    // storage units
  Extents strides;  // bytes
};

class Runtime {
 public:
  Runtime(std::shared_ptr<const Library> library, const std::vector<std::string>& files);

  [[nodiscard]] const Library& library() const noexcept { return *library_; }
  [[nodiscard]] const PackedModels& packed() const noexcept { return packed_; }

  // Submits every request, then waits for all; outputs come in the models' order. Any thread.
  // Throws Error; nothing of the failed run is left behind.
  [[nodiscard]] std::vector<std::vector<OutputTensor>> run(const std::vector<Request>& requests,
                                                           const Deadline& deadline) const;

 private:
  class Job;

  std::shared_ptr<const Library> library_;
  PackedModels packed_;
  std::shared_ptr<BufferPool> pool_;
};

// Throws Error(kInput) that names what was expected and what came.
void check_input(const ModelInfo& model, const TensorInfo& input, const InputView& view);

}  // namespace hbm
