// SPDX-License-Identifier: Apache-2.0
// Measures what statistics and trace cost a run, in ns, with one thread and with two.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "core/telemetry/run_record.hpp"
#include "core/telemetry/run_trace.hpp"
#include "core/telemetry/statistics.hpp"

namespace hbm {
namespace {

constexpr int kRuns = 500'000;
constexpr int kRounds = 7;

// The fastest of several rounds, per call and thread: what else the machine does only adds.
template <typename Call>
double cost_ns(int threads, Call call) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<bool> go{false};
    std::vector<int64_t> spent(static_cast<std::size_t>(threads));
    std::vector<std::thread> workers;
    for (int thread = 0; thread < threads; ++thread) {
      workers.emplace_back([&, thread] {
        while (!go) std::this_thread::yield();
        const int64_t begin = now_ns();
        for (int run = 0; run < kRuns; ++run) call(run);
        spent[static_cast<std::size_t>(thread)] = now_ns() - begin;
      });
    }
    go = true;
    for (std::thread& worker : workers) worker.join();
    best =
        std::min(best, static_cast<double>(*std::max_element(spent.begin(), spent.end())) / kRuns);
  }
  return best;
}

template <typename Call>
void print(const char* what, Call call) {
  const double alone = cost_ns(1, call);
  std::printf("%-44s %8.1f %8.1f\n", what, alone, cost_ns(2, call));
}

// Durations that vary as those of real runs do, so that many buckets are touched.
StageTimes times_of(int run) {
  const int64_t wobble = (run * 2'654'435'761LL) & 0xffff;
  return {500 + (wobble & 0xff), 20'000 + wobble, 3'000'000 + 16 * wobble,
          4'000 + (wobble & 0xfff)};
}

void measure() {
  RuntimeStatistics statistics(4);
  const auto model = statistics.model("m");
  RunTrace trace;
  std::printf("%-44s %8s %8s\n", "ns per call", "1 thread", "2 threads");
  print("finished + copied_in", [&](int run) {
    model->finished(times_of(run));
    model->copied_in(2, 150'528);
  });
  print("ended (of a run without a result)", [&](int) { model->ended(Outcome::kTimeout); });
  print("core use: started + ended", [&](int run) {
    const int64_t now = run;
    statistics.core_use().started(0, now);
    statistics.core_use().ended(0, now);
  });
  RunTrace off;
  const auto recorder = std::make_shared<RunSinks>(4);
  const auto record = std::make_shared<const ModelRecord>(recorder, "m");
  // As ModelRun does it, with as many readings of the clock.
  print("a whole run, with the clock", [&](int) {
    RunRecord run;
    const int64_t called = now_ns();
    run.begin(record, now_ns());
    run.copied_in(now_ns(), 2, 4096);
    run.queued_before(called);
    run.submitted({}, 1);
    run.done(now_ns());
    run.finished(now_ns());
    run.release();
  });
  print("one reading of the clock", [](int) { static_cast<void>(now_ns()); });
  std::atomic<uint64_t> sink{0};
  print("trace off", [&](int) {
    if (trace.on()) sink.fetch_add(1, std::memory_order_relaxed);
  });
  trace.start(std::size_t{kRuns} * 2 * 3 * kRounds);
  print("trace on, a run of four stages", [&](int run) {
    TracedRun traced;
    traced.custom_id = run;
    trace.record(traced);
  });
  std::printf("(%zu traced runs)\n", trace.stop().runs.size());
}

}  // namespace
}  // namespace hbm

int main() { hbm::measure(); }
