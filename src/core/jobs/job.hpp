// SPDX-License-Identifier: Apache-2.0
// An asynchronous run of one or more models: started, waited for, cancelled, ended exactly once.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/board/deadline.hpp"
#include "core/board/error.hpp"
#include "core/run/model_run.hpp"
#include "core/run/runtime.hpp"
#include "core/scheduling/admission.hpp"
#include "core/scheduling/run_limit.hpp"

namespace hbm {

class Job;

// Is told of every job that ended, unless the thread that ended it asked for that itself.
class EndListener {
 public:
  EndListener() = default;
  EndListener(const EndListener&) = delete;
  EndListener& operator=(const EndListener&) = delete;
  virtual ~EndListener() = default;
  // On any thread, with no lock held; must not block.
  virtual void ended(std::shared_ptr<Job> job) noexcept = 0;
};

class Job : public std::enable_shared_from_this<Job> {
 public:
  enum class End { kNone, kResults, kError, kCancelled };

  // Copies the inputs and hands the tasks over, or queues them until there is a slot. The inputs
  // are the caller's again when this returns. Throws Error, and then nothing was started. The
  // job leaves `limit`, which the caller entered, when it ends: limit->ended(). Marks of
  // use, which the caller set, are cleared at the end or the error. The number is the caller's.
  [[nodiscard]] static std::shared_ptr<Job> start(const Runtime& runtime,
                                                  const std::vector<ModelCall>& calls,
                                                  std::optional<Deadline::Clock::duration> timeout,
                                                  std::shared_ptr<RunLimit> limit,
                                                  std::shared_ptr<EndListener> listener,
                                                  uint64_t number);
  ~Job();

  [[nodiscard]] uint64_t number() const noexcept { return number_; }

  // Waits for the end, and brings it about if the accelerator is done. Returns whether this
  // thread did so, in which case the listener was not told. Throws Error(kTimeout) at the deadline;
  // the job then goes on.
  bool wait(const Deadline& deadline);
  // Ends the job without results: a queued task never runs, a running one is abandoned. False if
  // it ended already, or is about to.
  bool cancel();
  // The same at the job's own deadline.
  bool expire();

  [[nodiscard]] End end() const;
  // Of an ended job. Only one caller may take the results.
  [[nodiscard]] std::vector<RunResult> take_results() { return std::move(results_); }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  friend class Dispatcher;

  enum class State { kWaiting, kSubmitting, kInFlight, kEnding, kEnded };
  class Turn;  // its slot in the queue

  Job(const Runtime& runtime, std::string model, std::shared_ptr<RunLimit> limit,
      std::shared_ptr<EndListener> listener, uint64_t number);
  void count_waiting(int change) noexcept;
  // Called once there is a slot.
  void submit(bool tell_listener);
  // The accelerator is done with one task.
  void task_done(std::size_t index, int32_t status) noexcept;
  // All tasks are done, and nobody else will do this.
  void finish(bool tell_listener) noexcept;
  void finish_if_done(bool tell_listener);
  [[nodiscard]] bool is_done() const noexcept { return state_ == State::kInFlight && left_ == 0; }
  bool stop(End end, std::optional<Error> error);
  void end_with(End end, std::optional<Error> error, bool tell_listener) noexcept;

  struct Part {
    RunLease run;
    uint64_t ticket = 0;
    int32_t status = 0;
    int64_t when = 0;  // it was done
  };

  const uint64_t number_;
  const std::string model_;  // the first one, for messages
  std::shared_ptr<const Library> library_;
  std::shared_ptr<RunSinks> sinks_;
  std::shared_ptr<RunLimit> limit_;
  std::shared_ptr<EndListener> listener_;
  std::vector<Part> parts_;
  std::unique_ptr<Turn> turn_;
  std::optional<Deadline::Clock::time_point> expires_;

  std::atomic<bool> hint_{false};  // all tasks are done, or the job ended
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kWaiting;
  std::size_t left_ = 0;          // tasks that are not done
  std::size_t waiting_ = 0;       // threads in wait()
  std::optional<End> stop_with_;  // asked for while submitting
  std::optional<Error> stop_error_;
  std::shared_ptr<Job> self_;  // until it ended

  // Written before state_ is kEnded, read after.
  End end_ = End::kNone;
  std::vector<RunResult> results_;
  std::optional<Error> error_;
};

}  // namespace hbm
