// Names that do not resolve, resolvers that hang, and a libcurl that fails: the transport stays
// alive and answers.
#include <catch2/catch.hpp>

#include "interposed.h"
#include "support/receiver.h"
#include "transport/resolver_limit.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using transport::Completion;
using transport::Phase;
using transport::Reached;
using transport::Request;

// Hangs look-ups for its lifetime, and outlives the threads that hang.
class HangingResolver {
 public:
  HangingResolver() { is_resolver_hanging = true; }
  ~HangingResolver() {
    is_resolver_hanging = false;
    while (hanging_resolver_count != 0) std::this_thread::sleep_for(5ms);
  }
};

Request hanging_request(TransportFixture& fixture, int index, core::Duration connect_timeout) {
  Request request = fixture.request("http://h" + std::to_string(index) + ".hanging.test:1/");
  request.connect_timeout = connect_timeout;
  return request;
}

TEST_CASE("A name that does not exist is told as such", "[transport][resolver]") {
  TransportFixture fixture;
  const Completion completion = fixture.post("http://no-such-name.invalid/");
  CHECK(completion.phase == Phase::Dns);
  CHECK(completion.network_name == "ENOTFOUND");
  CHECK(completion.reached == Reached::No);
  CHECK_FALSE(completion.timed_out);
  CHECK(completion.remote_address.empty());
}

TEST_CASE("A hanging resolver is cut at the connect time-out and delays no other transfer",
          "[transport][resolver]") {
  HangingResolver hanging;
  Receiver receiver;
  TransportFixture fixture;
  for (int i = 0; i < 3; ++i) fixture.transport().begin(hanging_request(fixture, i, 500ms));
  CHECK(fixture.drive_for(20ms).empty());

  // Hundreds of requests pass while the look-ups hang and while they are given up.
  const auto start = std::chrono::steady_clock::now();
  std::vector<Completion> given_up;
  core::Duration longest{};
  while (elapsed_since(start) < 800ms) {
    const Request request = fixture.request(receiver.url("/"));
    fixture.transport().begin(request);
    const auto begun = std::chrono::steady_clock::now();
    bool has_passed = false;
    while (!has_passed) {
      for (Completion& completion : fixture.drive_for(1ms)) {
        if (completion.id == request.id) {
          CHECK(completion.status == 200);
          has_passed = true;
        } else {
          given_up.push_back(completion);
        }
      }
    }
    longest = std::max(longest, elapsed_since(begun));
  }
  CHECK(longest < 250ms);
  REQUIRE(given_up.size() == 3);
  for (const Completion& completion : given_up) {
    CHECK(completion.timed_out);
    CHECK(completion.phase == Phase::Dns);
    CHECK(completion.network_name == "EAI_AGAIN");
    CHECK(completion.reached == Reached::No);
    CHECK(completion.timings.total >= 490ms);
    CHECK(completion.timings.total < 800ms);
  }
  CHECK(hanging_resolver_count == 3);
}

TEST_CASE("Cancelling and destroying do not wait for a hanging resolver", "[transport][resolver]") {
  HangingResolver hanging;
  TransportFixture fixture;
  const Request first = hanging_request(fixture, 1, 10s);
  fixture.transport().begin(first);
  fixture.transport().begin(hanging_request(fixture, 2, 10s));
  CHECK(fixture.drive_for(100ms).empty());
  CHECK(hanging_resolver_count == 2);
  const auto start = std::chrono::steady_clock::now();
  fixture.transport().cancel(first.id);
  CHECK(elapsed_since(start) < 50ms);
  fixture.destroy_transport();
  CHECK(elapsed_since(start) < 100ms);
  CHECK(hanging_resolver_count == 2);
}

TEST_CASE("With 32 look-ups held, new names fail at once and known hosts still work",
          "[transport][resolver]") {
  HangingResolver hanging;
  Receiver receiver;
  TransportFixture fixture;
  const std::string known = "http://known.loopback.test:" + std::to_string(receiver.port()) + "/";
  CHECK(fixture.post(known).status == 200);

  const int held = static_cast<int>(transport::kHeldResolutionsMax);
  for (int i = 0; i < held; ++i) fixture.transport().begin(hanging_request(fixture, i, 100ms));
  for (const Completion& completion : fixture.wait_for(transport::kHeldResolutionsMax)) {
    CHECK(completion.phase == Phase::Dns);
  }
  const Completion refused = fixture.post(hanging_request(fixture, held, 10s));
  CHECK(refused.phase == Phase::Dns);
  CHECK(refused.timed_out);
  CHECK(refused.network_name == "EAI_AGAIN");
  CHECK(refused.reached == Reached::No);
  CHECK(refused.timings.total < 100ms);
  CHECK(hanging_resolver_count == held);

  Request unconnected = fixture.request(known);
  unconnected.connection.keep_alive = false;  // a new connection, so the name is needed again
  CHECK(fixture.post(unconnected).status == 200);
  Request literal = fixture.request(receiver.url("/"));
  literal.connection.keep_alive = false;
  CHECK(fixture.post(literal).status == 200);
}

TEST_CASE("A slow resolver that answers in time does no harm", "[transport][resolver]") {
  Receiver receiver;
  resolver_delay_ms = 400;
  TransportFixture fixture;  // its request time-out is 300 ms, which must not count yet
  const Completion completion =
      fixture.post("http://slow.loopback.test:" + std::to_string(receiver.port()) + "/");
  resolver_delay_ms = 0;
  CHECK(completion.status == 200);
  CHECK(completion.timings.dns >= 400ms);
}

TEST_CASE("When libcurl's loop fails, every request still ends", "[transport][multi]") {
  Receiver receiver;
  receiver.hang();
  TransportFixture fixture;
  for (int i = 0; i < 5; ++i) fixture.transport().begin(fixture.request(receiver.url("/")));
  CHECK(fixture.drive_for(50ms).empty());
  is_perform_failing = true;
  for (const Completion& completion : fixture.wait_for(5)) {
    CHECK(completion.status == 0);
    CHECK(completion.reached == Reached::Maybe);
    CHECK_FALSE(completion.detail.empty());
  }
  const Completion completion = fixture.post(receiver.url("/"));
  CHECK(completion.status == 0);
  CHECK(completion.reached == Reached::No);
  is_perform_failing = false;
  receiver.behave();
  CHECK(fixture.post(receiver.url("/")).status == 200);
}

TEST_CASE("When libcurl's poll fails, requests go on and the loop does not spin",
          "[transport][multi]") {
  Receiver receiver;
  TransportFixture fixture;
  is_poll_failing = true;
  failed_poll_count = 0;
  CHECK(fixture.post(receiver.url("/")).status == 200);
  CHECK(fixture.drive_for(200ms).empty());
  is_poll_failing = false;
  CHECK(failed_poll_count > 0);
  CHECK(failed_poll_count < 100);
}

}  // namespace
}  // namespace posthaste::testing
