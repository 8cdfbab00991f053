#include "engine/encoder_thread.h"

#include <utility>

#include "platform/exit_guard.h"

namespace posthaste::engine {
namespace {

// It is woken when there is a job; a wait has some end all the same.
constexpr core::Duration kIdleWait = std::chrono::hours(1);

}  // namespace

EncoderThread::~EncoderThread() {
  if (!thread_.is_joinable()) return;
  stop(core::Duration::zero());
  if (thread_.is_joinable()) thread_.join();
}

void EncoderThread::begin(CodingJob job) {
  if (!thread_.is_joinable() && !is_refused_) {
    auto thread = platform::Thread::start("posthaste-code", [this] { run(); });
    is_refused_ = !thread;
    if (thread) thread_ = std::move(*thread);
  }
  if (is_refused_) {
    give(run_coding(job, budget_, [] { return true; }));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wait_point_.wake();
}

std::vector<CodingResult> EncoderThread::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(results_, {});
}

bool EncoderThread::stop(core::Duration limit) {
  if (!thread_.is_joinable()) return true;
  is_stopping_.store(true);
  wait_point_.wake();
  return thread_.join_for(limit);
}

void EncoderThread::run() {
  platform::ExitGuard guard([this] { wait_point_.wake(); });
  const auto goes_on = [this, &guard] {
    guard.park_if_exiting();
    return !is_stopping_.load();
  };
  while (goes_on()) {
    CodingJob job;
    if (take_job(job)) {
      give(run_coding(job, budget_, goes_on));
    } else {
      wait_point_.wait(kIdleWait, -1);
    }
  }
}

bool EncoderThread::take_job(CodingJob& job) {
  const std::lock_guard lock(mutex_);
  if (jobs_.empty()) return false;
  job = std::move(jobs_.front());
  jobs_.pop_front();
  return true;
}

void EncoderThread::give(CodingResult result) {
  {
    const std::lock_guard lock(mutex_);
    results_.push_back(std::move(result));
  }
  wake_();
}

}  // namespace posthaste::engine
