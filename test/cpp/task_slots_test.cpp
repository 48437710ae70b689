// SPDX-License-Identifier: Apache-2.0
// The accelerator's limit of live tasks is met by waiting, and the wait has an end.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/error.hpp"
#include "core/task.hpp"

namespace hbm {
namespace {

using std::chrono::milliseconds;

TEST(TaskSlots, EndTheWaitAtTheDeadline) {
  TaskSlots slots(2);
  const TaskSlotLease all(slots, 2, Deadline());
  try {
    slots.acquire(1, Deadline(milliseconds(5)));
    FAIL() << "a slot was given that was not free";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTimeout);
  }
}

TEST(TaskSlots, WakeAWaiterWhenOneIsFreed) {
  TaskSlots slots(1);
  std::atomic<bool> got{false};
  slots.acquire(1, Deadline());
  std::thread waiter([&] {
    slots.acquire(1, Deadline());
    got = true;
    slots.release(1);
  });
  EXPECT_FALSE(got);
  slots.release(1);
  waiter.join();
  EXPECT_TRUE(got);
}

TEST(TaskSlots, LetTheCallerEndALongWait) {
  struct Interrupted {};
  TaskSlots slots(1);
  const TaskSlotLease all(slots, 1, Deadline());
  EXPECT_THROW(slots.acquire(1, Deadline(std::nullopt, [] { throw Interrupted(); })), Interrupted);
}

}  // namespace
}  // namespace hbm
