// SPDX-License-Identifier: Apache-2.0
// Helpers of the ABI tests: device memory and a loaded model that clean up after themselves.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "abi/hb_dnn.h"
#include "tiny_model.hpp"

namespace hbm::test {

// Device memory that frees itself.
class Memory {
 public:
  explicit Memory(uint64_t size) { EXPECT_EQ(hbUCPMallocCached(&memory_, size, 0), 0); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { EXPECT_EQ(hbUCPFree(&memory_), 0); }
  [[nodiscard]] const hbUCPSysMem& get() const { return memory_; }
  template <typename Number>
  [[nodiscard]] Number* as() const {
    return static_cast<Number*>(memory_.virAddr);
  }

 private:
  hbUCPSysMem memory_{};
};

// A packed handle made from bytes in memory.
class Packed {
 public:
  explicit Packed(const std::vector<TinyModel>& models) : Packed(file_of(models)) {}
  explicit Packed(const std::string& bytes) {
    const void* data = bytes.data();
    auto length = static_cast<int32_t>(bytes.size());
    EXPECT_EQ(hbDNNInitializeFromDDR(&handle_, &data, &length, 1), 0);
  }
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;
  ~Packed() {
    if (handle_ != nullptr) {
      EXPECT_EQ(hbDNNRelease(handle_), 0);
    }
  }
  [[nodiscard]] hbDNNPackedHandle_t get() const { return handle_; }
  [[nodiscard]] hbDNNHandle_t model(const char* name) const {
    hbDNNHandle_t model = nullptr;
    EXPECT_EQ(hbDNNGetModelHandle(&model, handle_, name), 0);
    return model;
  }

 private:
  hbDNNPackedHandle_t handle_ = nullptr;
};

// One inference of a one-input, one-output model with memory of its own.
class Call {
 public:
  explicit Call(hbDNNHandle_t model) : Call(model, properties(model, true)) {}
  Call(hbDNNHandle_t model, const hbDNNTensorProperties& input)
      : model_(model),
        in_memory_(static_cast<uint64_t>(input.alignedByteSize)),
        out_memory_(static_cast<uint64_t>(properties(model, false).alignedByteSize)),
        input_{in_memory_.get(), input},
        output_{out_memory_.get(), properties(model, false)} {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { release(); }

  static hbDNNTensorProperties properties(hbDNNHandle_t model, bool input) {
    hbDNNTensorProperties found{};
    EXPECT_EQ(input ? hbDNNGetInputTensorProperties(&found, model, 0)
                    : hbDNNGetOutputTensorProperties(&found, model, 0),
              0);
    return found;
  }

  int32_t infer() { return hbDNNInferV2(&task_, &output_, &input_, model_); }
  int32_t submit(int32_t priority = 0, int64_t custom_id = 0,
                 uint64_t backend = HB_UCP_CORE_ANY) const {
    hbUCPSchedParam param{priority, custom_id, backend, 0};
    return hbUCPSubmitTask(task_, &param);
  }
  int32_t wait(int32_t timeout_ms = 10000) const { return hbUCPWaitTaskDone(task_, timeout_ms); }
  void release() {
    if (task_ != nullptr) {
      EXPECT_EQ(hbUCPReleaseTask(task_), 0);
    }
    task_ = nullptr;
  }

  [[nodiscard]] hbUCPTaskHandle_t task() const { return task_; }
  [[nodiscard]] hbDNNTensor& input() { return input_; }
  [[nodiscard]] hbDNNTensor& output() { return output_; }
  template <typename Number>
  [[nodiscard]] Number* in() const {
    return in_memory_.as<Number>();
  }
  template <typename Number>
  [[nodiscard]] const Number* out() const {
    return out_memory_.as<Number>();
  }

 private:
  hbDNNHandle_t model_;
  Memory in_memory_;
  Memory out_memory_;
  hbDNNTensor input_;
  hbDNNTensor output_;
  hbUCPTaskHandle_t task_ = nullptr;
};

// Tests that compute need ONNX Runtime; CMake names the one of the Python environment.
class WithEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("HBM_SIM_ENGINE") == nullptr) {
      GTEST_SKIP() << "HBM_SIM_ENGINE does not name ONNX Runtime's library "
                      "(the Python package onnxruntime was not found when the tests were built)";
    }
  }
};

}  // namespace hbm::test
