// SPDX-License-Identifier: Apache-2.0
// Scheduling parameters are checked against the chip and become the ABI's mask.
#include "core/scheduling.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace hbm {
namespace {

TEST(CheckSchedParam, AcceptsTheWholeRangeOfPriorities) {
  for (const int priority : {0, 255}) {
    EXPECT_NO_THROW(check_sched_param({priority, 0, {kAnyCore}, 0}, 1, "m"));
  }
}

TEST(CheckSchedParam, RefusesPrioritiesOutsideIt) {
  for (const int priority : {-1, 256}) {
    EXPECT_THROW(check_sched_param({priority, 0, {kAnyCore}, 0}, 1, "m"), Error);
  }
}

TEST(CheckSchedParam, NamesTheCoresOfTheChip) {
  try {
    check_sched_param({0, 0, {0, 9}, 0}, 4, "detector");
    FAIL() << "core 9 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(error.model(), "detector");
    EXPECT_NE(std::string(error.what()).find("cores 0, 1, 2, 3"), std::string::npos);
  }
}

TEST(CheckSchedParam, RefusesCoreOneOnAChipWithOneCore) {
  EXPECT_THROW(check_sched_param({0, 0, {1}, 0}, 1, "m"), Error);
}

TEST(ToAbi, TurnsCoresIntoAMask) {
  EXPECT_EQ(to_abi({7, -3, {0, 2}, 0}).backend, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_2);
  EXPECT_EQ(to_abi({7, -3, {0, 2}, 0}).priority, 7);
  EXPECT_EQ(to_abi({7, -3, {0, 2}, 0}).customId, -3);
}

TEST(ToAbi, LeavesTheChoiceToTheSchedulerForNoneAndMinusOne) {
  EXPECT_EQ(to_abi({0, 0, {}, 0}).backend, HB_UCP_BPU_CORE_ANY);
  EXPECT_EQ(to_abi({0, 0, {kAnyCore}, 0}).backend, HB_UCP_BPU_CORE_ANY);
}

}  // namespace
}  // namespace hbm
