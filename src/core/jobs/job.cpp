// SPDX-License-Identifier: Apache-2.0
// The life of an asynchronous run.
#include "core/jobs/job.hpp"

#include <string>
#include <utility>

#include "core/jobs/dispatcher.hpp"

namespace hbm {
namespace {

// About what it takes to put a thread to sleep and to wake it.
constexpr std::chrono::microseconds kSpin{30};

// Clears the marks of use of calls that no run took over.
class UsesToClear {
 public:
  explicit UsesToClear(const std::vector<ModelCall>& calls) : calls_(calls) {}
  UsesToClear(const UsesToClear&) = delete;
  UsesToClear& operator=(const UsesToClear&) = delete;
  ~UsesToClear() {
    for (std::size_t index = taken_; index < calls_.size(); ++index) {
      if (calls_[index].use != nullptr) calls_[index].use->clear();
    }
  }
  // The run of the next call clears its mark from now on.
  void leave_to_run() noexcept { ++taken_; }

 private:
  const std::vector<ModelCall>& calls_;
  std::size_t taken_ = 0;
};

}  // namespace

class Job::Turn final : public Admission::Waiter {
 public:
  Turn(const SlotRequest& slot, Job& job) : Waiter(slot), job_(job) {}
  // The job lives: it withdraws from the queue before it ends.
  void granted() noexcept override { Dispatcher::of_process().push_ready(job_.shared_from_this()); }

 private:
  Job& job_;
};

Job::Job(const Runtime& runtime, std::string model, std::shared_ptr<RunLimit> limit,
         std::shared_ptr<EndListener> listener, uint64_t number)
    : number_(number),
      model_(std::move(model)),
      library_(runtime.library()),
      sinks_(runtime.sinks()),
      limit_(std::move(limit)),
      listener_(std::move(listener)) {}

void Job::count_waiting(int change) noexcept {
  sinks_->statistics.gauges().waiting.fetch_add(change, std::memory_order_relaxed);
}

Job::~Job() = default;

std::shared_ptr<Job> Job::start(const Runtime& runtime, const std::vector<ModelCall>& calls,
                                std::optional<Deadline::Clock::duration> timeout,
                                std::shared_ptr<RunLimit> limit,
                                std::shared_ptr<EndListener> listener, uint64_t number) {
  const auto called = Deadline::Clock::now();
  UsesToClear uses(calls);
  runtime.check(calls);
  Admission& admission = Admission::of_process();
  if (calls.size() > admission.limit()) {
    throw Error(ErrorKind::kInput,
                "at most " + std::to_string(admission.limit()) +
                    " models (HB_UCP_MAX_TASK_NUM) run together asynchronously, got " +
                    std::to_string(calls.size()));
  }
  Dispatcher& dispatcher = Dispatcher::of_process();
  dispatcher.check_running();
  const std::shared_ptr<Job> job(
      new Job(runtime, calls.front().model->name(), std::move(limit), std::move(listener), number));
  job->parts_.resize(calls.size());
  try {
    for (std::size_t index = 0; index < calls.size(); ++index) {
      Part& part = job->parts_[index];
      part.run = RunLease(runtime.library(), calls[index].model);
      uses.leave_to_run();
      part.run->set_inputs(runtime.pool(), calls[index], now_ns());
    }
  } catch (const Error& error) {
    for (Part& part : job->parts_) {
      if (part.run) part.run->give_up(outcome_of(error));
    }
    throw;
  }
  job->left_ = calls.size();
  if (timeout) job->expires_ = called + *timeout;
  const SlotRequest slot = slot_for(calls.data(), calls.size(), runtime.library()->core_count());
  job->turn_ = std::make_unique<Turn>(slot, *job);
  job->self_ = job;
  job->count_waiting(1);
  if (admission.enter(*job->turn_)) {
    job->submit(false);  // whoever starts the job looks whether it has ended
  } else if (slot.max_wait) {
    dispatcher.look_at_ages();
  }
  // Last: a deadline that passed already ends the job on the dispatcher's thread at once.
  if (job->expires_) {
    dispatcher.expire_at(*job->expires_, job);
    if (job->end() != End::kNone) dispatcher.forget_deadline(*job->expires_, *job);
  }
  return job;
}

void Job::submit(bool tell_listener) {
  TaskSlot slots = Admission::of_process().take_slot(*turn_);
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kWaiting || !slots) return;
    state_ = State::kSubmitting;
  }
  count_waiting(-1);
  Dispatcher& dispatcher = Dispatcher::of_process();
  const int64_t granted = now_ns();
  std::optional<Error> failed;
  try {
    for (std::size_t index = 0; index < parts_.size(); ++index) {
      Part& part = parts_[index];
      part.run->queued_after(granted);
      part.ticket = dispatcher.ticket_for(shared_from_this(), index);
      part.run->submit(slots.take_one(), &Dispatcher::task_done,
                       reinterpret_cast<void*>(static_cast<uintptr_t>(part.ticket)));
    }
  } catch (const Error& error) {
    failed = error;
  } catch (const std::exception& error) {
    failed = Error(ErrorKind::kTask, error.what());
  }
  std::unique_lock lock(mutex_);
  if (failed || stop_with_) {
    state_ = State::kEnding;
    lock.unlock();
    if (failed) {
      end_with(End::kError, std::move(failed), tell_listener);
    } else {
      end_with(*stop_with_, std::move(stop_error_), true);
    }
    return;
  }
  state_ = State::kInFlight;
  if (left_ > 0) return;
  lock.unlock();
  finish_if_done(tell_listener);
}

void Job::task_done(std::size_t index, int32_t status) noexcept {
  const std::lock_guard lock(mutex_);
  parts_[index].status = status;
  parts_[index].when = now_ns();
  if (--left_ > 0) return;
  hint_.store(true, std::memory_order_release);
  if (state_ != State::kInFlight) return;
  if (waiting_ > 0) {
    changed_.notify_all();
  } else {
    Dispatcher::of_process().push_done(shared_from_this());
  }
}

void Job::finish_if_done(bool tell_listener) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_done()) return;
    state_ = State::kEnding;
  }
  finish(tell_listener);
}

void Job::finish(bool tell_listener) noexcept {
  std::optional<Error> failed;
  try {
    for (Part& part : parts_) part.run->saw_end(part.when);
    results_.resize(parts_.size());
    for (std::size_t index = 0; index < parts_.size(); ++index) {
      parts_[index].run->check_done(parts_[index].status);
      parts_[index].run->take_outputs(results_[index]);
    }
  } catch (const Error& error) {
    failed = error;
  } catch (const std::exception& error) {
    failed = Error(ErrorKind::kTask, error.what());
  }
  if (failed) results_.clear();
  end_with(failed ? End::kError : End::kResults, std::move(failed), tell_listener);
}

bool Job::wait(const Deadline& deadline) {
  library_->check_usable();  // in a forked child nothing would ever end it
  std::unique_lock lock(mutex_);
  ++waiting_;
  if (state_ != State::kEnded && !is_done()) {
    // Short runs end before this thread would be asleep.
    lock.unlock();
    const auto end = Deadline::Clock::now() + kSpin;
    while (!hint_.load(std::memory_order_acquire) && Deadline::Clock::now() < end) {
    }
    lock.lock();
  }
  // Whoever leaves must not leave a finished job behind that only it was told of.
  const auto leave = [&] {
    --waiting_;
    const bool mine = is_done();
    if (mine) state_ = State::kEnding;
    lock.unlock();
    if (mine) finish(false);
    return mine;
  };
  while (state_ != State::kEnded && !is_done()) {
    if (deadline.passed()) {
      if (leave()) return true;
      throw Error(ErrorKind::kTimeout, "the run was not done in the time given to wait for it");
    }
    changed_.wait_for(lock, deadline.slice());
    if (state_ == State::kEnded || is_done()) break;
    lock.unlock();
    try {
      deadline.look_up();
    } catch (...) {
      if (!library_->is_usable())
        throw;  // forked meanwhile: nobody may be left to unlock the mutex
      lock.lock();
      if (!leave()) throw;
      return true;
    }
    lock.lock();
  }
  return leave();
}

bool Job::cancel() { return stop(End::kCancelled, std::nullopt); }

bool Job::expire() {
  return stop(End::kError,
              Error(ErrorKind::kTimeout,
                    "model '" + model_ + "': the deadline passed before the run was done",
                    {model_, {}}, "hbUCPWaitTaskDone", HB_UCP_TASK_TIMEOUT));
}

bool Job::stop(End end, std::optional<Error> error) {
  {
    const std::lock_guard lock(mutex_);
    if (is_done() || stop_with_) return false;
    if (state_ == State::kSubmitting) {
      stop_with_ = end;
      stop_error_ = std::move(error);
      return true;
    }
    if (state_ == State::kWaiting) {
      count_waiting(-1);
    } else if (state_ != State::kInFlight) {
      return false;
    }
    state_ = State::kEnding;
  }
  end_with(end, std::move(error), true);
  return true;
}

// Called by the one thread that moved the state to kEnding.
void Job::end_with(End end, std::optional<Error> error, bool tell_listener) noexcept {
  Admission::of_process().withdraw(*turn_);
  for (Part& part : parts_) {
    // Also a ticket that a callback was given already: that finds nothing.
    if (part.ticket != 0) Dispatcher::of_process().forget(part.ticket);
    if (end != End::kResults) {
      part.run->give_up(error ? outcome_of(*error) : Outcome::kCancelled);
    }
    part.run.give_back();
  }
  limit_->ended();
  std::shared_ptr<Job> self;
  {
    const std::lock_guard lock(mutex_);
    end_ = end;
    error_ = std::move(error);
    state_ = State::kEnded;
    hint_.store(true, std::memory_order_release);
    self = std::move(self_);
  }
  changed_.notify_all();
  // After the state, which start() reads after it gave the deadline: one of the two takes it back.
  if (expires_) Dispatcher::of_process().forget_deadline(*expires_, *this);
  if (tell_listener && listener_ != nullptr) listener_->ended(std::move(self));
}

Job::End Job::end() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::kEnded ? end_ : End::kNone;
}

}  // namespace hbm
