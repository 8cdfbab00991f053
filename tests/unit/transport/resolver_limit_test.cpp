#include "transport/resolver_limit.h"

#include <catch2/catch.hpp>

namespace posthaste::transport {
namespace {

using namespace std::chrono_literals;

TEST_CASE("The resolver limit is reached at 32 and frees each slot after 60 s",
          "[transport][resolver_limit]") {
  ResolverLimit limit;
  const core::Instant start{1h};
  for (size_t i = 0; i < kHeldResolutionsMax; ++i) {
    CHECK_FALSE(limit.is_reached(start + 31s));
    limit.hold(start + std::chrono::seconds(i));
  }
  CHECK(limit.is_reached(start + 31s));
  CHECK(limit.is_reached(start + 59s));
  CHECK_FALSE(limit.is_reached(start + 60s));
  CHECK(limit.held_count(start + 60s) == kHeldResolutionsMax - 1);
  CHECK(limit.held_count(start + 91s) == 0);
}

TEST_CASE("Holding beyond the limit replaces the oldest", "[transport][resolver_limit]") {
  ResolverLimit limit;
  const core::Instant start{1h};
  for (int i = 0; i < 100; ++i) limit.hold(start + std::chrono::seconds(i));
  CHECK(limit.held_count(start + 99s) == kHeldResolutionsMax);
  CHECK_FALSE(limit.is_reached(start + 128s));
}

}  // namespace
}  // namespace posthaste::transport
