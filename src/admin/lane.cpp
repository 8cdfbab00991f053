#include "admin/lane.h"

#include <utility>

namespace posthaste::admin {

Lane::Lane(std::string thread_name, size_t threads_count, size_t queue_max, Work work)
    : thread_name_(std::move(thread_name)),
      threads_count_(threads_count),
      queue_max_(queue_max),
      work_(std::move(work)) {}

Lane::~Lane() {
  stop();
}

core::Result<> Lane::start() {
  for (size_t i = 0; i < threads_count_; ++i) {
    auto thread = platform::Thread::start(thread_name_, [this] { run(); });
    if (!thread) return thread.error();
    threads_.push_back(std::move(*thread));
  }
  return {};
}

bool Lane::submit(std::shared_ptr<Exchange> exchange) {
  const std::lock_guard lock(mutex_);
  // What a thread is about to take waits for none.
  if (queue_.size() + busy_count_ >= queue_max_ + threads_count_ || is_stopping_) return false;
  queue_.push_back(std::move(exchange));
  changed_.notify_one();
  return true;
}

void Lane::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
    if (is_stopping_) return;
    std::shared_ptr<Exchange> exchange = std::move(queue_.front());
    queue_.pop_front();
    ++busy_count_;
    lock.unlock();
    work_(exchange);
    exchange.reset();
    lock.lock();
    --busy_count_;
  }
}

void Lane::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    queue_.clear();
    changed_.notify_all();
  }
  for (platform::Thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace posthaste::admin
