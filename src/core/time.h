// The two clocks of the design (section 3), as types that do not mix: Instant and Duration are
// monotonic, for intervals; WallTime is the calendar, for timestamps on the wire. The core never
// reads either: callers pass `now`.
#pragma once

#include <chrono>
#include <cstdint>

namespace posthaste::core {

// A length of monotonic time, nanosecond resolution.
using Duration = std::chrono::nanoseconds;

// A point on the monotonic clock. The epoch is arbitrary; only differences mean anything.
struct MonotonicClockTag {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClockTag>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClockTag::time_point;

// A point on the wall clock: time since the Unix epoch, nanosecond resolution.
struct WallClockTag {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<WallClockTag>;
  static constexpr bool is_steady = false;
};
using WallTime = WallClockTag::time_point;

// "No deadline": later than every instant that can occur.
inline constexpr Instant kNever = Instant::max();

constexpr int64_t unix_seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}
constexpr int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace posthaste::core
