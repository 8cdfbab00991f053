#include "core/retry_policy.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace posthaste::core;
using namespace std::chrono_literals;

TEST_CASE("The delay doubles from the base up to the greatest", "[core][retry_policy]") {
  DeliverySettings settings;
  settings.retry_jitter = RetryJitter::None;
  Random random(1);
  const Duration expected[] = {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s};
  uint32_t failures = 0;
  for (const Duration delay : expected) CHECK(retry_delay(settings, ++failures, random) == delay);
  CHECK(retry_delay(settings, std::numeric_limits<uint32_t>::max(), random) == 5min);
}

TEST_CASE("Equal jitter keeps the delay within its upper half, and uses all of it",
          "[core][retry_policy]") {
  const DeliverySettings settings;
  Random random(7);
  for (uint32_t failures = 1; failures <= 12; ++failures) {
    DeliverySettings exact = settings;
    exact.retry_jitter = RetryJitter::None;
    const Duration whole = retry_delay(exact, failures, random);
    Duration least = Duration::max();
    Duration most = Duration::zero();
    for (int i = 0; i < 2000; ++i) {
      const Duration delay = retry_delay(settings, failures, random);
      REQUIRE(delay >= whole / 2);
      REQUIRE(delay <= whole);
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    CHECK(least < whole / 2 + whole / 50);
    CHECK(most > whole - whole / 50);
  }
}

TEST_CASE("A base above the greatest delay is cut to it", "[core][retry_policy]") {
  DeliverySettings settings;
  settings.retry_jitter = RetryJitter::None;
  settings.retry_base = 10min;
  Random random(1);
  CHECK(retry_delay(settings, 1, random) == 5min);
  CHECK(retry_delay(settings, 4, random) == 5min);
}

TEST_CASE("A ladder is taken as it is written, the last step repeating", "[core][retry_policy]") {
  DeliverySettings settings;
  settings.retry_schedule = {1min, 5min, 30min, 60min};
  Random random(1);
  const Duration expected[] = {1min, 5min, 30min, 60min, 60min, 60min};
  uint32_t failures = 0;
  for (const Duration delay : expected) CHECK(retry_delay(settings, ++failures, random) == delay);
}
