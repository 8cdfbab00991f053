#include "metrics/rate_meter.h"

#include <catch2/catch.hpp>

using namespace posthaste;
using namespace posthaste::metrics;
using namespace std::chrono_literals;

namespace {

core::Instant at(core::Duration time) {
  return core::Instant(time);
}

}  // namespace

TEST_CASE("A rate is known from the second reading on", "[metrics][rate_meter]") {
  RateMeter meter;
  CHECK(meter.per_second() == 0);
  meter.feed(at(100s), 5000);
  CHECK(meter.per_second() == 0);
  meter.feed(at(100s), 9000);
  CHECK(meter.per_second() == 0);
  meter.feed(at(102s), 7000);
  CHECK(meter.per_second() == Approx(1000));
}

TEST_CASE("A change of the rate shows by 63 % after the time constant however often it is fed",
          "[metrics][rate_meter]") {
  for (const core::Duration step :
       {core::Duration(60s), core::Duration(1s), core::Duration(10ms)}) {
    RateMeter meter;
    meter.feed(at(0s), 0);
    meter.feed(at(10s), 10'000);
    uint64_t total = 10'000;
    for (core::Duration time = 10s + step; time <= 70s; time += step) {
      total += static_cast<uint64_t>(3000 * step / 1s);
      meter.feed(at(time), total);
    }
    CHECK(meter.per_second() == Approx(1000 + 2000 * 0.632).epsilon(0.01));
  }
}

TEST_CASE("The outage that free memory covers is memory by rate", "[metrics][rate_meter]") {
  CHECK(std::chrono::duration<double>(*outage_covered(64u << 20, 4660.0)).count() ==
        Approx(14'401).epsilon(0.001));
  CHECK(outage_covered(0, 10) == 0ns);
  CHECK_FALSE(outage_covered(1000, 0));
  CHECK_FALSE(outage_covered(1u << 30, 1e-9));
}
