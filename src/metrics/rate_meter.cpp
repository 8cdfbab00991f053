#include "metrics/rate_meter.h"

#include <cmath>

namespace posthaste::metrics {
namespace {

// After a burst the smoothed rate falls for ever without reaching zero; a year is as good as no
// end.
constexpr double kLongestSeconds = 365 * 86'400.0;

double seconds(core::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void RateMeter::feed(core::Instant now, uint64_t total) {
  if (fed_at_) {
    if (now <= *fed_at_) return;
    const double interval = seconds(now - *fed_at_);
    const double rate = static_cast<double>(total - total_) / interval;
    const double weight = has_rate_ ? 1 - std::exp(-interval / seconds(kTimeConstant)) : 1;
    per_second_ += weight * (rate - per_second_);
    has_rate_ = true;
  }
  fed_at_ = now;
  total_ = total;
}

std::optional<core::Duration> outage_covered(uint64_t free_bytes, double bytes_per_second) {
  if (bytes_per_second <= 0) return std::nullopt;
  const double covered = static_cast<double>(free_bytes) / bytes_per_second;
  if (covered >= kLongestSeconds) return std::nullopt;
  return std::chrono::duration_cast<core::Duration>(std::chrono::duration<double>(covered));
}

}  // namespace posthaste::metrics
