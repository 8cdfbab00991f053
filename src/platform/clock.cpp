#include "platform/clock.h"

#include <time.h>

namespace posthaste::platform {
namespace {

core::Duration read(clockid_t id) {
  timespec value{};
  clock_gettime(id, &value);
  return std::chrono::seconds(value.tv_sec) + std::chrono::nanoseconds(value.tv_nsec);
}

}  // namespace

SystemClock::SystemClock() {
  timespec tick{};
  clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
  tick_ = std::chrono::seconds(tick.tv_sec) + std::chrono::nanoseconds(tick.tv_nsec);
}

core::Instant SystemClock::now() const {
  return core::Instant(read(CLOCK_MONOTONIC));
}

core::WallTime SystemClock::wall_now() const {
  return core::WallTime(read(CLOCK_REALTIME));
}

// The coarse clock lags by up to one tick; adding it keeps an age limit from being reached early.
core::Instant SystemClock::coarse_now() const {
  return core::Instant(read(CLOCK_MONOTONIC_COARSE) + tick_);
}

core::WallTime SystemClock::coarse_wall_now() const {
  return core::WallTime(read(CLOCK_REALTIME_COARSE));
}

}  // namespace posthaste::platform
