#include "transport/retry_after.h"

#include <catch2/catch.hpp>

using namespace posthaste;
using namespace std::chrono_literals;
using transport::parse_retry_after;

namespace {

// Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
constexpr core::WallTime kThen{std::chrono::seconds(784111777)};

}  // namespace

TEST_CASE("Retry-After is a number of seconds or a date in one of HTTP's three forms",
          "[transport][retry_after]") {
  CHECK(parse_retry_after("120", kThen) == 120s);
  CHECK(parse_retry_after("0", kThen) == 0s);
  for (const char* date : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    INFO(date);
    CHECK(parse_retry_after(date, kThen - 90s) == 90s);
  }
}

TEST_CASE("A Retry-After in the past asks for nothing", "[transport][retry_after]") {
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kThen + 1h) == 0s);
}

TEST_CASE("A huge Retry-After does not overflow", "[transport][retry_after]") {
  const auto years = std::chrono::hours(24 * 365);
  for (const char* text :
       {"99999999999999999999999999", "9223372036854775807", "Fri, 31 Dec 9999 23:59:59 GMT"}) {
    INFO(text);
    const auto asked = parse_retry_after(text, kThen);
    REQUIRE(asked);
    CHECK(*asked > 9 * years);
    CHECK(*asked < 11 * years);
  }
}

TEST_CASE("A Retry-After that is neither number nor date says nothing",
          "[transport][retry_after]") {
  for (const char* text :
       {"", "soon", "-5", "1.5", "1e3", "12 seconds", "12:30", "Sun, 99 Nov 1994 08:49:37 GMT"}) {
    INFO(text);
    CHECK_FALSE(parse_retry_after(text, kThen));
  }
  CHECK_FALSE(parse_retry_after(std::string(1000, '1'), kThen));
}
