#include "api/access.h"

#include <catch2/catch.hpp>
#include <string>

using namespace posthaste;
using namespace std::chrono_literals;

namespace {

constexpr core::Instant kNow{1000s};

// How many failures pass before one is too many.
int failures_allowed(api::FailureBrake& brake, const std::string& peer, core::Instant now) {
  int count = 0;
  while (!brake.fail(peer, now)) ++count;
  return count;
}

}  // namespace

TEST_CASE("Twenty failures a minute pass, the next is one too many", "[api][access]") {
  api::FailureBrake brake;
  CHECK(failures_allowed(brake, "192.0.2.1", kNow) == 20);
  CHECK(brake.fail("192.0.2.1", kNow + 59s));
  CHECK_FALSE(brake.fail("192.0.2.1", kNow + 60s));
}

TEST_CASE("Failures of one address do not slow another", "[api][access]") {
  api::FailureBrake brake;
  failures_allowed(brake, "192.0.2.1", kNow);
  CHECK_FALSE(brake.fail("192.0.2.2", kNow));
}

TEST_CASE("Addresses of one IPv6 network count together, however they are written",
          "[api][access]") {
  api::FailureBrake brake;
  failures_allowed(brake, "2001:db8::1", kNow);
  CHECK(brake.fail("2001:db8:0:0:1:2:3:4", kNow));
  CHECK_FALSE(brake.fail("2001:db8:0:1::1", kNow));
}

TEST_CASE("Without an address nothing is counted", "[api][access]") {
  api::FailureBrake brake;
  for (int i = 0; i < 100; ++i) CHECK_FALSE(brake.fail("", kNow));
}

TEST_CASE("A flood of addresses takes bounded memory and leaves the newest counted",
          "[api][access]") {
  api::FailureBrake brake;
  for (int i = 0; i < 10'000; ++i) {
    CHECK_FALSE(brake.fail("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256),
                           kNow + std::chrono::milliseconds(i)));
  }
  CHECK(failures_allowed(brake, "192.0.2.1", kNow + 11s) == 20);
}
