// The thread that compresses and signs batches, so that neither host threads nor the delivery
// thread spend time on it. One for an engine, from the first batch that needs it on.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "core/time.h"
#include "engine/encoder.h"
#include "platform/thread.h"
#include "platform/wait_point.h"

namespace posthaste::engine {

// Purpose: the Encoder of a running engine. Ownership: owns its thread; `wake` outlives it.
// Threads: Encoder's functions the delivery thread, stop the one that closes, after the delivery
// thread has ended. Invariants: memory is that of Coder for one job, the results that were not
// taken, and jobs, of which there are no more than attempts (connections.max).
class EncoderThread final : public Encoder {
 public:
  // wake: makes the delivery thread take what is done.
  explicit EncoderThread(std::function<void()> wake) : wake_(std::move(wake)) {}
  // Ends the thread.
  ~EncoderThread() override;
  EncoderThread(const EncoderThread&) = delete;
  EncoderThread& operator=(const EncoderThread&) = delete;

  // Starts the thread with the first job. When the system refuses it, jobs are done here.
  void begin(CodingJob job) override;
  std::vector<CodingResult> take() override;
  // Forgets all jobs and ends the thread; false: it has not ended within that time, and runs on
  // with whatever it reads from.
  bool stop(core::Duration limit);

 private:
  void run();
  bool take_job(CodingJob& job);
  void give(CodingResult result);

  const std::function<void()> wake_;
  const CodedBudget budget_;
  std::atomic<bool> is_stopping_{false};
  platform::WaitPoint wait_point_;

  std::mutex mutex_;  // guards jobs_ and results_
  std::deque<CodingJob> jobs_;
  std::vector<CodingResult> results_;

  platform::Thread thread_;
  bool is_refused_ = false;  // the system gave no thread
};

}  // namespace posthaste::engine
