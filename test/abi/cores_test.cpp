// SPDX-License-Identifier: Apache-2.0
// Several simulated cores: tasks run side by side, and each only where its mask allows.
#include <chrono>
#include <set>

#include "fixture.hpp"

namespace hbm::test {
namespace {

// Before the first call into the simulator, which reads it once.
const int four_cores = ::setenv("HBM_SIM_CORES", "4", 1);

using Clock = std::chrono::steady_clock;
constexpr uint64_t kLatencyUs = 100'000;
const std::vector<uint64_t> kEach = {HB_UCP_BPU_CORE_0, HB_UCP_BPU_CORE_1, HB_UCP_BPU_CORE_2,
                                     HB_UCP_BPU_CORE_3};

class Cores : public WithEngine {
 protected:
  // Seconds until four tasks of 0.1 s with the given masks are done.
  static double run_four(const std::vector<uint64_t>& backends) {
    const Packed packed({doubling_model({1, 4}, kLatencyUs)});
    std::vector<std::unique_ptr<Call>> calls;
    const auto start = Clock::now();
    for (const uint64_t backend : backends) {
      calls.push_back(std::make_unique<Call>(packed.model("doubling")));
      EXPECT_EQ(calls.back()->infer(), 0);
      EXPECT_EQ(calls.back()->submit(0, 0, backend), 0);
    }
    for (const auto& call : calls) EXPECT_EQ(call->wait(), 0);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  // Four tasks of a minute with the given masks keep all cores but these, which run a quick one.
  static void expect_idle(const std::vector<uint64_t>& backends, const std::set<int>& idle) {
    const Packed packed(
        {doubling_model({1, 4}, 60'000'000, "long"), doubling_model({1, 4}, 0, "quick")});
    std::vector<std::unique_ptr<Call>> calls;
    for (const uint64_t backend : backends) {
      calls.push_back(std::make_unique<Call>(packed.model("long")));
      EXPECT_EQ(calls.back()->infer(), 0);
      EXPECT_EQ(calls.back()->submit(0, 0, backend), 0);
    }
    for (int core = 0; core < 4; ++core) {
      Call quick(packed.model("quick"));
      EXPECT_EQ(quick.infer(), 0);
      EXPECT_EQ(quick.submit(0, 0, kEach[static_cast<std::size_t>(core)]), 0);
      if (idle.count(core) != 0) {
        EXPECT_EQ(quick.wait(), 0) << core;
      } else {
        EXPECT_EQ(quick.wait(100), HB_UCP_TASK_TIMEOUT) << core;
      }
    }
  }
};

TEST_F(Cores, RunSideBySide) {
  ASSERT_EQ(four_cores, 0);
  const std::vector<uint64_t> any(4, HB_UCP_BPU_CORE_ANY);
  const std::vector<uint64_t> same(4, HB_UCP_BPU_CORE_2);
  EXPECT_GE(run_four(same), 0.4) << "one core runs one task at a time";
  expect_idle(any, {});
  expect_idle(same, {0, 1, 3});
}

TEST_F(Cores, AreChosenByTheMask) {
  const std::vector<uint64_t> two(4, HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_3);
  EXPECT_GE(run_four(two), 0.2);
  expect_idle(kEach, {});
  expect_idle(two, {0, 2});
}

TinyModel model_of_cores(uint32_t count) {
  TinyModel model = doubling_model({1, 4}, kLatencyUs, "wide");
  model.core_count = count;
  return model;
}

TEST_F(Cores, OfAModelForSeveralMustBeNamedAllAndNoMore) {
  const Packed packed({model_of_cores(2), doubling_model()});
  const hbDNNHandle_t model = packed.model("wide");
  int32_t count = 0;
  ASSERT_EQ(hbDNNGetCompileBpuCoreNum(&count, model), 0);
  EXPECT_EQ(count, 2);
  Call call(model);
  ASSERT_EQ(call.infer(), 0);
  for (const uint64_t backend :
       {uint64_t{HB_UCP_CORE_ANY}, uint64_t{HB_UCP_BPU_CORE_ANY}, uint64_t{HB_UCP_BPU_CORE_0},
        uint64_t{HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_2},
        uint64_t{HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_ANY}}) {
    EXPECT_EQ(call.submit(0, 0, backend), HB_UCP_INVALID_ARGUMENT) << backend;
  }
  EXPECT_EQ(call.submit(0, 0, HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_3), 0) << "any two";
  EXPECT_EQ(call.wait(), 0);

  EXPECT_EQ(hbDNNInferV2(nullptr, &call.output(), &call.input(), model), HB_UCP_INVALID_ARGUMENT)
      << "no synchronous mode";
  Call single(packed.model("doubling"));
  ASSERT_EQ(single.infer(), 0);
  hbUCPTaskHandle_t task = single.task();
  EXPECT_EQ(hbDNNInferV2(&task, &call.output(), &call.input(), model), HB_UCP_INVALID_ARGUMENT)
      << "no second sub-task";
}

TEST_F(Cores, AreAllTakenByAModelForSeveral) {
  const Packed packed({model_of_cores(2), doubling_model({1, 4}, kLatencyUs)});
  Call wide(packed.model("wide"));
  Call on_its_core(packed.model("doubling"));
  Call beside(packed.model("doubling"));
  for (Call* call : {&wide, &on_its_core, &beside}) ASSERT_EQ(call->infer(), 0);
  const auto start = Clock::now();
  ASSERT_EQ(wide.submit(0, 0, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1), 0);
  ASSERT_EQ(on_its_core.submit(0, 0, HB_UCP_BPU_CORE_1), 0);
  ASSERT_EQ(beside.submit(0, 0, HB_UCP_BPU_CORE_2), 0);
  EXPECT_EQ(on_its_core.wait(50), HB_UCP_TASK_TIMEOUT);
  EXPECT_EQ(wide.wait(), 0);
  EXPECT_EQ(beside.wait(), 0);
  EXPECT_EQ(on_its_core.wait(), 0);
  EXPECT_GE(Clock::now() - start, std::chrono::microseconds(2 * kLatencyUs));
}

TEST_F(Cores, AreNotKeptFromAModelForSeveralByAStreamOfOthers) {
  TinyModel single = doubling_model({1, 4}, 2000);
  const Packed packed({model_of_cores(4), single});
  Call wide(packed.model("wide"));
  ASSERT_EQ(wide.infer(), 0);
  std::vector<std::unique_ptr<Call>> stream;
  const auto send = [&] {
    stream.push_back(std::make_unique<Call>(packed.model("doubling")));
    ASSERT_EQ(stream.back()->infer(), 0);
    ASSERT_EQ(stream.back()->submit(), 0);
  };
  for (int index = 0; index < 16; ++index) send();
  ASSERT_EQ(wide.submit(0, 0, 0xF), 0);
  int sent_meanwhile = 0;
  // All cores have work for ever, if those that come later are let through.
  while (wide.wait(1) == HB_UCP_TASK_TIMEOUT && sent_meanwhile < 2000) {
    while (stream.size() > 24) {
      ASSERT_EQ(stream.front()->wait(), 0);
      stream.erase(stream.begin());
    }
    send();
    ++sent_meanwhile;
  }
  EXPECT_LT(sent_meanwhile, 2000);
}

}  // namespace
}  // namespace hbm::test
