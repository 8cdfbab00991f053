// The whole engine beside a resolver that does not answer. Here because only this program can make
// getaddrinfo hang.
#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

#include "interposed.h"
#include "support/host.h"
#include "support/receiver.h"

namespace posthaste::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("A resolver that hangs delays no other webhook, and close returns in time",
          "[engine][resolver]") {
  is_resolver_hanging = true;
  {
    Receiver receiver;
    Host host;
    for (int i = 0; i < 5; ++i) {
      host.put("stuck-" + std::to_string(i), "http://h" + std::to_string(i) + ".hanging.test/",
               {{"batch.max_events", "1"}});
    }
    host.put("well", receiver.url(), {{"batch.max_events", "1"}}).start();
    host.must(host.push("delivery", "{}"));
    REQUIRE(receiver.log().wait_for_accepted_events(1, 5s));
    Clock::duration longest{};
    // Past the six seconds after which libcurl gives the look-ups up.
    for (uint64_t i = 2; i <= 80; ++i) {
      const auto begin = Clock::now();
      host.must(host.push("delivery", "{}"));
      REQUIRE(receiver.log().wait_for_accepted_events(i, 5s));
      longest = std::max(longest, Clock::now() - begin);
      std::this_thread::sleep_for(100ms);
    }
    CHECK(longest < 1s);
    CHECK(hanging_resolver_count >= 5);
    const auto begin = Clock::now();
    CHECK(host.close(1'000) == POSTHASTE_E_TIMEOUT);
    CHECK(Clock::now() - begin < 1'500ms);
  }
  is_resolver_hanging = false;
  while (hanging_resolver_count != 0) std::this_thread::sleep_for(5ms);
}

}  // namespace
}  // namespace posthaste::testing
