// States of endpoints and webhooks: what the receiver's word does, what the host hears (design 2a,
// 2b).
#include <catch2/catch.hpp>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::ReportKind;

namespace {

SimAnswer busy(int32_t code, std::string retry_after) {
  SimAnswer answer = status(code);
  answer.retry_after = std::move(retry_after);
  return answer;
}

core::WebhookSpec with(const std::string& key, const std::string& value) {
  core::WebhookSpec spec = spec_of();
  spec.overrides[key] = value;
  return spec;
}

std::vector<std::string> messages(DeliveryFixture& fixture, ReportKind kind) {
  std::vector<std::string> result;
  for (const engine::Report& report : fixture.reports(kind)) result.push_back(report.message);
  return result;
}

bool is_wanted(DeliveryFixture& fixture) {
  return fixture.engine.registry().wanted_types().any();
}

}  // namespace

TEST_CASE("The host hears when an endpoint fails, is throttled and recovers, and all is counted",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  int32_t code = 503;
  fixture.answer = [&](const transport::Request&) { return status(code); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1);
  fixture.run_for(31s);
  code = 429;
  fixture.run_for(10s);
  CHECK(fixture.counters("w").endpoint_health.get() == 1);
  code = 404;
  fixture.run_for(1min);
  code = 204;
  fixture.run_for(5min);
  const std::vector<std::string> expected = {"failing", "throttled", "failing", "healthy"};
  CHECK(messages(fixture, ReportKind::Endpoint) == expected);
  const auto reports = fixture.reports(ReportKind::Endpoint);
  CHECK(reports[0].status == 503);
  CHECK(reports[0].next_try_ms > reports[0].time_ms);
  CHECK(reports[1].status == 429);
  CHECK(reports[3].status == 204);
  const metrics::WebhookCounters& counters = fixture.counters("w");
  CHECK(counters.endpoint_falls.get() == 1);
  CHECK(counters.endpoint_throttles.get() == 1);
  CHECK(counters.endpoint_recoveries.get() == 1);
  CHECK(counters.endpoint_health.get() == 0);
}

TEST_CASE("Retry-After on 429 and 503 delays the next attempt, in seconds or as a date",
          "[engine][delivery]") {
  for (const int32_t code : {429, 503}) {
    for (const bool is_date : {false, true}) {
      DeliveryFixture fixture;
      fixture.answer = [&](const transport::Request&) {
        if (!fixture.begun.empty()) return status(200);
        const auto then = core::unix_seconds(fixture.engine.clock().wall_now() + 20min);
        char text[64];
        const time_t seconds = then;
        std::tm parts{};
        gmtime_r(&seconds, &parts);
        std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        return busy(code, is_date ? text : "1200");
      };
      REQUIRE(fixture.engine.put("w", spec_of()));
      fixture.push("delivery", 1);
      fixture.run_for(2h);
      REQUIRE(fixture.begun.size() == 2);
      const core::Duration waited = fixture.begun[1].begun - fixture.ended[0].ends;
      CHECK(waited > 20min - 2s);
      CHECK(waited <= 20min);
    }
  }
}

TEST_CASE("Retry-After in the past, garbage, or on another status changes nothing",
          "[engine][delivery]") {
  for (const SimAnswer& answer : {busy(503, "Sun, 06 Nov 1994 08:49:37 GMT"), busy(429, "soon"),
                                  busy(503, "-7"), busy(502, "600"), busy(404, "600")}) {
    DeliveryFixture fixture;
    fixture.answer = [&](const transport::Request&) { return answer; };
    REQUIRE(fixture.engine.put("w", spec_of()));
    fixture.push("delivery", 1);
    fixture.run_for(33s);
    REQUIRE(fixture.begun.size() >= 2);
    CHECK(fixture.begun[1].begun - fixture.ended[0].ends == 1s);
  }
}

TEST_CASE("A huge Retry-After does not keep a batch beyond retry.max_age", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return busy(503, "99999999999999999999"); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1);
  fixture.run_for(4h + 31s);
  CHECK(fixture.reports(ReportKind::Dropped).size() == 1);
  CHECK(fixture.begun.size() == 1);
}

TEST_CASE("A redirect is a failure, and its report names the Location without user and password",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer = status(302);
    answer.location = "https://user:secret@example.com/login?x=1";
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1);
  fixture.run_for(31s);
  CHECK(fixture.reports(ReportKind::Retrying).at(0).message ==
        "HTTP 302, which is not followed, to https://example.com/login?x=1");
}

TEST_CASE("410 is a failure like others unless http.gone says disable", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(410); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1);
  fixture.run_for(10min);
  CHECK(fixture.states().empty());
  CHECK(fixture.begun.size() > 5);
}

TEST_CASE(
    "A disabled webhook takes nothing, holds what is queued while its clock runs, and goes on "
    "when it is resumed",
    "[engine][delivery]") {
  DeliveryFixture fixture;
  int32_t code = 410;
  fixture.answer = [&](const transport::Request&) { return status(code); };
  REQUIRE(fixture.engine.put("w", with("http.gone", "disable")));
  fixture.push("delivery", 2);
  CHECK(is_wanted(fixture));
  fixture.run_for(31s);
  CHECK(fixture.states() == std::vector<std::string>{"disabled"});
  CHECK_FALSE(is_wanted(fixture));
  CHECK(fixture.begun.size() == 1);
  fixture.push("delivery", 3);
  fixture.run_for(1h);
  CHECK(fixture.begun.size() == 1);
  CHECK(fixture.counters("w").waiting_events.get() == 2);
  CHECK(fixture.flush());

  code = 200;
  REQUIRE(fixture.engine.set_paused("w", false));
  fixture.step();
  CHECK(is_wanted(fixture));
  CHECK(fixture.states() == std::vector<std::string>{"disabled", "active"});
  CHECK(fixture.begun.size() == 2);
  CHECK(fixture.ended.back().body == DeliveryFixture::body(0, 2));
  fixture.push("delivery", 1);
  fixture.run_for(31s);
  CHECK(fixture.counters("w").events_delivered.get() == 3);
}

TEST_CASE("What a disabled webhook holds expires after retry.max_age", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(410); };
  REQUIRE(fixture.engine.put("w", with("http.gone", "disable")));
  fixture.push("delivery", 2);
  fixture.run_for(4h + 31s);
  CHECK(fixture.begun.size() == 1);
  CHECK(fixture.counters("w").events_dropped_expired.get() == 2);
}

TEST_CASE("The open batch of a webhook is sealed when it is disabled", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer = status(410);
    answer.response = 2s;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", with("http.gone", "disable")));
  fixture.push("delivery", 1);
  fixture.run_for(31s);
  fixture.push("delivery", 4);
  fixture.run_for(2s);
  CHECK(fixture.states() == std::vector<std::string>{"disabled"});
  CHECK(fixture.counters("w").open_events.get() == 0);
  CHECK(fixture.counters("w").waiting_events.get() == 5);
}

TEST_CASE("Nothing but failure for disable.after disables a webhook, with a warning before",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", with("disable.after", "2h")));
  fixture.push("delivery", 1);
  fixture.run_for(59min);
  CHECK(messages(fixture, ReportKind::Endpoint).size() == 1);
  fixture.run_for(10min);
  const auto warnings = fixture.reports(ReportKind::Endpoint);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[1].message.find("after 7200 s it is disabled") != std::string::npos);
  CHECK(fixture.states().empty());
  fixture.run_for(1h);
  CHECK(fixture.states() == std::vector<std::string>{"disabled"});
  CHECK(fixture.reports(ReportKind::Endpoint).size() == 2);
}

TEST_CASE("A single success starts the time of disable.after anew", "[engine][delivery]") {
  DeliveryFixture fixture;
  int32_t code = 503;
  fixture.answer = [&](const transport::Request&) { return status(code); };
  REQUIRE(fixture.engine.put("w", with("disable.after", "2h")));
  for (int i = 0; i < 3; ++i) {
    code = 503;
    fixture.push("delivery", 1);
    fixture.run_for(110min);
    code = 200;
    fixture.run_for(6min);
  }
  CHECK(fixture.states().empty());
  CHECK(fixture.counters("w").events_delivered.get() == 3);
}

TEST_CASE("The failures of an old target do not disable a webhook", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request& request) {
    return status(request.url == kTarget ? 410 : 200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1);
  fixture.run_for(31s);
  core::WebhookSpec change;
  change.target = "http://127.0.0.1:9090/new";
  change.overrides["http.gone"] = "disable";
  REQUIRE(fixture.engine.update("w", change));
  fixture.run_for(10min);
  CHECK(fixture.states().empty());
}
