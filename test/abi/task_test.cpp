// SPDX-License-Identifier: Apache-2.0
// The life of a task through the ABI: create, submit, wait, call back, release, and each misuse.
#include <atomic>
#include <chrono>
#include <thread>

#include "fixture.hpp"

namespace hbm::test {
namespace {

constexpr uint64_t kLongUs = 10'000'000;  // never waited for

class Tasks : public WithEngine {};

void expect_doubled(Call& call) {
  for (int index = 0; index < 4; ++index) {
    EXPECT_EQ(call.out<float>()[index], 2 * call.in<float>()[index]);
  }
}

TEST_F(Tasks, ComputeTheModel) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  for (int index = 0; index < 4; ++index) call.in<float>()[index] = static_cast<float>(index);
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  expect_doubled(call);
}

TEST_F(Tasks, RunAtOnceWithoutAHandle) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  call.in<float>()[3] = 7;
  ASSERT_EQ(hbDNNInferV2(nullptr, &call.output(), &call.input(), packed.model("doubling")), 0);
  EXPECT_EQ(call.out<float>()[3], 14);
}

TEST_F(Tasks, HoldSeveralSubTasks) {
  const Packed packed({doubling_model()});
  const hbDNNHandle_t model = packed.model("doubling");
  Call first(model);
  Call second(model);
  first.in<float>()[0] = 1;
  second.in<float>()[0] = 2;
  ASSERT_EQ(first.infer(), 0);
  hbUCPTaskHandle_t task = first.task();
  ASSERT_EQ(hbDNNInferV2(&task, &second.output(), &second.input(), model), 0);
  EXPECT_EQ(task, first.task());
  ASSERT_EQ(first.submit(), 0);
  ASSERT_EQ(first.wait(), 0);
  EXPECT_EQ(first.out<float>()[0], 2);
  EXPECT_EQ(second.out<float>()[0], 4);
  hbDNNTensorProperties properties{};
  EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, task, 1, 0), 0);
  EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, task, 2, 0),
            HB_UCP_TASK_HANDLE_INVALID);
}

TEST_F(Tasks, TimeOutAndGoOn) {
  const Packed packed({doubling_model({1, 4}, 100'000)});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(call.wait(1), HB_UCP_TASK_TIMEOUT);
  EXPECT_EQ(call.wait(0), HB_UCP_SUCCESS) << "0 waits for ever";
}

TEST_F(Tasks, AreUsedOnce) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  EXPECT_EQ(call.wait(1), HB_UCP_TASK_HANDLE_INVALID) << "not submitted yet";
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(call.submit(), HB_UCP_API_USE_ERROR);
  ASSERT_EQ(call.wait(), 0);
  EXPECT_EQ(call.submit(), HB_UCP_API_USE_ERROR);
  EXPECT_EQ(call.infer(), HB_UCP_TASK_HANDLE_INVALID) << "nothing can be appended any more";
}

TEST_F(Tasks, CanBeSubmittedAgainAfterABadParameter) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  EXPECT_EQ(hbUCPSubmitTask(call.task(), nullptr), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(call.submit(-1), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(call.submit(256), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(call.submit(0, 0, 1ULL << 8U), HB_UCP_INVALID_ARGUMENT) << "a DSP";
  EXPECT_EQ(call.submit(255, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_SUCCESS);
  EXPECT_EQ(call.wait(), 0);
}

TEST_F(Tasks, AreCancelledByTheirRelease) {
  const Packed packed({doubling_model({1, 4}, kLongUs)});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const hbUCPTaskHandle_t task = call.task();
  call.release();  // returns long before the latency is over, or this test times out
  EXPECT_EQ(hbUCPWaitTaskDone(task, 1), HB_UCP_TASK_HANDLE_INVALID);
  EXPECT_EQ(hbUCPReleaseTask(task), HB_UCP_TASK_HANDLE_INVALID);
}

TEST_F(Tasks, WakeTheirWaiterWhenCancelled) {
  const Packed packed({doubling_model({1, 4}, kLongUs)});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  std::atomic<int32_t> status{0};
  std::thread waiter([&, task = call.task()] { status = hbUCPWaitTaskDone(task, 0); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  call.release();
  waiter.join();
  EXPECT_EQ(status, HB_UCP_TASK_RUN_FAILED);
}

// Boards wake one waiter of a task; a program that has two is told so here.
TEST_F(Tasks, HaveOneWaiterAtATime) {
  const Packed packed({doubling_model({1, 4}, 200'000)});
  Call call(packed.model("doubling"));
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(call.wait(1), HB_UCP_TASK_TIMEOUT);
  std::thread first([&] { EXPECT_EQ(call.wait(0), 0) << "one after another is fine"; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(call.wait(0), HB_UCP_API_USE_ERROR);
  first.join();
  EXPECT_EQ(call.wait(0), 0) << "and so is one who comes later";
}

struct Other {
  hbUCPTaskHandle_t unfinished;
  std::atomic<int32_t> own_status{1};
  std::atomic<int32_t> other_status{1};
};

void wait_in_callback(hbUCPTaskHandle_t task, int32_t, void* user_data) {
  auto* other = static_cast<Other*>(user_data);
  other->own_status = hbUCPWaitTaskDone(task, 0);
  other->other_status = hbUCPWaitTaskDone(other->unfinished, 0);
}

TEST_F(Tasks, MustNotBeWaitedForInACallback) {
  const Packed packed({doubling_model(), doubling_model({1, 4}, kLongUs, "long")});
  Call call(packed.model("doubling"));
  Call unfinished(packed.model("long"));
  ASSERT_EQ(unfinished.infer(), 0);
  ASSERT_EQ(unfinished.submit(), 0);
  Other other{unfinished.task()};
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(hbUCPSetTaskDoneCb(call.task(), &wait_in_callback, &other), 0);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (other.other_status == 1 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(other.own_status, 0) << "it is done already";
  EXPECT_EQ(other.other_status, HB_UCP_API_USE_ERROR) << "the core would wait for itself";
}

TEST_F(Tasks, AreLimitedInNumber) {
  const Packed packed({doubling_model()});
  const hbDNNHandle_t model = packed.model("doubling");
  std::vector<std::unique_ptr<Call>> calls;
  for (int index = 0; index < 32; ++index) {
    calls.push_back(std::make_unique<Call>(model));
    ASSERT_EQ(calls.back()->infer(), 0) << index;
  }
  Call one_too_many(model);
  EXPECT_EQ(one_too_many.infer(), HB_UCP_TASK_NUMBER_EXCEED_LIMIT);
  calls.pop_back();
  EXPECT_EQ(one_too_many.infer(), 0);
}

struct CallbackRecord {
  std::atomic<int> calls{0};
  std::atomic<int32_t> status{1};
  std::atomic<hbUCPTaskHandle_t> task{nullptr};
};

void record_callback(hbUCPTaskHandle_t task, int32_t status, void* user_data) {
  auto* record = static_cast<CallbackRecord*>(user_data);
  record->task = task;
  record->status = status;
  ++record->calls;
}

TEST_F(Tasks, CallBackOnce) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  CallbackRecord record;
  ASSERT_EQ(call.infer(), 0);
  EXPECT_EQ(hbUCPSetTaskDoneCb(call.task(), nullptr, nullptr), HB_UCP_INVALID_ARGUMENT);
  ASSERT_EQ(hbUCPSetTaskDoneCb(call.task(), &record_callback, &record), 0);
  ASSERT_EQ(call.submit(), 0);
  EXPECT_EQ(hbUCPSetTaskDoneCb(call.task(), &record_callback, &record), HB_UCP_TASK_HANDLE_INVALID);
  const hbUCPTaskHandle_t task = call.task();
  ASSERT_EQ(call.wait(), 0);
  call.release();  // waits until the callback returned
  EXPECT_EQ(record.calls, 1);
  EXPECT_EQ(record.status, 0);
  EXPECT_EQ(record.task, task);
}

void release_in_callback(hbUCPTaskHandle_t task, int32_t, void* user_data) {
  static_cast<CallbackRecord*>(user_data)->status = hbUCPReleaseTask(task);
  ++static_cast<CallbackRecord*>(user_data)->calls;
}

TEST_F(Tasks, MayBeReleasedInTheirOwnCallback) {
  const Packed packed({doubling_model()});
  const hbDNNHandle_t model = packed.model("doubling");
  hbDNNTensor input{};
  hbDNNTensor output{};
  const Memory in(64);
  const Memory out(64);
  input = {in.get(), Call::properties(model, true)};
  output = {out.get(), Call::properties(model, false)};
  CallbackRecord record;
  hbUCPTaskHandle_t task = nullptr;
  ASSERT_EQ(hbDNNInferV2(&task, &output, &input, model), 0);
  ASSERT_EQ(hbUCPSetTaskDoneCb(task, &release_in_callback, &record), 0);
  hbUCPSchedParam param{};
  ASSERT_EQ(hbUCPSubmitTask(task, &param), 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (record.calls == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(record.calls, 1);
  EXPECT_EQ(record.status, 0);
}

TEST_F(Tasks, TellTheirOutputsOnlyOnceDone) {
  const Packed packed({doubling_model()});
  Call call(packed.model("doubling"));
  hbDNNTensorProperties properties{};
  ASSERT_EQ(call.infer(), 0);
  EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, call.task(), 0, 0),
            HB_UCP_TASK_HANDLE_INVALID);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, call.task(), 0, 0), 0);
  EXPECT_EQ(properties.validShape.dimensionSize[1], 4);
  EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(nullptr, call.task(), 0, 0),
            HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, call.task(), 0, 1),
            HB_UCP_INVALID_ARGUMENT);
}

TEST(TaskHandles, ThatAreNotOursAreRefused) {
  hbUCPSchedParam param{};
  int on_the_stack = 0;
  for (void* task : {static_cast<void*>(nullptr), static_cast<void*>(&on_the_stack)}) {
    EXPECT_EQ(hbUCPSubmitTask(task, &param), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPWaitTaskDone(task, 1), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPReleaseTask(task), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPSetTaskDoneCb(task, &record_callback, nullptr), HB_UCP_TASK_HANDLE_INVALID);
  }
}

}  // namespace
}  // namespace hbm::test
