// A few threads with one bounded queue. The listener has two of them, so that calls that wait for a
// receiver do not hold up those that do not.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "admin/exchange.h"
#include "core/result.h"
#include "platform/thread.h"

namespace posthaste::admin {

// Purpose: answers exchanges on threads of its own. Ownership: of its threads, until stop. Threads:
// submit on the listener's thread, start and stop on those of its owner. Invariants: beyond those
// that a free thread is about to take, at most queue_max exchanges wait.
class Lane {
 public:
  // Called on a worker's thread with each exchange; what it does must not throw.
  using Work = std::function<void(const std::shared_ptr<Exchange>&)>;

  Lane(std::string thread_name, size_t threads_count, size_t queue_max, Work work);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  core::Result<> start();
  // False: the queue is full.
  bool submit(std::shared_ptr<Exchange> exchange);
  // Forgets what waits, and waits for what is being worked on. May be called twice.
  void stop();

 private:
  void run();

  const std::string thread_name_;
  const size_t threads_count_;
  const size_t queue_max_;
  const Work work_;
  std::vector<platform::Thread> threads_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Exchange>> queue_;  // guarded by mutex_
  size_t busy_count_ = 0;                        // of threads; guarded by mutex_
  bool is_stopping_ = false;                     // guarded by mutex_
};

}  // namespace posthaste::admin
