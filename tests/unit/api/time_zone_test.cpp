#include "api/time_zone.h"

#include <catch2/catch.hpp>

using namespace posthaste;
using namespace std::chrono_literals;

TEST_CASE("Times are shown in the zone that was asked for, summer time included",
          "[api][time_zone]") {
  const core::WallTime summer(std::chrono::seconds(1406923755));  // 2014-08-01 20:09:15 UTC
  const core::WallTime winter(std::chrono::seconds(1388534400));  // 2014-01-01 00:00:00 UTC
  CHECK(api::TimeZone::find("UTC")->format(summer) == "2014-08-01 20:09:15");
  const auto new_york = api::TimeZone::find("America/New_York");
  REQUIRE(new_york);
  CHECK(new_york->format(summer) == "2014-08-01 16:09:15");
  CHECK(new_york->format(winter) == "2013-12-31 19:00:00");
}

TEST_CASE("What is no zone of the database is none", "[api][time_zone]") {
  for (const char* name : {"", "Nowhere/Land", "../../etc/passwd", "EST5EDT4"}) {
    CAPTURE(name);
    CHECK_FALSE(api::TimeZone::find(name));
  }
}
