// SPDX-License-Identifier: Apache-2.0
// Scheduling parameters are checked against the chip and become the ABI's mask.
#include "core/scheduling/scheduling.hpp"

#include <gtest/gtest.h>

#include "core/board/error.hpp"

namespace hbm {
namespace {

hbUCPSchedParam on_chip(const SchedParam& param, int chip_cores = 4, int model_cores = 1) {
  return to_abi(param, chip_cores, "detector", model_cores);
}

TEST(SchedParam, AcceptsTheWholeRangeOfPriorities) {
  for (const int priority : {0, 255}) {
    EXPECT_EQ(on_chip({priority, 0, {kAnyCore}, 0}).priority, priority);
  }
}

TEST(SchedParam, RefusesPrioritiesOutsideIt) {
  for (const int priority : {-1, 256}) {
    EXPECT_THROW(static_cast<void>(on_chip({priority, 0, {kAnyCore}, 0})), Error);
  }
}

TEST(SchedParam, NamesTheCoresOfTheChip) {
  try {
    static_cast<void>(on_chip({0, 0, {0, 9}, 0}));
    FAIL() << "core 9 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(error.model(), "detector");
    EXPECT_NE(std::string(error.what()).find("cores 0, 1, 2, 3"), std::string::npos);
  }
}

TEST(SchedParam, RefusesCoreOneOnAChipWithOneCore) {
  EXPECT_THROW(static_cast<void>(on_chip({0, 0, {1}, 0}, 1)), Error);
}

TEST(SchedParam, TurnsCoresIntoAMask) {
  const hbUCPSchedParam abi = on_chip({7, -3, {0, 2}, 0});
  EXPECT_EQ(abi.backend, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_2);
  EXPECT_EQ(abi.priority, 7);
  EXPECT_EQ(abi.customId, -3);
}

TEST(SchedParam, LeavesTheChoiceToTheSchedulerForNoneAndMinusOne) {
  EXPECT_EQ(on_chip({0, 0, {}, 0}).backend, HB_UCP_BPU_CORE_ANY);
  EXPECT_EQ(on_chip({0, 0, {kAnyCore}, 0}).backend, HB_UCP_BPU_CORE_ANY);
}

TEST(SchedParam, NamesTheFirstCoresForAModelOfSeveral) {
  EXPECT_EQ(on_chip({}, 4, 2).backend, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_1);
}

TEST(SchedParam, WantsExactlyTheCoresThatAModelOfSeveralWasCompiledFor) {
  EXPECT_EQ(on_chip({0, 0, {1, 3}, 0}, 4, 2).backend, HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_3);
  for (const std::vector<int>& cores : {std::vector<int>{1}, {1, 1}, {0, 1, 2}}) {
    EXPECT_THROW(static_cast<void>(on_chip({0, 0, cores, 0}, 4, 2)), Error);
  }
}

}  // namespace
}  // namespace hbm
