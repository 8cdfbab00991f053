// Webhooks that change while events flow, and the table of states (design 2a "Edits", 2b).
#include <catch2/catch.hpp>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::DropReason;
using engine::ReportKind;

namespace {

constexpr const char* kOther = "http://127.0.0.1:9090/other";

core::WebhookSpec change_target(std::string target) {
  core::WebhookSpec change;
  change.target = std::move(target);
  return change;
}

core::WebhookSpec change_active(bool active) {
  core::WebhookSpec change;
  change.active = active;
  return change;
}

SimAnswer slow(core::Duration response) {
  SimAnswer answer;
  answer.response = response;
  return answer;
}

// Everything for the first target fails, everything else passes.
SimAnswer only_other(const transport::Request& request) {
  return request.url == kTarget ? status(503) : status(200);
}

}  // namespace

TEST_CASE("Queued batches keep their target when the webhook gets another one",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.set_paused("w", true));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.update("w", change_target(kOther)));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.set_paused("w", false));
  fixture.step();
  REQUIRE(fixture.ended.size() == 2);
  CHECK(fixture.ended[0].request.url == kTarget);
  CHECK(fixture.ended[0].body == R"([{"n":0}])");
  CHECK(fixture.ended[1].request.url == kOther);
  CHECK(fixture.ended[1].body == R"([{"n":1}])");
}

TEST_CASE("Events before a change of target go to the old one, events behind it to the new one",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 2);
  REQUIRE(fixture.engine.update("w", change_target(kOther)));
  fixture.push("delivery", 2);
  fixture.flush();
  REQUIRE(fixture.ended.size() == 2);
  CHECK(fixture.ended[0].request.url == kTarget);
  CHECK(fixture.ended[0].body == R"([{"n":0},{"n":1}])");
  CHECK(fixture.ended[1].request.url == kOther);
  CHECK(fixture.ended[1].body == R"([{"n":2},{"n":3}])");
}

TEST_CASE("A new target starts healthy and never waits behind the batches of the old one",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = only_other;
  REQUIRE(fixture.engine.put("w", spec_of()));
  for (int i = 0; i < 5; ++i) {
    fixture.push("delivery");
    fixture.flush();
  }
  fixture.run_for(1h);
  REQUIRE(fixture.engine.update("w", change_target(kOther)));
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.ended.back().request.url == kOther);
  CHECK(fixture.reports(ReportKind::Delivered).size() == 1);
  fixture.run_for(4h);
  uint64_t dropped_count = 0;
  for (const auto& drop : fixture.reports(ReportKind::Dropped)) {
    CHECK(drop.reason == DropReason::Expired);
    dropped_count += drop.events_count;
  }
  CHECK(dropped_count == 5);
}

TEST_CASE("Headers are those of now while the origin is the same", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [&](const transport::Request&) {
    return status(fixture.begun.empty() ? 401 : 200);
  };
  core::WebhookSpec spec = spec_of();
  spec.auth_token = "first";
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  core::WebhookSpec change = change_target("http://127.0.0.1:8080/another/path");
  change.auth_token = "second";
  change.headers = {{"X-New", "1"}};
  REQUIRE(fixture.engine.update("w", change));
  fixture.run_for(1s);
  REQUIRE(fixture.ended.size() == 2);
  CHECK(DeliveryFixture::header(fixture.ended[0], "X-MessageSystems-Webhook-Token") == "first");
  CHECK(fixture.ended[1].request.url == kTarget);
  CHECK(DeliveryFixture::header(fixture.ended[1], "X-MessageSystems-Webhook-Token") == "second");
  CHECK(DeliveryFixture::header(fixture.ended[1], "X-New") == "1");
}

TEST_CASE("Headers are those of sealing for another origin", "[engine][delivery]") {
  for (const char* target : {"http://127.0.0.1:8081/hook", "http://127.0.0.2:8080/hook",
                             "https://127.0.0.1:8080/hook"}) {
    DeliveryFixture fixture;
    fixture.answer = [&](const transport::Request&) {
      return status(fixture.begun.empty() ? 401 : 200);
    };
    core::WebhookSpec spec = spec_of();
    spec.auth_token = "first";
    spec.headers = {{"X-Old", "1"}};
    REQUIRE(fixture.engine.put("w", spec));
    fixture.push("delivery");
    fixture.flush();
    core::WebhookSpec change = change_target(target);
    change.auth_token = "second";
    REQUIRE(fixture.engine.update("w", change));
    fixture.run_for(1s);
    REQUIRE(fixture.ended.size() == 2);
    CHECK(fixture.ended[1].request.url == kTarget);
    CHECK(DeliveryFixture::header(fixture.ended[1], "X-MessageSystems-Webhook-Token") == "first");
    CHECK(DeliveryFixture::header(fixture.ended[1], "X-Old") == "1");
  }
}

TEST_CASE("A change of types seals the open batch first", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of(kTarget, {"delivery", "bounce"})));
  fixture.push("delivery");
  fixture.push("bounce");
  core::WebhookSpec change;
  change.events = {"bounce", "open"};
  REQUIRE(fixture.engine.update("w", change));
  fixture.push("bounce");
  fixture.push("open");
  fixture.push("delivery");
  fixture.step();
  CHECK(fixture.bodies() == std::vector<std::string>{R"([{"n":0},{"n":1}])"});
  fixture.flush();
  CHECK(fixture.bodies().at(1) == R"([{"n":2},{"n":3}])");
}

TEST_CASE("A change of other keys does not seal", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  core::WebhookSpec change;
  change.name = "other";
  change.auth_token = "token";
  change.overrides["retry.base"] = "2s";
  REQUIRE(fixture.engine.update("w", change));
  fixture.push("delivery");
  fixture.run_for(29s);
  CHECK(fixture.begun.empty());
  fixture.run_for(1s);
  CHECK(fixture.bodies() == std::vector<std::string>{R"([{"n":0},{"n":1}])"});
}

TEST_CASE("Limits of batches are those of now", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  core::WebhookSpec change;
  change.overrides["batch.max_age"] = "5s";
  REQUIRE(fixture.engine.update("w", change));
  fixture.run_for(5s);
  CHECK(fixture.ended.size() == 1);
  change.overrides["batch.max_events"] = "2";
  REQUIRE(fixture.engine.update("w", change));
  fixture.push("delivery", 4);
  fixture.run_for(20ms);
  CHECK(fixture.ended.size() == 3);
}

TEST_CASE("An inactive webhook takes nothing, its open batch is sealed and its queue drains",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [&](const transport::Request&) {
    return fixture.begun.size() < 2 ? status(503) : status(200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  fixture.push("delivery");
  REQUIRE(fixture.engine.update("w", change_active(false)));
  fixture.push("delivery");
  fixture.run_for(10min);
  CHECK(fixture.counters("w").events_delivered.get() == 2);
  CHECK(fixture.counters("w").events_routed.get() == 2);
  CHECK(fixture.states() == std::vector<std::string>{"inactive"});

  REQUIRE(fixture.engine.update("w", change_active(true)));
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.bodies().back() == R"([{"n":3}])");
  CHECK(fixture.states() == std::vector<std::string>{"inactive", "active"});
}

TEST_CASE("The four hours run on while a webhook is inactive", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.update("w", change_active(false)));
  fixture.run_for(4h);
  CHECK(fixture.reports(ReportKind::Dropped).size() == 1);
}

TEST_CASE("A paused webhook takes events and seals as usual, and holds what is sealed",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.set_paused("w", true));
  for (int i = 0; i < 3; ++i) {
    fixture.push("delivery");
    fixture.run_for(31s);
  }
  CHECK(fixture.begun.empty());
  CHECK(fixture.counters("w").batches_sealed.get() == 3);
  CHECK(fixture.counters("w").waiting_batches.get() == 3);
  REQUIRE(fixture.engine.set_paused("w", false));
  fixture.step();
  CHECK(fixture.bodies() ==
        std::vector<std::string>{R"([{"n":0}])", R"([{"n":1}])", R"([{"n":2}])"});
  CHECK(fixture.states() == std::vector<std::string>{"paused", "active"});
}

TEST_CASE("What is in flight when a webhook is paused comes to its end", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return slow(2s); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.set_paused("w", true));
  fixture.run_for(2s);
  CHECK(fixture.reports(ReportKind::Delivered).size() == 1);
}

TEST_CASE("A paused webhook's batches do not age", "[engine][delivery]") {
  DeliveryFixture fixture;
  bool is_up = false;
  fixture.answer = [&](const transport::Request&) { return status(is_up ? 200 : 503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(3h);
  REQUIRE(fixture.engine.set_paused("w", true));
  fixture.run_for(48h);
  CHECK(fixture.reports(ReportKind::Dropped).empty());
  is_up = true;
  REQUIRE(fixture.engine.set_paused("w", false));
  fixture.step();
  CHECK(fixture.reports(ReportKind::Delivered).size() == 1);
}

TEST_CASE("A removed webhook takes nothing, its open batch is sealed and its queue drains",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [&](const transport::Request&) {
    return fixture.begun.size() < 2 ? status(503) : status(200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  const uint64_t generation = fixture.engine.registry().find("w")->generation;
  fixture.push("delivery");
  fixture.flush();
  fixture.push("delivery");
  REQUIRE(fixture.engine.remove("w", false));
  fixture.push("delivery");
  fixture.run_for(10min);
  CHECK(fixture.reports(ReportKind::Delivered).size() == 2);
  CHECK(fixture.states() == std::vector<std::string>{"removed"});
  CHECK(fixture.engine.counters_of(generation) == nullptr);
}

TEST_CASE("A webhook that is removed while it is paused drains", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.set_paused("w", true));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.remove("w", false));
  fixture.step();
  CHECK(fixture.bodies() == std::vector<std::string>{R"([{"n":0}])"});
}

TEST_CASE("A flag drops the batches of a removed webhook; what is in flight has its last attempt",
          "[engine][delivery]") {
  for (const int32_t code : {200, 503}) {
    DeliveryFixture fixture;
    fixture.answer = [&](const transport::Request&) {
      SimAnswer answer = slow(2s);
      answer.status = code;
      return answer;
    };
    REQUIRE(fixture.engine.put("w", spec_of()));
    const uint64_t generation = fixture.engine.registry().find("w")->generation;
    fixture.push("delivery");
    fixture.flush();
    fixture.push("delivery", 2);
    fixture.flush();
    fixture.push("delivery", 3);
    REQUIRE(fixture.engine.remove("w", true));
    fixture.run_for(10min);
    uint64_t dropped_count = 0;
    for (const auto& drop : fixture.reports(ReportKind::Dropped)) {
      CHECK(drop.reason == DropReason::Removed);
      dropped_count += drop.events_count;
    }
    CHECK(dropped_count == (code == 200 ? 5 : 6));
    CHECK(fixture.reports(ReportKind::Delivered).size() == (code == 200 ? 1 : 0));
    CHECK(fixture.reports(ReportKind::Retrying).empty());
    CHECK(fixture.ended.size() == 1);
    CHECK(fixture.engine.counters_of(generation) == nullptr);
  }
}

TEST_CASE("The same id made anew has nothing to do with the batches of the old one",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = only_other;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.remove("w", false));
  REQUIRE(fixture.engine.put("w", spec_of(kOther)));
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.ended.back().request.url == kOther);
  CHECK(fixture.ended.back().body == R"([{"n":1}])");
  CHECK(fixture.counters("w").events_routed.get() == 1);
  CHECK(fixture.counters("w").endpoint_health.get() == 0);
}

TEST_CASE("A webhook that is removed before its activation leaves nothing", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.create("w", spec_of()));
  fixture.step();
  REQUIRE(fixture.engine.remove("w", false));
  fixture.run_for(2min);
  CHECK(fixture.states() == std::vector<std::string>{"removed"});
  CHECK(fixture.begun.empty());
}

TEST_CASE("Engine settings reach webhooks that have no own value", "[engine][delivery]") {
  DeliveryFixture fixture;
  core::WebhookSpec own = spec_of("http://127.0.0.1:8080/own");
  own.overrides["batch.max_events"] = "5";
  REQUIRE(fixture.engine.put("own", own));
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.set("batch.max_events", "2"));
  fixture.push("delivery", 4);
  fixture.run_for(20ms);
  CHECK(fixture.ended.size() == 2);
  fixture.push("delivery", 1);
  fixture.run_for(20ms);
  CHECK(fixture.ended.size() == 3);
  CHECK(fixture.ended[2].request.url.ends_with("/own"));
}
