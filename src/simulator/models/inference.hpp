// SPDX-License-Identifier: Apache-2.0
// One inference as an operation of the simulated device: checked tensors in, tensors out.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/hb_dnn.h"
#include "simulator/device/device_interface.hpp"
#include "simulator/models/model.hpp"
#include "simulator/models/region.hpp"
#include "simulator/models/staging.hpp"

namespace hbm::simulator {

class Inference final : public Operation {
 public:
  // Null with a status when the handle or a tensor is refused; the log names the tensor.
  [[nodiscard]] static std::shared_ptr<Inference> make(hbDNNHandle_t model,
                                                       const hbDNNTensor* outputs,
                                                       const hbDNNTensor* inputs, int32_t* status);
  ~Inference() override { ended(); }

  [[nodiscard]] const std::string& model() const noexcept override { return model_->name; }
  [[nodiscard]] uint32_t call_count() const noexcept override {
    return static_cast<uint32_t>(model_->calls.size());
  }
  [[nodiscard]] bool preemptible() const noexcept override { return model_->preemptible; }
  [[nodiscard]] int core_count() const noexcept override { return model_->core_count; }
  [[nodiscard]] std::chrono::microseconds least_time(uint32_t call) const noexcept override {
    return model_->calls[call].least_time;
  }
  [[nodiscard]] std::chrono::nanoseconds usual_time_of_last_call() const noexcept override {
    if (model_->is_dynamic) return std::chrono::nanoseconds(0);
    return std::chrono::nanoseconds(model_->usual_ns_of_last_call.load(std::memory_order_relaxed));
  }
  [[nodiscard]] int32_t run_call(uint32_t call) noexcept override;
  void cancel() noexcept override;
  void ended() noexcept override;

  // What the run really produced; valid once all calls returned success.
  [[nodiscard]] const hbDNNTensorProperties* output_properties(int32_t index) const noexcept;

 private:
  // A value that passes between graphs, and its dense copy if its region is padded.
  struct Slot {
    ValuePtr value;
    std::byte* staged = nullptr;
  };

  explicit Inference(std::shared_ptr<SimulatedModel> model) : model_(std::move(model)) {}
  void open_border();
  void close_border() noexcept;
  void complain_of_stale(std::size_t index) const;
  void open_slot(Slot& slot, const Region& region, bool is_input);
  void compute(const FunctionCall& call);
  void close_output(std::size_t index, Slot& slot);
  void keep_dynamic_output(std::size_t index, const ort::Value* value, const void* data);
  void note_time(std::chrono::nanoseconds time) noexcept;

  std::shared_ptr<SimulatedModel> model_;
  std::vector<Region> inputs_;
  std::vector<Region> outputs_;
  std::vector<hbDNNTensorProperties> produced_;
  std::vector<Slot> slots_;  // from the first call to the last
  std::vector<StagingPool::Buffer> buffers_;
  RunOptionsPtr run_options_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> in_flight_{true};
};

}  // namespace hbm::simulator
