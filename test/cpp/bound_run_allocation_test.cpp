// SPDX-License-Identifier: Apache-2.0
// A bound run allocates nothing after its first calls, in any thread or library.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "allocation_count.hpp"
#include "core/run/runtime.hpp"
#include "core/scheduling/scheduling.hpp"
#include "core/tensors/layout.hpp"

namespace {

using hbm::test::allocation_count;

constexpr int kWarmUp = 10;
constexpr int kRuns = 10'000;

class BoundRun : public ::testing::Test {
 protected:
  BoundRun()
      : library_(hbm::Library::open(HBM_NULL_BACKEND_DIR)),
        runtime_(library_),
        files_(hbm::load_files(library_, {"any.hbm"})) {
    call_.model = files_.models.front();
    call_.record = std::make_shared<const hbm::ModelRecord>(runtime_.sinks(), "null");
    call_.sched = hbm::to_abi(hbm::SchedParam{}, library_->core_count(), "null", 1);
    call_.use = std::make_shared<hbm::BindingInUse>();
    float value = 3;
    for (const hbm::TensorInfo& input : call_.model->info().inputs) {
      const hbm::Layout layout = hbm::input_layout(input, input.shape);
      hbm::InputView view;
      view.device = runtime_.pool().acquire_apart(layout.byte_size);
      view.data = view.device->data();
      view.data_type = input.data_type;
      view.shape = layout.shape;
      view.strides = layout.strides;
      std::memcpy(view.device->data(), &value, sizeof(value));
      call_.inputs.push_back(std::move(view));
      value += 1;
    }
    for (const hbm::TensorInfo& output : call_.model->info().outputs) {
      const hbm::Layout layout = hbm::output_layout(output, "null");
      call_.outputs.push_back(runtime_.pool().acquire_apart(layout.byte_size));
    }
  }

  void run() {
    const hbm::Deadline deadline(std::chrono::seconds(10), [] {});
    runtime_.run_in_place(call_, deadline, result_);
  }

  [[nodiscard]] float output(std::size_t index) const {
    float value = 0;
    std::memcpy(&value, call_.outputs.at(index)->data(), sizeof(value));
    return value;
  }

  std::shared_ptr<const hbm::Library> library_;
  hbm::Runtime runtime_;
  hbm::LoadedFiles files_;
  hbm::ModelCall call_;
  hbm::RunResult result_;
};

TEST_F(BoundRun, GivesTheOutputs) {
  run();
  EXPECT_EQ(output(0), 3.0F);
  EXPECT_EQ(output(1), 4.0F);
  EXPECT_EQ(output(2), 7.0F);
}

// `make bench` reads the properties.
TEST_F(BoundRun, AllocatesNothing) {
  if (!hbm::test::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the heap";
  for (int count = 0; count < kWarmUp; ++count) run();
  const uint64_t before = allocation_count();
  ASSERT_GT(before, 0u);
  for (int count = 0; count < kRuns; ++count) run();
  const uint64_t allocations = allocation_count() - before;
  RecordProperty("runs", kRuns);
  RecordProperty("allocations", static_cast<int>(allocations));
  EXPECT_EQ(allocations, 0u);
}

// What the count is worth: a run with buffers from the pool does allocate.
TEST_F(BoundRun, IsToldApartFromOneThatAllocates) {
  if (!hbm::test::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the heap";
  call_.outputs.clear();
  call_.use.reset();
  for (int count = 0; count < kWarmUp; ++count)
    static_cast<void>(runtime_.run({call_}, hbm::Deadline()));
  const uint64_t before = allocation_count();
  static_cast<void>(runtime_.run({call_}, hbm::Deadline()));
  EXPECT_GT(allocation_count(), before);
}

}  // namespace
