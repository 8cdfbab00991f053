// How long to wait after the n-th failure: exponential with equal jitter, or a fixed ladder.
#pragma once

#include <cstdint>

#include "core/random.h"
#include "core/settings.h"

namespace posthaste::core {

// failures_count: failures so far, at least 1. The exponential delay is base * 2^(n-1), at most
// retry_max, and with equal jitter a uniform choice of [d/2, d]. A ladder is taken as it is
// written: its steps are the operator's word.
inline Duration retry_delay(const DeliverySettings& settings, uint32_t failures_count,
                            Random& random) {
  if (!settings.retry_schedule.empty()) {
    const auto& ladder = settings.retry_schedule;
    const size_t step = failures_count - 1;
    return step < ladder.size() ? ladder[step] : ladder.back();
  }
  Duration delay = settings.retry_base;
  for (uint32_t i = 1; i < failures_count && delay < settings.retry_max; ++i) delay *= 2;
  if (delay > settings.retry_max) delay = settings.retry_max;
  if (settings.retry_jitter == RetryJitter::None) return delay;
  const auto half = static_cast<uint64_t>(delay.count()) / 2;
  return Duration(delay.count() - static_cast<int64_t>(random.below(half + 1)));
}

}  // namespace posthaste::core
