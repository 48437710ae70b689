// SPDX-License-Identifier: Apache-2.0
// One inference as an operation of the simulated device: checked tensors in, tensors out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "abi/strided_copy.hpp"
#include "device_interface.hpp"
#include "hb_dnn.h"
#include "model.hpp"

namespace hbm::simulator {

class Inference final : public Operation {
 public:
  // Null with a status when the handle or a tensor is refused; the log names the tensor.
  [[nodiscard]] static std::shared_ptr<Inference> make(hbDNNHandle_t model, hbDNNTensor* outputs,
                                                       const hbDNNTensor* inputs, int32_t* status);
  ~Inference() override;

  [[nodiscard]] int32_t run() noexcept override;
  void cancel() noexcept override;

  // What the run really produced; valid once run() returned success.
  [[nodiscard]] const hbDNNTensorProperties* output_properties(int32_t index) const noexcept;

 private:
  // Where one tensor lies in device memory; shape and strides in storage units.
  struct Region {
    std::byte* data = nullptr;
    Extents elements;  // the shape that the graph knows
    Extents shape;
    Extents strides;
    int64_t unit = 0;  // bytes
  };

  explicit Inference(std::shared_ptr<Model> model);
  [[nodiscard]] int32_t take_input(std::size_t index, const hbDNNTensor& tensor);
  [[nodiscard]] int32_t take_output(std::size_t index, const hbDNNTensor& tensor);
  void compute();
  void keep_dynamic_output(std::size_t index, const ort::Value* value, const void* data);
  [[nodiscard]] bool hold_core_until(std::chrono::steady_clock::time_point end);
  void no_longer_in_flight() noexcept;

  std::shared_ptr<Model> model_;
  std::vector<Region> inputs_;
  std::vector<Region> outputs_;
  std::vector<hbDNNTensorProperties> produced_;
  RunOptionsPtr run_options_;

  std::mutex mutex_;
  std::condition_variable cancelled_changed_;
  bool cancelled_ = false;
  bool in_flight_ = true;
};

}  // namespace hbm::simulator
