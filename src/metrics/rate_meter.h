// How fast something grows now, and what that means for an outage: the two numbers behind "the
// memory covers so many seconds" in the statistics.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace posthaste::metrics {

// Purpose: the smoothed rate of a counter. Threads: one at a time. Invariants: after a change of
// the rate, 63 % of it shows after kTimeConstant, however often or seldom the meter is fed.
class RateMeter {
 public:
  static constexpr core::Duration kTimeConstant = std::chrono::seconds(60);

  // total: the counter's value at `now`; neither goes back.
  void feed(core::Instant now, uint64_t total);
  // 0 until it was fed twice.
  double per_second() const { return per_second_; }

 private:
  std::optional<core::Instant> fed_at_;
  uint64_t total_ = 0;
  bool has_rate_ = false;
  double per_second_ = 0;
};

// How long an outage of every endpoint can last before free_bytes are full. Nothing: longer than a
// year, or for ever. in.
std::optional<core::Duration> outage_covered(uint64_t free_bytes, double bytes_per_second);

}  // namespace posthaste::metrics
