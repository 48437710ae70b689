// SPDX-License-Identifier: Apache-2.0
// The scheduler's policy without threads: its rules one by one, then 100 000 random jobs against a
// reference that knows only the rules' wording.
#include "simulator/device/scheduler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace hbm::test {
namespace {

using simulator::ScheduledTask;
using simulator::Scheduler;

ScheduledTask task_of(int32_t priority, int64_t custom_id = 0, uint32_t core_mask = 0xF,
                      int core_count = 1, bool preemptible = false) {
  ScheduledTask job;
  job.priority = priority;
  job.custom_id = custom_id;
  job.core_mask = core_mask;
  job.core_count = core_count;
  job.preemptible = preemptible;
  return job;
}

TEST(Queue, IsOrderedByPriorityThenCustomIdThenArrival) {
  Scheduler scheduler(0x1, true);
  ScheduledTask low = task_of(10);
  ScheduledTask first = task_of(200, 7);
  ScheduledTask second = task_of(200, 7);
  ScheduledTask smaller_id = task_of(200, -1);
  for (ScheduledTask* job : {&low, &first, &second, &smaller_id}) scheduler.add(*job);
  for (ScheduledTask* wanted : {&smaller_id, &first, &second, &low}) {
    ScheduledTask* started = scheduler.start_next();
    ASSERT_EQ(started, wanted);
    EXPECT_EQ(scheduler.start_next(), nullptr) << "one core, one job";
    scheduler.end(*started);
  }
}

TEST(CoreMask, LetsAJobPassOneThatCannotRunThere) {
  Scheduler scheduler(0x3, true);
  ScheduledTask busy = task_of(0, 0, 0x1);
  ScheduledTask waiting = task_of(100, 0, 0x1);
  ScheduledTask elsewhere = task_of(0, 0, 0x2);
  scheduler.add(busy);
  ASSERT_EQ(scheduler.start_next(), &busy);
  scheduler.add(waiting);
  scheduler.add(elsewhere);
  EXPECT_EQ(scheduler.start_next(), &elsewhere);
  EXPECT_EQ(scheduler.start_next(), nullptr);
}

TEST(Preemption, IsForUrgentJobsAtBoundariesOnly) {
  struct Case {
    int32_t running;
    int32_t arriving;
    bool preemptible;
    bool yields;
  };
  for (const Case& c :
       {Case{253, 254, true, true}, Case{253, 255, true, true}, Case{254, 255, true, true},
        Case{254, 254, true, false}, Case{255, 255, true, false}, Case{10, 253, true, false},
        Case{0, 255, false, false}}) {
    Scheduler scheduler(0x1, true);
    ScheduledTask running = task_of(c.running, 0, 0x1, 1, c.preemptible);
    ScheduledTask arriving = task_of(c.arriving, 0, 0x1);
    scheduler.add(running);
    ASSERT_EQ(scheduler.start_next(), &running);
    EXPECT_FALSE(scheduler.must_yield(running));
    scheduler.add(arriving);
    EXPECT_EQ(scheduler.must_yield(running), c.yields) << c.arriving << " over " << c.running;
  }
}

TEST(Preemption, IsUnavailableWhenTheDeviceSaysSo) {
  Scheduler scheduler(0x1, false);
  ScheduledTask running = task_of(0, 0, 0x1, 1, true);
  ScheduledTask urgent = task_of(255, 0, 0x1);
  scheduler.add(running);
  ASSERT_EQ(scheduler.start_next(), &running);
  scheduler.add(urgent);
  EXPECT_FALSE(scheduler.must_yield(running));
}

TEST(Preemption, PutsAJobBackBeforeThoseOfItsPriorityThatHaveNotBegun) {
  Scheduler scheduler(0x1, true);
  ScheduledTask running = task_of(10, 5, 0x1, 1, true);
  ScheduledTask smaller_id = task_of(10, 1, 0x1);
  ScheduledTask urgent = task_of(255, 0, 0x1);
  scheduler.add(running);
  ASSERT_EQ(scheduler.start_next(), &running);
  scheduler.add(smaller_id);
  scheduler.add(urgent);
  ASSERT_TRUE(scheduler.must_yield(running));
  scheduler.put_back(running);
  for (ScheduledTask* wanted : {&urgent, &running, &smaller_id}) {
    ASSERT_EQ(scheduler.start_next(), wanted);
    scheduler.end(*wanted);
  }
}

TEST(SeveralCores, AreTakenAtOnceAndKeptFreeOfLaterJobs) {
  Scheduler scheduler(0xF, true);
  ScheduledTask first = task_of(0, 0, 0x1);
  ScheduledTask both = task_of(0, 0, 0x3, 2);
  ScheduledTask on_second = task_of(0, 0, 0x2);
  ScheduledTask anywhere = task_of(0, 0, 0xF);
  ScheduledTask urgent = task_of(200, 0, 0x2);
  scheduler.add(first);
  ASSERT_EQ(scheduler.start_next(), &first);
  for (ScheduledTask* job : {&both, &on_second, &anywhere}) scheduler.add(*job);
  ASSERT_EQ(scheduler.start_next(), &anywhere) << "core 1 is free, but kept for the earlier job";
  EXPECT_EQ(anywhere.cores, 0x4U);
  EXPECT_EQ(scheduler.start_next(), nullptr);
  scheduler.add(urgent);
  EXPECT_EQ(scheduler.start_next(), &urgent) << "what goes first takes the core all the same";
  scheduler.end(urgent);
  scheduler.end(first);
  ASSERT_EQ(scheduler.start_next(), &both);
  EXPECT_EQ(both.cores, 0x3U);
  EXPECT_EQ(scheduler.start_next(), nullptr);
  scheduler.end(both);
  EXPECT_EQ(scheduler.start_next(), &on_second);
}

// A job of the random runs, and what the reference knows of it.
struct Record {
  ScheduledTask job;
  int calls_left = 0;
  int calls_run = 0;
  uint64_t arrival = 0;
  bool waits = false;
  bool runs = false;
  bool begun = false;
  bool cancelled = false;
  int ends = 0;
};

// The rules as they are worded in the simulator's README, by looking at every job every time.
class Reference {
 public:
  Reference(uint32_t cores, bool preemption) : cores_(cores), preemption_(preemption) {}

  void add(Record& record) {
    record.waits = true;
    waiting_.push_back(&record);
  }
  void remove(Record& record) {
    record.waits = false;
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &record));
  }

  // Higher priority, then begun, then smaller id, then earlier.
  static bool goes_before(const Record& a, const Record& b) {
    if (a.job.priority != b.job.priority) return a.job.priority > b.job.priority;
    if (a.begun != b.begun) return a.begun;
    if (a.job.custom_id != b.job.custom_id) return a.job.custom_id < b.job.custom_id;
    return a.arrival < b.arrival;
  }

  // Free cores of the job that no job of several cores that goes before it waits for.
  [[nodiscard]] uint32_t open_to(const Record& record, uint32_t busy) const {
    uint32_t open = cores_ & ~busy & record.job.core_mask;
    for (const Record* other : waiting_) {
      if (other != &record && other->job.core_count > 1 && goes_before(*other, record)) {
        open &= ~other->job.core_mask;
      }
    }
    return open;
  }

  [[nodiscard]] bool can_start(const Record& record, uint32_t busy) const {
    const uint32_t open = open_to(record, busy);
    return record.job.core_count > 1 ? open == record.job.core_mask : open != 0;
  }

  [[nodiscard]] Record* start_next(uint32_t busy, uint32_t* cores) const {
    Record* best = nullptr;
    for (Record* record : waiting_) {
      if (!can_start(*record, busy)) continue;
      if (best == nullptr || goes_before(*record, *best)) best = record;
    }
    if (best == nullptr) return nullptr;
    *cores = open_to(*best, busy);
    for (uint32_t core = 0; best->job.core_count == 1 && core < 4; ++core) {
      if ((*cores & (1U << core)) != 0) *cores = 1U << core;  // the lowest: no other is left
    }
    return best;
  }

  [[nodiscard]] bool must_yield(const Record& running) const {
    return preemption_ && running.job.preemptible &&
           std::any_of(waiting_.begin(), waiting_.end(), [&](const Record* other) {
             const bool outranks = (other->job.priority == 255 && running.job.priority < 255) ||
                                   (other->job.priority == 254 && running.job.priority < 254);
             return outranks && (other->job.core_mask & running.job.cores) != 0;
           });
  }

 private:
  uint32_t cores_;
  bool preemption_;
  std::vector<Record*> waiting_;
};

struct Counts {
  int jobs = 0, done = 0, cancelled = 0, preempted = 0, several_cores = 0;
  int inversions = 0, lost = 0, run_twice = 0, overlaps = 0;
};

// Virtual time: one event is the end of a function call or the arrival of a job.
class RandomRun {
 public:
  RandomRun(uint32_t seed, uint32_t cores, bool preemption, Counts& counts)
      : random_(seed),
        cores_(cores),
        scheduler_(cores, preemption),
        reference_(cores, preemption),
        counts_(counts) {}

  void run(int jobs) {
    while (created_ < jobs || !events_.empty()) {
      const bool arrives = created_ < jobs && (events_.empty() || next_arrival_ <= soonest());
      if (arrives) {
        now_ = next_arrival_;
        next_arrival_ += pick(0, cores_ == 1 ? 60 : 20);
        submit();
      } else {
        end_call();
      }
      start_what_can();
      if (pick(0, 99) < 4) cancel_one();
    }
    for (const Record& record : records_) {
      counts_.lost += record.ends == 0;
      counts_.run_twice += record.ends > 1 || (!record.cancelled && record.calls_left != 0);
    }
  }

 private:
  int pick(int lowest, int highest) {
    return std::uniform_int_distribution<int>(lowest, highest)(random_);
  }

  [[nodiscard]] int64_t soonest() const { return events_.begin()->first; }

  void submit() {
    static constexpr int32_t kPriorities[] = {0, 1, 10, 10, 10, 100, 200, 253, 254, 255};
    Record& record = records_.emplace_back();
    record.job = task_of(kPriorities[pick(0, 9)], pick(-2, 2), 0, 1, pick(0, 1) == 1);
    do {
      record.job.core_mask = static_cast<uint32_t>(pick(1, 15)) & cores_;
    } while (record.job.core_mask == 0);
    if (pick(0, 9) == 0) record.job.core_count = __builtin_popcount(record.job.core_mask);
    record.calls_left = pick(1, 4);
    record.arrival = static_cast<uint64_t>(created_++);
    ++counts_.jobs;
    counts_.several_cores += record.job.core_count > 1;
    scheduler_.add(record.job);
    reference_.add(record);
  }

  void start_what_can() {
    while (true) {
      uint32_t cores = 0;
      Record* wanted = reference_.start_next(busy_, &cores);
      ScheduledTask* started = scheduler_.start_next();
      counts_.inversions += started != (wanted != nullptr ? &wanted->job : nullptr);
      if (started == nullptr) return;
      Record& record = *std::find_if(records_.begin(), records_.end(),
                                     [&](const Record& r) { return &r.job == started; });
      counts_.inversions += started->cores != cores;
      counts_.overlaps += (started->cores & busy_) != 0;
      counts_.run_twice += record.runs || record.ends > 0;
      busy_ |= started->cores;
      reference_.remove(record);
      record.runs = record.begun = true;
      events_.emplace(now_ + pick(1, 20), &record);
    }
  }

  void end_call() {
    now_ = soonest();
    Record& record = *events_.begin()->second;
    events_.erase(events_.begin());
    ++record.calls_run;
    --record.calls_left;
    if (record.cancelled || record.calls_left == 0) return end(record);
    const bool yields = scheduler_.must_yield(record.job);
    counts_.inversions += yields != reference_.must_yield(record);
    if (!yields) {
      events_.emplace(now_ + pick(1, 20), &record);
      return;
    }
    ++counts_.preempted;
    record.runs = false;
    busy_ &= ~record.job.cores;
    scheduler_.put_back(record.job);
    reference_.add(record);
  }

  void end(Record& record) {
    ++record.ends;
    record.runs = false;
    busy_ &= ~record.job.cores;
    scheduler_.end(record.job);
    ++(record.cancelled ? counts_.cancelled : counts_.done);
    while (!records_.empty() && records_.front().ends == 1) records_.pop_front();
  }

  void cancel_one() {
    if (records_.empty()) return;
    Record& record =
        records_[static_cast<std::size_t>(pick(0, static_cast<int>(records_.size()) - 1))];
    if (record.ends > 0 || record.cancelled) return;
    record.cancelled = true;  // a running one ends with its function call
    counts_.inversions += scheduler_.withdraw(record.job) != record.waits;
    if (!record.waits) return;
    reference_.remove(record);
    end(record);
    start_what_can();
  }

  std::mt19937 random_;
  uint32_t cores_;
  Scheduler scheduler_;
  Reference reference_;
  Counts& counts_;
  std::deque<Record> records_;  // keeps addresses
  std::multimap<int64_t, Record*> events_;
  int64_t now_ = 0;
  int64_t next_arrival_ = 0;
  uint32_t busy_ = 0;
  int created_ = 0;
};

TEST(RandomJobs, RunAsTheReferenceSays) {
  Counts counts;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    RandomRun(seed, seed == 4 ? 0x1U : 0xFU, seed != 3, counts).run(25'000);
  }
  std::printf(
      "%d random jobs: %d done, %d cancelled, %d preemptions, %d of several cores; %d inversions, "
      "%d lost, %d run twice\n",
      counts.jobs, counts.done, counts.cancelled, counts.preempted, counts.several_cores,
      counts.inversions, counts.lost, counts.run_twice);
  EXPECT_EQ(counts.jobs, 100'000);
  EXPECT_EQ(counts.done + counts.cancelled, counts.jobs);
  EXPECT_EQ(counts.inversions, 0);
  EXPECT_EQ(counts.lost, 0);
  EXPECT_EQ(counts.run_twice, 0);
  EXPECT_EQ(counts.overlaps, 0);
  EXPECT_GT(counts.preempted, 1000);
  EXPECT_GT(counts.cancelled, 1000);
  EXPECT_GT(counts.several_cores, 1000);
}

}  // namespace
}  // namespace hbm::test
