#include "engine/hand_over.h"

#include <utility>

namespace posthaste::engine {

HandOver::~HandOver() {
  taken_.insert(taken_.end(), put_.begin(), put_.end());
  for (const EventRange& range : taken_) {
    if (range.is_end) range.block->release();
  }
}

void HandOver::put(std::vector<EventRange> ranges) {
  uint64_t size = 0;
  for (const EventRange& range : ranges) size += size_of(range);
  waiting_bytes_.fetch_add(size, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (put_.empty()) {
    put_ = std::move(ranges);
  } else {
    put_.insert(put_.end(), ranges.begin(), ranges.end());
  }
}

bool HandOver::read(EventRange& out) {
  if (taken_.empty()) {
    const std::lock_guard lock(mutex_);
    taken_.assign(put_.begin(), put_.end());
    put_.clear();
  }
  if (taken_.empty()) return false;
  out = taken_.front();
  return true;
}

void HandOver::consumed(const EventRange& range) {
  waiting_bytes_.fetch_sub(size_of(range), std::memory_order_relaxed);
  if (range.is_end) range.block->release();
  taken_.pop_front();
}

bool HandOver::prepare_wait(bool /*wants_every_record*/) {
  const std::lock_guard lock(mutex_);
  return taken_.empty() && put_.empty();
}

bool HandOver::is_drained() const {
  if (!taken_.empty() || !is_finished_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(mutex_);
  return put_.empty();
}

}  // namespace posthaste::engine
