// SPDX-License-Identifier: Apache-2.0
// Slots for tasks: the limit is met by waiting, by priority and age, and every wait has an end.
#include "core/scheduling/admission.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/board/error.hpp"

namespace hbm {
namespace {

using std::chrono::milliseconds;

SlotRequest request(std::size_t count = 1, int32_t priority = 0, int64_t custom_id = 0) {
  SlotRequest made;
  made.count = count;
  made.priority = priority;
  made.custom_id = custom_id;
  return made;
}

// Notes in which order waiters are granted.
class Noted final : public Admission::Waiter {
 public:
  Noted(const SlotRequest& wanted, int number, std::vector<int>& order)
      : Waiter(wanted), number_(number), order_(order) {}
  void granted() noexcept override { order_.push_back(number_); }

 private:
  int number_;
  std::vector<int>& order_;
};

TEST(Admission, EndsTheWaitAtTheDeadline) {
  Admission admission(2);
  const TaskSlot all = admission.enter(request(2), Deadline());
  try {
    static_cast<void>(admission.enter(request(), Deadline(milliseconds(5))));
    FAIL() << "a slot was given that was not free";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTimeout);
  }
  EXPECT_EQ(admission.waiting(), 0U);
}

TEST(Admission, WakesAWaiterWhenAPlaceIsFree) {
  Admission admission(1);
  std::atomic<bool> got{false};
  TaskSlot only = admission.enter(request(), Deadline());
  std::thread waiter([&] {
    const TaskSlot slot = admission.enter(request(), Deadline());
    got = true;
  });
  EXPECT_FALSE(got);
  only.leave();
  waiter.join();
  EXPECT_TRUE(got);
  EXPECT_EQ(admission.used(), 0U);
}

TEST(Admission, LetsTheCallerEndALongWait) {
  struct Interrupted {};
  Admission admission(1);
  const TaskSlot all = admission.enter(request(), Deadline());
  const Deadline deadline(std::nullopt, [] { throw Interrupted(); });
  EXPECT_THROW(static_cast<void>(admission.enter(request(), deadline)), Interrupted);
  EXPECT_EQ(admission.waiting(), 0U);
}

TEST(Admission, GrantsByPriorityThenCustomIdThenArrival) {
  Admission admission(1);
  TaskSlot only = admission.enter(request(), Deadline());
  std::vector<int> order;
  Noted late(request(1, 5, 0), 3, order);
  Noted later(request(1, 5, 0), 4, order);
  Noted small(request(1, 5, -1), 2, order);
  Noted high(request(1, 9, 7), 1, order);
  for (Noted* waiter : {&late, &later, &small, &high}) EXPECT_FALSE(admission.enter(*waiter));
  only.leave();
  for (Noted* waiter : {&high, &small, &late, &later}) {
    const TaskSlot slot = admission.take_slot(*waiter);
    EXPECT_TRUE(slot);
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(Admission, GivesEachOfSeveralPlacesBackOnItsOwn) {
  Admission admission(3);
  TaskSlot both = admission.enter(request(2), Deadline());
  {
    const TaskSlot one = both.take_one();
    EXPECT_EQ(admission.used(), 2U);
  }
  EXPECT_EQ(admission.used(), 1U);
  both.leave();
  EXPECT_EQ(admission.used(), 0U);
}

TEST(Admission, ARequestThatWithdrawsLeavesNothing) {
  Admission admission(1);
  TaskSlot only = admission.enter(request(), Deadline());
  std::vector<int> order;
  Noted waiter(request(), 1, order);
  EXPECT_FALSE(admission.enter(waiter));
  only.leave();
  admission.withdraw(waiter);
  EXPECT_EQ(admission.used(), 0U);
}

TEST(Ageing, HoldsATaskBackWhileAllCoresAreBusy) {
  Admission admission(32);
  TaskSlot busy = admission.enter(request(1, 200), Deadline());
  SlotRequest patient = request();
  patient.max_wait = std::chrono::hours(1);
  std::vector<int> order;
  Noted waiter(patient, 1, order);
  EXPECT_FALSE(admission.enter(waiter));
  EXPECT_TRUE(order.empty());
  const TaskSlot high = admission.enter(request(1, 200), Deadline(milliseconds(100)));
  EXPECT_TRUE(high) << "who is held back must hold back nobody";
  busy.leave();
  EXPECT_TRUE(order.empty()) << "the core is still busy";
  admission.withdraw(waiter);
}

TEST(Ageing, PutsATaskFirstOnceItsTimeIsOver) {
  Admission admission(32);
  const TaskSlot busy = admission.enter(request(1, 200), Deadline());
  SlotRequest patient = request();
  patient.max_wait = milliseconds(1);
  TaskSlot slot = admission.enter(patient, Deadline(std::chrono::seconds(30)));
  hbUCPSchedParam sched{};
  slot.apply_to(sched);
  EXPECT_EQ(sched.priority, 200) << "as high as the highest that is with the accelerator";
  EXPECT_EQ(sched.customId, INT64_MIN) << "and before its equals";
}

TEST(Ageing, ChangesNothingWhileACoreIsFree) {
  Admission admission(32);
  SlotRequest patient = request(1, 3, 4);
  patient.max_wait = std::chrono::hours(1);
  const TaskSlot slot = admission.enter(patient, Deadline(milliseconds(100)));
  hbUCPSchedParam sched{};
  slot.apply_to(sched);
  EXPECT_EQ(sched.priority, 0);
}

}  // namespace
}  // namespace hbm
