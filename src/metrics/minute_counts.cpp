#include "metrics/minute_counts.h"

#include <algorithm>

namespace posthaste::metrics {

// From 1 on, so that a slot of 0 belongs to no minute.
uint64_t MinuteCounts::minute_of(core::Instant time) {
  const auto minutes = std::chrono::floor<std::chrono::minutes>(time.time_since_epoch());
  return static_cast<uint64_t>(minutes.count()) + 1;
}

void MinuteCounts::feed(core::Instant now, uint64_t total) {
  const uint64_t growth = total - std::min(total_, total);
  total_ = total;
  if (growth == 0) return;
  const uint64_t minute = minute_of(now);
  std::atomic<uint64_t>& slot = slots_[minute % slots_.size()];
  const uint64_t old = slot.load(std::memory_order_relaxed);
  const uint64_t counted = old >> kCountBits == minute ? old & kCountMax : 0;
  slot.store(minute << kCountBits | std::min(counted + growth, kCountMax),
             std::memory_order_relaxed);
}

MinuteCounts::History MinuteCounts::history(core::Instant now) const {
  const uint64_t last = minute_of(now);
  History history;
  history.last_so_far = now.time_since_epoch() - std::chrono::minutes(last - 1);
  for (uint64_t minute = last > kMinutes ? last - kMinutes : 1; minute <= last; ++minute) {
    const uint64_t slot = slots_[minute % slots_.size()].load(std::memory_order_relaxed);
    const uint64_t count = slot >> kCountBits == minute ? slot & kCountMax : 0;
    if (count > 0 || !history.counts.empty()) history.counts.push_back(count);
  }
  return history;
}

}  // namespace posthaste::metrics
