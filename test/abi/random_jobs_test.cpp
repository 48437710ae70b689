// SPDX-License-Identifier: Apache-2.0
// Random jobs on the real device with its threads: none is lost, none runs twice, and on one core
// each choice is the one that the rules ask for.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "simulator/device/device.hpp"

namespace hbm::test {
namespace {

using simulator::Operation;
using simulator::Profile;
using simulator::SimulatedDevice;

enum class What { kSubmitted, kCallBegins, kCallEnds, kCancelled };

struct Event {
  uint64_t number;  // the order in which they happened
  What what;
  int job;
};

// What happened, in one order for all threads.
class Journal {
 public:
  explicit Journal(std::size_t most) : events_(most) {}
  uint64_t add(What what, int job) {
    const uint64_t number = next_.fetch_add(1);
    if (number < events_.size()) events_[number] = {number, what, job};
    return number;
  }
  [[nodiscard]] std::vector<Event> all() const {
    return {events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(next_.load())};
  }

 private:
  std::atomic<uint64_t> next_{0};
  std::vector<Event> events_;
};

struct Plan {
  int32_t priority;
  int64_t custom_id;
  uint64_t backend;
  int core_count;
  bool preemptible;
  uint32_t calls;
  bool cancel;
};

struct Outcome {
  std::atomic<uint32_t> calls{0};
  std::atomic<int> out_of_order{0};
  std::atomic<int> ended{0};
  uint64_t submit_began = 0;
  uint64_t submitted = 0;
  int32_t status = 1;
};

// Function calls that take no time and write down that they ran.
class VirtualOperation final : public Operation {
 public:
  VirtualOperation(int job, const Plan& plan, Outcome& outcome, Journal& journal,
                   std::atomic<int>& running, std::atomic<int>& most_running)
      : job_(job),
        plan_(plan),
        outcome_(outcome),
        journal_(journal),
        running_(running),
        most_running_(most_running) {}

  [[nodiscard]] const std::string& model() const noexcept override { return name_; }
  [[nodiscard]] uint32_t call_count() const noexcept override { return plan_.calls; }
  [[nodiscard]] bool preemptible() const noexcept override { return plan_.preemptible; }
  [[nodiscard]] int core_count() const noexcept override { return plan_.core_count; }
  [[nodiscard]] std::chrono::microseconds least_time(uint32_t) const noexcept override {
    return std::chrono::microseconds(0);
  }
  [[nodiscard]] std::chrono::nanoseconds usual_time_of_last_call() const noexcept override {
    return std::chrono::microseconds(1);  // short: a waiter may run it itself
  }
  [[nodiscard]] int32_t run_call(uint32_t call) noexcept override {
    journal_.add(What::kCallBegins, job_);
    const int now = running_.fetch_add(plan_.core_count) + plan_.core_count;
    int most = most_running_.load();
    while (now > most && !most_running_.compare_exchange_weak(most, now)) {
    }
    if (outcome_.calls.fetch_add(1) != call) ++outcome_.out_of_order;
    running_.fetch_sub(plan_.core_count);
    journal_.add(What::kCallEnds, job_);
    return HB_UCP_SUCCESS;
  }
  void cancel() noexcept override {}
  void ended() noexcept override { ++outcome_.ended; }

 private:
  const std::string name_ = "virtual";
  int job_;
  const Plan& plan_;
  Outcome& outcome_;
  Journal& journal_;
  std::atomic<int>& running_;
  std::atomic<int>& most_running_;
};

std::vector<Plan> random_plans(uint32_t seed, int count, int cores) {
  std::mt19937 random(seed);
  const auto pick = [&](int lowest, int highest) {
    return std::uniform_int_distribution<int>(lowest, highest)(random);
  };
  constexpr int32_t kPriorities[] = {0, 10, 10, 10, 100, 200, 253, 254, 255};
  std::vector<Plan> plans;
  for (int index = 0; index < count; ++index) {
    Plan plan{};
    plan.priority = kPriorities[pick(0, 8)];
    plan.custom_id = pick(-2, 2);
    plan.backend = static_cast<uint64_t>(pick(1, (1 << cores) - 1));
    plan.core_count = pick(0, 9) == 0 ? __builtin_popcountll(plan.backend) : 1;
    plan.preemptible = pick(0, 1) == 1;
    plan.calls = static_cast<uint32_t>(pick(1, 4));
    // On one core not those that preempt: one that is cancelled before its first function call
    // leaves no event that would explain why another was put aside.
    plan.cancel = pick(0, 9) == 0 && (cores > 1 || plan.priority < 254);
    plans.push_back(plan);
  }
  return plans;
}

// All jobs of one run on a device of its own, submitted by four threads.
struct JobRun {
  JobRun(uint32_t seed, int count, int cores)
      : plans(random_plans(seed, count, cores)),
        outcomes(static_cast<std::size_t>(count)),
        journal(static_cast<std::size_t>(count) * 16) {
    Profile profile;
    profile.core_count = cores;
    profile.task_limit = 1024;
    SimulatedDevice device(profile);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] { submit_share(device, thread); });
    }
    for (std::thread& thread : threads) thread.join();
    left_over = device.live("tasks");
    device.shut_down();
  }

  void submit_share(SimulatedDevice& device, int thread) {
    constexpr std::size_t kInFlight = 32;
    std::vector<std::pair<int, hbUCPTaskHandle_t>> in_flight;
    const auto finish_oldest = [&] {
      const auto [job, task] = in_flight.front();
      in_flight.erase(in_flight.begin());
      const Plan& plan = plans[static_cast<std::size_t>(job)];
      if (plan.cancel) {
        journal.add(What::kCancelled, job);
      } else {
        outcomes[static_cast<std::size_t>(job)].status = device.wait(task, 60'000);
      }
      EXPECT_EQ(device.release(task), HB_UCP_SUCCESS);
    };
    for (int job = thread; job < static_cast<int>(plans.size()); job += kThreads) {
      const Plan& plan = plans[static_cast<std::size_t>(job)];
      Outcome& outcome = outcomes[static_cast<std::size_t>(job)];
      hbUCPTaskHandle_t task = nullptr;
      ASSERT_EQ(device.create_task(std::make_shared<VirtualOperation>(job, plan, outcome, journal,
                                                                      running, most_running),
                                   &task),
                HB_UCP_SUCCESS);
      outcome.submit_began = journal.add(What::kCallEnds, -1);  // only for its number
      const hbUCPSchedParam param{plan.priority, plan.custom_id, plan.backend, 0};
      ASSERT_EQ(device.submit(task, &param), HB_UCP_SUCCESS);
      outcome.submitted = journal.add(What::kSubmitted, job);
      in_flight.emplace_back(job, task);
      if (in_flight.size() == kInFlight) finish_oldest();
    }
    while (!in_flight.empty()) finish_oldest();
  }

  // Jobs that did not come to an end, or in another way than planned.
  [[nodiscard]] int lost() const {
    int count = 0;
    for (std::size_t job = 0; job < plans.size(); ++job) {
      const bool whole = outcomes[job].calls == plans[job].calls && outcomes[job].status == 0;
      count += outcomes[job].ended != 1 || (!plans[job].cancel && !whole);
    }
    return count;
  }

  [[nodiscard]] int run_twice() const {
    int count = 0;
    for (std::size_t job = 0; job < plans.size(); ++job) {
      count += outcomes[job].calls > plans[job].calls || outcomes[job].out_of_order > 0;
    }
    return count;
  }

  static constexpr int kThreads = 4;
  const std::vector<Plan> plans;
  std::vector<Outcome> outcomes;
  Journal journal;
  std::atomic<int> running{0};
  std::atomic<int> most_running{0};
  int64_t left_over = -1;
};

// Goes through what happened on one core. A choice is made between the end of a function call and
// the beginning of the next, so it must respect every job whose submission had returned by then.
class OneCoreCheck {
 public:
  explicit OneCoreCheck(const JobRun& run)
      : run_(run), begun_(run.plans.size()), calls_(run.plans.size()), gone_(run.plans.size()) {}

  [[nodiscard]] int inversions() {
    bool in_call = false;
    std::vector<int> too_late;
    for (const Event& event : run_.journal.all()) {
      if (event.job < 0) continue;
      switch (event.what) {
        case What::kSubmitted:
          in_call ? add(event.job) : too_late.push_back(event.job);
          break;
        case What::kCancelled:
          remove(event.job);
          gone_[index_of(event.job)] = true;
          break;
        case What::kCallBegins:
          check(event.job);
          for (const int job : too_late) add(job);
          too_late.clear();
          in_call = true;
          break;
        case What::kCallEnds:
          in_call = false;
          ++calls_[index_of(event.job)];
          last_ = event.job;
          break;
      }
    }
    return inversions_;
  }
  [[nodiscard]] int preemptions() const { return preemptions_; }

 private:
  using Key = std::tuple<int32_t, bool, int64_t, uint64_t, int>;

  [[nodiscard]] static std::size_t index_of(int job) { return static_cast<std::size_t>(job); }
  [[nodiscard]] const Plan& plan_of(int job) const { return run_.plans[index_of(job)]; }

  // The smaller the earlier; among equals the one whose submission returned first.
  [[nodiscard]] Key key_of(int job) const {
    const Plan& plan = plan_of(job);
    return {-plan.priority, !begun_[index_of(job)], plan.custom_id,
            run_.outcomes[index_of(job)].submitted, job};
  }

  void add(int job) {
    if (!gone_[index_of(job)] && !begun_[index_of(job)]) waiting_.insert(key_of(job));
  }
  void remove(int job) { waiting_.erase(key_of(job)); }

  void check(int job) {
    if (last_ >= 0 && last_ != job && calls_[index_of(last_)] < plan_of(last_).calls &&
        !gone_[index_of(last_)]) {
      // The one before was put aside: only a preemptible one, only for an urgent one.
      ++preemptions_;
      inversions_ += !plan_of(last_).preemptible || plan_of(job).priority < 254 ||
                     plan_of(job).priority <= plan_of(last_).priority;
      waiting_.insert(key_of(last_));
    }
    remove(job);
    if (last_ == job) {
      for (const Key& key : waiting_) {
        const int32_t priority = -std::get<0>(key);
        if (priority < 254 || priority <= plan_of(job).priority) break;
        inversions_ += plan_of(job).preemptible;
        break;
      }
    } else if (!waiting_.empty()) {
      const Key mine = key_of(job);
      const Key& first = *waiting_.begin();
      const auto rank = [](const Key& key) {
        return std::tuple(std::get<0>(key), std::get<1>(key), std::get<2>(key));
      };
      const bool earlier = std::get<3>(first) < run_.outcomes[index_of(job)].submit_began;
      inversions_ += rank(first) < rank(mine) || (rank(first) == rank(mine) && earlier);
    }
    begun_[index_of(job)] = true;
  }

  const JobRun& run_;
  std::vector<bool> begun_;
  std::vector<uint32_t> calls_;
  std::vector<bool> gone_;
  std::set<Key> waiting_;
  int last_ = -1;
  int inversions_ = 0;
  int preemptions_ = 0;
};

TEST(RandomJobsOnThreads, AreNeitherLostNorRunTwiceOnFourCores) {
  const JobRun run(1, 60'000, 4);
  std::printf("%zu jobs on 4 cores: %d lost, %d run twice, at most %d cores at once\n",
              run.plans.size(), run.lost(), run.run_twice(), run.most_running.load());
  EXPECT_EQ(run.lost(), 0);
  EXPECT_EQ(run.run_twice(), 0);
  EXPECT_EQ(run.left_over, 0);
  EXPECT_LE(run.most_running, 4);
}

TEST(RandomJobsOnThreads, RunInOrderOnOneCore) {
  const JobRun run(2, 40'000, 1);
  OneCoreCheck check(run);
  const int inversions = check.inversions();
  std::printf("%zu jobs on 1 core: %d preemptions, %d inversions, %d lost, %d run twice\n",
              run.plans.size(), check.preemptions(), inversions, run.lost(), run.run_twice());
  EXPECT_EQ(inversions, 0);
  EXPECT_GT(check.preemptions(), 0);
  EXPECT_EQ(run.lost(), 0);
  EXPECT_EQ(run.run_twice(), 0);
  EXPECT_EQ(run.left_over, 0);
  EXPECT_EQ(run.most_running, 1);
}

// Notes which thread ran it.
class ThreadNote final : public Operation {
 public:
  [[nodiscard]] const std::string& model() const noexcept override { return name_; }
  [[nodiscard]] uint32_t call_count() const noexcept override { return 1; }
  [[nodiscard]] bool preemptible() const noexcept override { return false; }
  [[nodiscard]] int core_count() const noexcept override { return 1; }
  [[nodiscard]] std::chrono::microseconds least_time(uint32_t) const noexcept override {
    return std::chrono::microseconds(0);
  }
  [[nodiscard]] std::chrono::nanoseconds usual_time_of_last_call() const noexcept override {
    return usual;
  }
  [[nodiscard]] int32_t run_call(uint32_t) noexcept override {
    ++runs;
    by_waiter = std::this_thread::get_id() == waiter;
    return HB_UCP_SUCCESS;
  }
  void cancel() noexcept override {}
  void ended() noexcept override {}

  std::chrono::nanoseconds usual{1000};
  const std::thread::id waiter = std::this_thread::get_id();
  int runs = 0;
  bool by_waiter = false;

 private:
  const std::string name_ = "note";
};

void ignore(hbUCPTaskHandle_t, int32_t, void*) {}

// Of `count` tasks on a core that sleeps before each, those that ran on the thread that waited.
int run_by_waiter(int count, std::chrono::nanoseconds usual, int32_t timeout_ms, bool call_back) {
  Profile profile;
  profile.core_count = 1;
  SimulatedDevice device(profile);
  int by_waiter = 0;
  for (int index = 0; index < count; ++index) {
    const auto operation = std::make_shared<ThreadNote>();
    operation->usual = usual;
    hbUCPTaskHandle_t task = nullptr;
    EXPECT_EQ(device.create_task(operation, &task), HB_UCP_SUCCESS);
    if (call_back) {
      EXPECT_EQ(device.set_callback(task, &ignore, nullptr), HB_UCP_SUCCESS);
    }
    const hbUCPSchedParam param{};
    EXPECT_EQ(device.submit(task, &param), HB_UCP_SUCCESS);
    EXPECT_EQ(device.wait(task, timeout_ms), HB_UCP_SUCCESS);
    EXPECT_EQ(device.release(task), HB_UCP_SUCCESS);
    EXPECT_EQ(operation->runs, 1);
    by_waiter += operation->by_waiter;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  device.shut_down();
  return by_waiter;
}

TEST(Waiters, RunTheirTaskThemselvesOnlyIfItIsShort) {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  EXPECT_GT(run_by_waiter(300, microseconds(1), 0, false), 0);
  EXPECT_GT(run_by_waiter(300, milliseconds(1), 10'000, false), 0);
  EXPECT_EQ(run_by_waiter(50, milliseconds(0), 0, false), 0) << "nobody knows how long it takes";
  EXPECT_EQ(run_by_waiter(50, milliseconds(11), 0, false), 0) << "long";
  EXPECT_EQ(run_by_waiter(50, milliseconds(3), 10, false), 0) << "long beside the time-out";
  EXPECT_EQ(run_by_waiter(50, microseconds(1), 0, true), 0) << "who calls back is a core";
}

}  // namespace
}  // namespace hbm::test
