// SPDX-License-Identifier: Apache-2.0
// Jobs that ended leave no deadline behind, however far away it was.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "core/jobs/dispatcher.hpp"
#include "core/jobs/job.hpp"
#include "core/run/runtime.hpp"
#include "core/scheduling/scheduling.hpp"
#include "core/tensors/layout.hpp"

namespace {

using std::chrono::hours;

class JobDeadline : public ::testing::Test {
 protected:
  JobDeadline()
      : library_(open()), runtime_(library_), files_(hbm::load_files(library_, {"any.hbm"})) {
    call_.model = files_.models.front();
    call_.record = std::make_shared<const hbm::ModelRecord>(runtime_.sinks(), "null");
    call_.sched = hbm::to_abi(hbm::SchedParam{}, library_->core_count(), "null", 1);
    for (const hbm::TensorInfo& input : call_.model->info().inputs) {
      const hbm::Layout layout = hbm::input_layout(input, input.shape);
      values_.emplace_back(static_cast<std::size_t>(layout.byte_size));
      hbm::InputView view;
      view.data = values_.back().data();
      view.data_type = input.data_type;
      view.shape = layout.shape;
      view.strides = layout.strides;
      call_.inputs.push_back(std::move(view));
    }
  }

  static std::shared_ptr<const hbm::Library> open() {
    ::setenv("HBM_NULL_CALLBACK", "thread", 1);
    return hbm::Library::open(HBM_NULL_BACKEND_DIR);
  }

  // Starts a run that may take an hour, and waits for its end.
  [[nodiscard]] std::shared_ptr<hbm::Job> run() {
    limit_->enter(false, false, hbm::Deadline());
    auto job = hbm::Job::start(runtime_, {call_}, hours(1), limit_, nullptr, 1);
    static_cast<void>(job->wait(hbm::Deadline(std::chrono::seconds(10))));
    EXPECT_EQ(job->end(), hbm::Job::End::kResults);
    limit_->delivered();
    return job;
  }

  // The dispatcher's thread may be about to take a deadline back.
  [[nodiscard]] bool has_deadlines(std::size_t count) {
    const hbm::Deadline soon(std::chrono::seconds(10));
    while (dispatcher_.deadline_count() != count && !soon.passed()) std::this_thread::yield();
    return dispatcher_.deadline_count() == count;
  }

  std::shared_ptr<const hbm::Library> library_;
  hbm::Runtime runtime_;
  hbm::LoadedFiles files_;
  std::vector<std::vector<std::byte>> values_;
  hbm::ModelCall call_;
  std::shared_ptr<hbm::RunLimit> limit_ = std::make_shared<hbm::RunLimit>(64);
  hbm::Dispatcher& dispatcher_ = hbm::Dispatcher::of_process();
};

TEST_F(JobDeadline, EndsWithItsJob) {
  // Some end before they are started completely, others later on another thread.
  for (int count = 0; count < 1000; ++count) {
    static_cast<void>(run());
    ASSERT_TRUE(has_deadlines(0));
  }
}

TEST_F(JobDeadline, OfAnotherJobStays) {
  const auto first = run();
  const auto later = hbm::Deadline::Clock::now() + hours(2);
  dispatcher_.expire_at(later, first);
  static_cast<void>(run());
  EXPECT_TRUE(has_deadlines(1));
  dispatcher_.forget_deadline(later, *first);
  EXPECT_TRUE(has_deadlines(0));
}

}  // namespace
