// SPDX-License-Identifier: Apache-2.0
// A thread that cannot be started fails the submission that needs it, and nothing after that.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "fixture.hpp"

namespace {

std::atomic<int> starts_until_failure{0};  // 1: the next start fails; 0: none does

}  // namespace

// Takes the place of the C library's for the whole process, the simulator's libraries included.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*routine)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (starts_until_failure > 0 && --starts_until_failure == 0) return EAGAIN;
  return create(thread, attributes, routine, argument);
}

namespace hbm::test {
namespace {

// The device lives as long as its process: each test has one of its own. True when the child's
// expectations held and it ended by itself, with the simulator's work at exit.
bool in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::fflush(stdout);
    std::exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

class ThreadStart : public WithEngine {};

TEST_F(ThreadStart, ThatFailsFailsTheSubmissionAndTheNextOneTriesAgain) {
  for (int failing = 1; failing <= 4; ++failing) {
    EXPECT_TRUE(in_child([failing] {
      const Packed packed({doubling_model()});
      Call call(packed.model("doubling"));
      *call.in<float>() = 21;
      ASSERT_EQ(call.infer(), 0);
      starts_until_failure = failing;
      EXPECT_EQ(call.submit(), HB_UCP_UNKNOWN_ERROR);
      EXPECT_EQ(starts_until_failure, 0);
      EXPECT_EQ(call.wait(1), HB_UCP_TASK_HANDLE_INVALID) << "it was not submitted";
      ASSERT_EQ(call.submit(), 0);
      ASSERT_EQ(call.wait(), 0);
      EXPECT_EQ(*call.out<float>(), 42);
      for (int core = 0; core < 4; ++core) {
        Call on_core(packed.model("doubling"));
        ASSERT_EQ(on_core.infer(), 0);
        ASSERT_EQ(on_core.submit(0, 0, 1ULL << static_cast<unsigned>(core)), 0);
        EXPECT_EQ(on_core.wait(), 0);
      }
    })) << "start "
        << failing;
  }
}

TEST_F(ThreadStart, ThatFailsLeavesAProcessThatEnds) {
  for (int failing = 1; failing <= 4; ++failing) {
    EXPECT_TRUE(in_child([failing] {
      const Packed packed({doubling_model()});
      Call call(packed.model("doubling"));
      ASSERT_EQ(call.infer(), 0);
      starts_until_failure = failing;
      EXPECT_EQ(call.submit(), HB_UCP_UNKNOWN_ERROR);
    })) << "start "
        << failing;
  }
}

}  // namespace
}  // namespace hbm::test
