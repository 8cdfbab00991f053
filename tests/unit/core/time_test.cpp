#include "core/time.h"

#include <catch2/catch.hpp>
#include <limits>
#include <type_traits>

using namespace posthaste::core;

TEST_CASE("The two clocks do not mix", "[core][time]") {
  CHECK_FALSE(std::is_convertible_v<Instant, WallTime>);
  CHECK_FALSE(std::is_convertible_v<WallTime, Instant>);
  CHECK_FALSE(std::is_assignable_v<Instant&, WallTime>);
}

TEST_CASE("Wall time is told in whole seconds and milliseconds since 1970", "[core][time]") {
  const WallTime time(std::chrono::seconds(1'772'323'200) + std::chrono::microseconds(1'999'999));
  CHECK(unix_seconds(time) == 1'772'323'201);
  CHECK(unix_ms(time) == 1'772'323'201'999);
  CHECK(unix_ms(WallTime{}) == 0);
}

TEST_CASE("Never is later than every instant", "[core][time]") {
  CHECK(Instant(std::chrono::hours(24 * 365 * 200)) < kNever);
  CHECK(kNever.time_since_epoch().count() == std::numeric_limits<int64_t>::max());
}
