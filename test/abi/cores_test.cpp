// SPDX-License-Identifier: Apache-2.0
// Several simulated cores: tasks run side by side, and each only where its mask allows.
#include <chrono>

#include "fixture.hpp"

namespace hbm::test {
namespace {

// Before the first call into the simulator, which reads it once.
const int four_cores = ::setenv("HBM_SIM_CORES", "4", 1);

using Clock = std::chrono::steady_clock;
constexpr uint64_t kLatencyUs = 100'000;

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
};

TEST_F(Cores, RunSideBySide) {
  ASSERT_EQ(four_cores, 0);
  const std::vector<uint64_t> any(4, HB_UCP_BPU_CORE_ANY);
  const std::vector<uint64_t> same(4, HB_UCP_BPU_CORE_2);
  const double parallel = run_four(any);
  const double serial = run_four(same);
  EXPECT_GE(serial, 0.4) << "one core runs one task at a time";
  EXPECT_LT(parallel, 0.75 * serial);
}

TEST_F(Cores, AreChosenByTheMask) {
  const std::vector<uint64_t> each = {HB_UCP_BPU_CORE_0, HB_UCP_BPU_CORE_1, HB_UCP_BPU_CORE_2,
                                      HB_UCP_BPU_CORE_3};
  const std::vector<uint64_t> two(4, HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_3);
  const double on_four = run_four(each);
  const double on_two = run_four(two);
  EXPECT_GE(on_two, 0.2);
  EXPECT_LT(on_four, on_two);
}

}  // namespace
}  // namespace hbm::test
