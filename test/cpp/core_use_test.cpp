// SPDX-License-Identifier: Apache-2.0
// Core use is what this process knows: tasks in flight, and the cores that they may use.
#include "core/telemetry/core_use.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace hbm {
namespace {

using Times = std::vector<int64_t>;

TEST(CoreUse, OccupiesAtMostAsManyCoresAsThereAre) {
  CoreUse use(2, 1'000);
  use.started(0, 1'100);
  use.started(0, 1'200);
  use.started(0, 1'300);  // waits in the accelerator's queue
  use.ended(0, 1'400);
  use.ended(0, 1'500);
  use.ended(0, 1'600);
  const CoreUse::Snapshot snapshot = use.snapshot(2'000);
  EXPECT_EQ(snapshot.elapsed_ns, 1'000);
  EXPECT_EQ(snapshot.occupied_ns, 100 * (1 + 2 + 2 + 2 + 1));
  EXPECT_EQ(snapshot.pinned_ns, (Times{0, 0})) << "any core might have run them";
  EXPECT_EQ(snapshot.wanted_now, 0);
}

TEST(CoreUse, KnowsTheCoreOfATaskThatMayRunOnOneOnly) {
  CoreUse use(4, 0);
  use.started(0b0010, 10);
  use.started(0b0010, 20);  // behind the first: the core is not wanted twice
  use.started(0b1100, 20);  // one of two, nobody tells which
  use.ended(0b0010, 30);
  use.ended(0b0010, 40);
  use.ended(0b1100, 60);
  const CoreUse::Snapshot snapshot = use.snapshot(100);
  EXPECT_EQ(snapshot.pinned_ns, (Times{0, 30, 0, 0}));
  EXPECT_EQ(snapshot.occupied_ns, 10 * (1 + 3 + 2 + 1 + 1));
}

TEST(CoreUse, KnowsTheCoresOfAModelThatNeedsAllThatItMayUse) {
  CoreUse use(4, 0);
  use.started(0b0110, 0, 2);
  use.ended(0b0110, 50, 2);
  const CoreUse::Snapshot snapshot = use.snapshot(50);
  EXPECT_EQ(snapshot.pinned_ns, (Times{0, 50, 50, 0}));
  EXPECT_EQ(snapshot.occupied_ns, 100);
}

TEST(CoreUse, KnowsTheCoreOfAnyTaskOfAChipWithOne) {
  CoreUse use(1, 0);
  use.started(0, 0);
  EXPECT_EQ(use.snapshot(70).pinned_ns, (Times{70})) << "also while it still runs";
  EXPECT_EQ(use.snapshot(70).occupied_ns, 70);
  EXPECT_EQ(use.snapshot(70).wanted_now, 1);
}

TEST(CoreUse, StartsAfreshAtAResetWithTheTasksInFlight) {
  CoreUse use(2, 0);
  use.started(0b01, 0);
  use.reset(1'000);
  CoreUse::Snapshot snapshot = use.snapshot(1'100);
  EXPECT_EQ(snapshot.elapsed_ns, 100);
  EXPECT_EQ(snapshot.occupied_ns, 100);
  EXPECT_EQ(snapshot.pinned_ns, (Times{100, 0}));
  use.ended(0b01, 1'200);
  snapshot = use.snapshot(1'500);
  EXPECT_EQ(snapshot.occupied_ns, 200);
  EXPECT_EQ(snapshot.wanted_now, 0);
}

TEST(CoreUse, TakesClockReadingsThatOvertookEachOther) {
  CoreUse use(1, 0);
  use.started(0, 100);
  use.started(0, 90);  // read the clock before the other, came after it
  use.ended(0, 200);
  use.ended(0, 190);
  const CoreUse::Snapshot snapshot = use.snapshot(150);
  EXPECT_EQ(snapshot.occupied_ns, 100);
  EXPECT_EQ(snapshot.elapsed_ns, 200) << "never behind what was integrated";
}

TEST(CoreUse, BalancesAcrossThreads) {
  CoreUse use(4, 0);
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&use, thread] {
      for (int64_t time = 0; time < 20'000; time += 2) {
        use.started(1U << thread, time);
        if (time % 200 == 0) {
          EXPECT_GE(use.snapshot(time).wanted_now, 1);
        }
        use.ended(1U << thread, time + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const CoreUse::Snapshot snapshot = use.snapshot(20'000);
  EXPECT_EQ(snapshot.wanted_now, 0);
  EXPECT_GT(snapshot.occupied_ns, 0);
  EXPECT_LE(snapshot.occupied_ns, 4 * snapshot.elapsed_ns);
  for (const int64_t pinned : snapshot.pinned_ns) EXPECT_LE(pinned, snapshot.elapsed_ns);
}

}  // namespace
}  // namespace hbm
