// SPDX-License-Identifier: Apache-2.0
// The null backend is a library of the ABI like any other, and costs no allocation per call.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "allocation_count.hpp"
#include "core/board/error.hpp"
#include "core/board/library.hpp"
#include "core/run/loaded_model.hpp"
#include "core/scheduling/scheduling.hpp"

namespace {

using hbm::Library;
using hbm::PackedModels;

// Each variable is read once by a library: a copy of the pair reads it anew.
class NullBackend : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("null_backend_" + std::to_string(std::random_device{}()));
    std::filesystem::copy(HBM_NULL_BACKEND_DIR, folder_);
  }

  void TearDown() override {
    for (const char* name : {"HBM_NULL_CALLBACK", "HBM_NULL_ELEMENTS", "HBM_NULL_SOC_NAME"}) {
      ::unsetenv(name);
    }
    std::filesystem::remove_all(folder_);
  }

  std::shared_ptr<const Library> open() { return Library::open(folder_.string()); }

  std::filesystem::path folder_;
};

// Memory and a task for the model "null".
class NullRun {
 public:
  explicit NullRun(std::shared_ptr<const Library> library)
      : library_(std::move(library)), packed_(library_, {"any.hbm"}) {
    const hbm::ModelInfo& model = packed_.models().front();
    for (std::size_t index = 0; index < inputs_.size(); ++index) {
      inputs_[index] = tensor(model.inputs.at(index));
      at(inputs_[index]) = static_cast<float>(index + 3);
    }
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
      outputs_[index] = tensor(model.outputs.at(index));
    }
  }
  NullRun(const NullRun&) = delete;
  NullRun& operator=(const NullRun&) = delete;
  ~NullRun() {
    for (hbDNNTensor& tensor : inputs_) library_->hbUCPFree(&tensor.sysMem);
    for (hbDNNTensor& tensor : outputs_) library_->hbUCPFree(&tensor.sysMem);
  }

  int32_t make(hbUCPTaskHandle_t* task) {
    *task = nullptr;
    return library_->hbDNNInferV2(task, outputs_.data(), inputs_.data(),
                                  packed_.models().front().handle);
  }
  int32_t submit(hbUCPTaskHandle_t task) {
    hbUCPSchedParam param{0, 0, HB_UCP_BPU_CORE_ANY, 0};
    return library_->hbUCPSubmitTask(task, &param);
  }
  float output(std::size_t index) { return at(outputs_.at(index)); }

 private:
  hbDNNTensor tensor(const hbm::TensorInfo& info) {
    hbDNNTensor made{{}, info.properties};
    const auto size = static_cast<uint64_t>(info.aligned_byte_size);
    EXPECT_EQ(library_->hbUCPMallocCached(&made.sysMem, size, 0), HB_UCP_SUCCESS);
    return made;
  }
  static float& at(hbDNNTensor& tensor) { return *static_cast<float*>(tensor.sysMem.virAddr); }

  std::shared_ptr<const Library> library_;
  PackedModels packed_;
  std::array<hbDNNTensor, 2> inputs_{};
  std::array<hbDNNTensor, 3> outputs_{};
};

TEST_F(NullBackend, IsNoSimulatorAndHasFourCores) {
  const auto library = open();
  EXPECT_FALSE(library->is_simulator());
  EXPECT_EQ(library->core_count(), 4);
}

TEST_F(NullBackend, HasTheCoresOfTheChipInTheNameOfItsBoard) {
  struct Board {
    const char* soc_name;
    int cores;
  };
  for (const Board& board :
       {Board{"D-Robotics RDK S100 V0P5", 1}, Board{"D-Robotics RDK S100P V1P0", 1},
        Board{"D-Robotics RDK S600 MCB V0p2", 4}, Board{"S100", 1}, Board{"S100P", 1},
        Board{"S600", 4}, Board{"S100P carrier for S600", 1}, Board{"S600 with an S100 slot", 4},
        Board{"D-Robotics RDK S700", hbm::kMostBpuCores}, Board{"", hbm::kMostBpuCores}}) {
    ::setenv("HBM_NULL_SOC_NAME", board.soc_name, 1);
    const auto library = open();
    EXPECT_EQ(library->soc_name(), board.soc_name);
    EXPECT_EQ(library->core_count(), board.cores) << board.soc_name;
  }
}

TEST_F(NullBackend, OfAnS100RefusesASecondCore) {
  ::setenv("HBM_NULL_SOC_NAME", "D-Robotics RDK S100 V0P5", 1);
  hbm::SchedParam param;
  param.bpu_cores = {0};
  EXPECT_EQ(to_abi(param, open()->core_count(), "null", 1).backend, HB_UCP_BPU_CORE_0);
  param.bpu_cores = {3};
  EXPECT_THROW(static_cast<void>(to_abi(param, open()->core_count(), "null", 1)), hbm::Error);
}

TEST_F(NullBackend, HasOneModelOfTwoInputsAndThreeOutputs) {
  const PackedModels packed(open(), {"any.hbm"});
  ASSERT_EQ(packed.models().size(), 1u);
  const hbm::ModelInfo& model = packed.models().front();
  EXPECT_EQ(model.name, "null");
  ASSERT_EQ(model.inputs.size(), 2u);
  ASSERT_EQ(model.outputs.size(), 3u);
  EXPECT_EQ(model.inputs[1].name, "b");
  EXPECT_EQ(model.outputs[2].name, "sum");
  EXPECT_EQ(model.inputs[0].shape, (hbm::Extents{1, 1}));
}

TEST_F(NullBackend, TakesItsSizeFromTheEnvironment) {
  ::setenv("HBM_NULL_ELEMENTS", "1000", 1);
  const PackedModels packed(open(), {"any.hbm"});
  EXPECT_EQ(packed.models().front().outputs[0].shape, (hbm::Extents{1, 1000}));
  EXPECT_EQ(packed.models().front().outputs[0].aligned_byte_size, 4000);
}

TEST_F(NullBackend, RefusesASizeOutOfBounds) {
  ::setenv("HBM_NULL_ELEMENTS", "999999999999", 1);
  hbDNNPackedHandle_t packed = nullptr;
  const char* file = "any.hbm";
  EXPECT_EQ(open()->hbDNNInitializeFromFiles(&packed, &file, 1), HB_UCP_INIT_FAILED);
}

TEST_F(NullBackend, IsDoneWhenSubmitted) {
  const auto library = open();
  NullRun run(library);
  hbUCPTaskHandle_t task = nullptr;
  ASSERT_EQ(run.make(&task), HB_UCP_SUCCESS);
  EXPECT_EQ(library->hbUCPWaitTaskDone(task, 1), HB_UCP_TASK_HANDLE_INVALID);
  ASSERT_EQ(run.submit(task), HB_UCP_SUCCESS);
  EXPECT_EQ(run.submit(task), HB_UCP_API_USE_ERROR);
  EXPECT_EQ(library->hbUCPWaitTaskDone(task, 1), HB_UCP_SUCCESS);
  EXPECT_EQ(run.output(0), 3.0F);
  EXPECT_EQ(run.output(1), 4.0F);
  EXPECT_EQ(run.output(2), 7.0F);
  hbDNNTensorProperties properties{};
  EXPECT_EQ(library->hbDNNGetTaskOutputTensorProperties(&properties, task, 0, 2), HB_UCP_SUCCESS);
  EXPECT_EQ(properties.alignedByteSize, 4);
  EXPECT_EQ(library->hbUCPReleaseTask(task), HB_UCP_SUCCESS);
  EXPECT_EQ(library->hbUCPReleaseTask(task), HB_UCP_TASK_HANDLE_INVALID);
}

TEST_F(NullBackend, CallsBackFromInsideSubmit) {
  const auto library = open();
  NullRun run(library);
  hbUCPTaskHandle_t task = nullptr;
  ASSERT_EQ(run.make(&task), HB_UCP_SUCCESS);
  std::thread::id where;
  const auto remember = [](hbUCPTaskHandle_t, int32_t, void* user_data) {
    *static_cast<std::thread::id*>(user_data) = std::this_thread::get_id();
  };
  ASSERT_EQ(library->hbUCPSetTaskDoneCb(task, remember, &where), HB_UCP_SUCCESS);
  ASSERT_EQ(run.submit(task), HB_UCP_SUCCESS);
  EXPECT_EQ(where, std::this_thread::get_id());
  EXPECT_EQ(library->hbUCPReleaseTask(task), HB_UCP_SUCCESS);
}

TEST_F(NullBackend, CallsBackFromAThreadWhenToldTo) {
  ::setenv("HBM_NULL_CALLBACK", "thread", 1);
  const auto library = open();
  NullRun run(library);
  for (int round = 0; round < 1000; ++round) {
    hbUCPTaskHandle_t task = nullptr;
    ASSERT_EQ(run.make(&task), HB_UCP_SUCCESS);
    std::thread::id where;
    const auto remember = [](hbUCPTaskHandle_t, int32_t, void* user_data) {
      *static_cast<std::thread::id*>(user_data) = std::this_thread::get_id();
    };
    ASSERT_EQ(library->hbUCPSetTaskDoneCb(task, remember, &where), HB_UCP_SUCCESS);
    ASSERT_EQ(run.submit(task), HB_UCP_SUCCESS);
    ASSERT_EQ(library->hbUCPReleaseTask(task), HB_UCP_SUCCESS);  // waits for the callback
    ASSERT_NE(where, std::this_thread::get_id());
    ASSERT_NE(where, std::thread::id());
  }
}

TEST_F(NullBackend, LetsACallbackReleaseItsTask) {
  ::setenv("HBM_NULL_CALLBACK", "thread", 1);
  struct Seen {
    std::shared_ptr<const Library> library;
    std::promise<int32_t> released;
  };
  const auto library = open();
  NullRun run(library);
  for (int round = 0; round < 1000; ++round) {
    hbUCPTaskHandle_t task = nullptr;
    ASSERT_EQ(run.make(&task), HB_UCP_SUCCESS);
    Seen seen{library, {}};
    const auto release = [](hbUCPTaskHandle_t done, int32_t, void* user_data) {
      auto* const to_tell = static_cast<Seen*>(user_data);
      to_tell->released.set_value(to_tell->library->hbUCPReleaseTask(done));
    };
    ASSERT_EQ(library->hbUCPSetTaskDoneCb(task, release, &seen), HB_UCP_SUCCESS);
    ASSERT_EQ(run.submit(task), HB_UCP_SUCCESS);
    auto released = seen.released.get_future();
    ASSERT_EQ(released.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    ASSERT_EQ(released.get(), HB_UCP_SUCCESS);
  }
}

TEST_F(NullBackend, SaysWhenItsTasksAreAllInUse) {
  const auto library = open();
  NullRun run(library);
  std::vector<hbUCPTaskHandle_t> tasks(1024);
  for (hbUCPTaskHandle_t& task : tasks) ASSERT_EQ(run.make(&task), HB_UCP_SUCCESS);
  hbUCPTaskHandle_t one_too_many = nullptr;
  EXPECT_EQ(run.make(&one_too_many), HB_UCP_TASK_NUMBER_EXCEED_LIMIT);
  for (hbUCPTaskHandle_t task : tasks) ASSERT_EQ(library->hbUCPReleaseTask(task), HB_UCP_SUCCESS);
  ASSERT_EQ(run.make(&one_too_many), HB_UCP_SUCCESS);
  EXPECT_EQ(library->hbUCPReleaseTask(one_too_many), HB_UCP_SUCCESS);
}

TEST_F(NullBackend, AllocatesNothingPerTask) {
  if (!hbm::test::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the heap";
  const auto library = open();
  NullRun run(library);
  const auto once = [&] {
    hbUCPTaskHandle_t task = nullptr;
    const bool good = run.make(&task) == 0 && run.submit(task) == 0 &&
                      library->hbUCPWaitTaskDone(task, 1) == 0 &&
                      library->hbUCPReleaseTask(task) == 0;
    return good;
  };
  ASSERT_TRUE(once());
  const uint64_t before = hbm::test::allocation_count();
  ASSERT_GT(before, 0u);
  bool good = true;
  for (int round = 0; round < 1000; ++round) good = once() && good;
  EXPECT_EQ(hbm::test::allocation_count(), before);
  EXPECT_TRUE(good);
  hbUCPSysMem memory{};  // what does allocate is seen, inside the library too
  ASSERT_EQ(library->hbUCPMallocCached(&memory, 64, 0), HB_UCP_SUCCESS);
  EXPECT_GT(hbm::test::allocation_count(), before);
  EXPECT_EQ(library->hbUCPFree(&memory), HB_UCP_SUCCESS);
}

}  // namespace
