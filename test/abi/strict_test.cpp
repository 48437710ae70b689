// SPDX-License-Identifier: Apache-2.0
// HBM_SIM_STRICT: a device that forgives nothing, and says what a program forgot.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fixture.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::test {
namespace {

// Before the first call into the simulator, which reads it once.
const int strict = ::setenv("HBM_SIM_STRICT", "1", 1) | ::setenv("HBM_SIM_CORES", "4", 1);

std::mutex lines_mutex;
std::string lines;

void keep_line(int, const char* text) {
  const std::lock_guard lock(lines_mutex);
  lines += text;
  lines += '\n';
}

class StrictMemory : public ::testing::Test {
 protected:
  StrictMemory() {
    EXPECT_EQ(strict, 0);
    lines.clear();
    hbSimSetLogSink(&keep_line);
  }
  ~StrictMemory() override { hbSimSetLogSink(nullptr); }

  // What was logged since the test began.
  static std::string log() {
    const std::lock_guard lock(lines_mutex);
    return lines;
  }

  static int32_t flush(const hbUCPSysMem& memory, int32_t flag) {
    return hbUCPMemFlush(&memory, flag);
  }
};

TEST_F(StrictMemory, HoldsNoZerosByChance) {
  for (const auto allocate : {&hbUCPMalloc, &hbUCPMallocCached}) {
    hbUCPSysMem memory{};
    ASSERT_EQ(allocate(&memory, 4096, 0), 0);
    const auto* bytes = static_cast<const unsigned char*>(memory.virAddr);
    EXPECT_TRUE(std::none_of(bytes, bytes + 4096, [](unsigned char byte) { return byte == 0; }));
    EXPECT_EQ(hbUCPFree(&memory), 0);
  }
}

TEST_F(StrictMemory, ReachesTheOtherSideInJustTheRangeThatIsFlushed) {
  const Memory memory(128);
  auto* bytes = memory.as<unsigned char>();
  std::fill(bytes, bytes + 128, 1);
  ASSERT_EQ(flush(memory.get(), HB_SYS_MEM_CACHE_CLEAN), 0);
  std::fill(bytes, bytes + 128, 2);
  hbUCPSysMem middle = memory.get();
  middle.virAddr = bytes + 32;
  middle.phyAddr += 32;
  middle.memSize = 64;
  ASSERT_EQ(flush(middle, HB_SYS_MEM_CACHE_CLEAN), 0);
  std::fill(bytes, bytes + 128, 3);
  ASSERT_EQ(flush(memory.get(), HB_SYS_MEM_CACHE_INVALIDATE), 0);
  EXPECT_EQ(std::count(bytes, bytes + 32, 1), 32);
  EXPECT_EQ(std::count(bytes + 32, bytes + 96, 2), 64);
  EXPECT_EQ(std::count(bytes + 96, bytes + 128, 1), 32);
}

TEST_F(StrictMemory, ShowsWhenAFreedBlockIsWrittenTo) {
  hbUCPSysMem memory{};
  ASSERT_EQ(hbUCPMallocCached(&memory, 4096, 0), 0);
  auto* bytes = static_cast<volatile unsigned char*>(memory.virAddr);
  ASSERT_EQ(hbUCPFree(&memory), 0);
  EXPECT_EQ(bytes[7], 0xFD) << "what was there is gone";
  bytes[7] = 1;
  // Kept until 64 MiB of other memory were freed.
  hbUCPSysMem large{};
  ASSERT_EQ(hbUCPMallocCached(&large, 64U << 20U, 0), 0);
  ASSERT_EQ(hbUCPFree(&large), 0);
  EXPECT_NE(log().find("was written to after it was freed, from byte 7 on"), std::string::npos)
      << log();
}

class StrictRun : public WithEngine {
 protected:
  StrictRun() : packed_({doubling_model({1, 4})}), model_(packed_.model("doubling")) {
    lines.clear();
    hbSimSetLogSink(&keep_line);
  }
  ~StrictRun() override { hbSimSetLogSink(nullptr); }

  static void fill(Call& call, float value) {
    std::fill(call.in<float>(), call.in<float>() + 4, value);
  }
  static void clean(Call& call) {
    ASSERT_EQ(hbUCPMemFlush(&call.input().sysMem, HB_SYS_MEM_CACHE_CLEAN), 0);
  }
  static void invalidate(Call& call) {
    ASSERT_EQ(hbUCPMemFlush(&call.output().sysMem, HB_SYS_MEM_CACHE_INVALIDATE), 0);
  }
  static void run(Call& call) {
    ASSERT_EQ(call.infer(), 0);
    ASSERT_EQ(call.submit(), 0);
    ASSERT_EQ(call.wait(), 0);
    call.release();
  }
  static std::string log() {
    const std::lock_guard lock(lines_mutex);
    return lines;
  }

  Packed packed_;
  hbDNNHandle_t model_;
};

TEST_F(StrictRun, IsRightWhereCleanAndInvalidateAre) {
  Call call(model_);
  for (const float value : {1.0F, 2.0F}) {
    fill(call, value);
    clean(call);
    run(call);
    invalidate(call);
    EXPECT_EQ(call.out<float>()[3], 2 * value);
  }
  EXPECT_EQ(log(), "");
}

TEST_F(StrictRun, ReadsTheOldInputAndNamesItWhenCleanIsMissing) {
  Call call(model_);
  fill(call, 1);
  clean(call);
  fill(call, 5);
  run(call);
  invalidate(call);
  EXPECT_EQ(call.out<float>()[0], 2.0F) << "of what was cleaned";
  EXPECT_NE(
      log().find("model 'doubling': input 'x': the CPU wrote to it after it was last cleaned"),
      std::string::npos)
      << log();
  EXPECT_NE(log().find("HB_SYS_MEM_CACHE_CLEAN"), std::string::npos) << log();
}

TEST_F(StrictRun, ShowsNothingOfTheOutputBeforeItIsInvalidated) {
  Call call(model_);
  fill(call, 1);
  clean(call);
  run(call);
  invalidate(call);
  ASSERT_EQ(call.out<float>()[0], 2.0F);
  run(call);
  EXPECT_NE(call.out<float>()[0], 2.0F) << "not even the same value of the run before";
  invalidate(call);
  EXPECT_EQ(call.out<float>()[0], 2.0F);
}

TEST_F(StrictRun, RefusesAnOffsetThatIsNotInBothAddresses) {
  Call call(model_);
  for (hbDNNTensor* tensor : {&call.input(), &call.output()}) {
    const hbUCPSysMem before = tensor->sysMem;
    tensor->sysMem.phyAddr += 64;
    EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
    tensor->sysMem = before;
  }
  EXPECT_NE(log().find("input 'x': phyAddr names another place than virAddr"), std::string::npos);
  EXPECT_NE(log().find("output 'y': phyAddr names another place than virAddr"), std::string::npos)
      << log();
}

TEST_F(StrictRun, TakesUncachedMemoryWithoutAnyFlush) {
  Call call(model_);
  hbUCPSysMem input{};
  hbUCPSysMem output{};
  ASSERT_EQ(hbUCPMalloc(&input, call.input().sysMem.memSize, 0), 0);
  ASSERT_EQ(hbUCPMalloc(&output, call.output().sysMem.memSize, 0), 0);
  call.input().sysMem = input;
  call.output().sysMem = output;
  std::fill_n(static_cast<float*>(input.virAddr), 4, 3.0F);
  run(call);
  EXPECT_EQ(static_cast<const float*>(output.virAddr)[2], 6.0F);
  EXPECT_EQ(log(), "");
  EXPECT_EQ(hbUCPFree(&input), 0);
  EXPECT_EQ(hbUCPFree(&output), 0);
}

TEST_F(StrictRun, DemandsTheAlignmentOfTheChip) {
  const Packed packed({doubling_model({1, 64})});
  Call call(packed.model("doubling"));
  call.input().sysMem.virAddr = call.in<std::byte>() + 32;
  call.input().sysMem.phyAddr += 32;
  EXPECT_EQ(call.infer(), HB_UCP_INVALID_ARGUMENT);
  EXPECT_NE(log().find("not aligned to 64 bytes"), std::string::npos) << log();
}

struct Seen {
  std::thread::id thread;
  std::size_t stack = 0;
  std::atomic<bool> called{false};
};

void see(hbUCPTaskHandle_t, int32_t, void* user_data) {
  auto& seen = *static_cast<Seen*>(user_data);
  seen.thread = std::this_thread::get_id();
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    static_cast<void>(::pthread_attr_getstacksize(&attributes, &seen.stack));
    static_cast<void>(::pthread_attr_destroy(&attributes));
  }
  seen.called = true;
}

TEST_F(StrictRun, CallsBackOnAnotherThreadWithASmallStack) {
  Call call(model_);
  fill(call, 1);
  clean(call);
  Seen seen;
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(hbUCPSetTaskDoneCb(call.task(), &see, &seen), 0);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  while (!seen.called) std::this_thread::yield();  // the wait may return before
  call.release();
  EXPECT_NE(seen.thread, std::this_thread::get_id());
  EXPECT_LT(seen.stack, 2U << 20U) << "a sanitizer adds to 64 KiB; the usual is 8 MiB";
}

struct Order {
  std::mutex mutex;
  std::vector<int> ended;
  [[nodiscard]] std::vector<int> get() {
    const std::lock_guard lock(mutex);
    return ended;
  }
};
struct Numbered {
  Order* order;
  int number;
};

void note_end(hbUCPTaskHandle_t, int32_t, void* user_data) {
  const auto& [order, number] = *static_cast<Numbered*>(user_data);
  const std::lock_guard lock(order->mutex);
  order->ended.push_back(number);
}

TEST_F(StrictRun, EndsTasksThatRunSideBySideInReverse) {
  // The first one is done 3 ms before the second, which a busy machine may delay beyond the
  // device's patience: some rounds may go the other way.
  const Packed packed(
      {doubling_model({1, 4}, 2'000, "first"), doubling_model({1, 4}, 5'000, "second")});
  const std::vector<int> reverse = {1, 0};
  std::vector<int> ended;
  for (int round = 0; round < 20 && ended != reverse; ++round) {
    Order order;
    std::vector<Numbered> numbered = {{&order, 0}, {&order, 1}};
    Call first(packed.model("first"));
    Call second(packed.model("second"));
    for (Call* call : {&first, &second}) {
      fill(*call, 1);
      clean(*call);
      ASSERT_EQ(call->infer(), 0);
      void* const number = &numbered[call == &second ? 1 : 0];
      ASSERT_EQ(hbUCPSetTaskDoneCb(call->task(), &note_end, number), 0);
    }
    ASSERT_EQ(first.submit(), 0);
    ASSERT_EQ(second.submit(), 0);
    while (order.get().size() < 2) std::this_thread::yield();
    ended = order.get();
  }
  EXPECT_EQ(ended, reverse);
}

}  // namespace
}  // namespace hbm::test
