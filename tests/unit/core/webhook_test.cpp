#include "core/webhook.h"

#include <catch2/catch.hpp>
#include <functional>

using namespace posthaste::core;
using namespace std::chrono_literals;

TEST_CASE("The state of a webhook follows from its flags and its activation", "[core][webhook]") {
  const Instant activation(100s);
  Webhook webhook;
  webhook.activates_at = activation;
  CHECK(state_of(webhook, activation - 1ns) == WebhookState::Activating);
  CHECK(state_of(webhook, activation) == WebhookState::Active);
  webhook.is_paused = true;
  CHECK(state_of(webhook, activation) == WebhookState::Paused);
  webhook.active = false;
  CHECK(state_of(webhook, activation) == WebhookState::Inactive);
  webhook.is_paused = false;
  CHECK(state_of(webhook, activation - 1ns) == WebhookState::Inactive);
}

TEST_CASE("States have the names of the design", "[core][webhook]") {
  CHECK(std::string(state_name(WebhookState::Activating)) == "activating");
  CHECK(std::string(state_name(WebhookState::Active)) == "active");
  CHECK(std::string(state_name(WebhookState::Inactive)) == "inactive");
  CHECK(std::string(state_name(WebhookState::Paused)) == "paused");
}

TEST_CASE("Every declared part makes another declaration, no part of the state does",
          "[core][webhook]") {
  Webhook base;
  base.id = "w";
  const std::function<void(Webhook&)> declared[] = {
      [](Webhook& w) { w.name = "x"; },
      [](Webhook& w) { w.target = "http://127.0.0.1/x"; },
      [](Webhook& w) { w.credentials = "user:password"; },
      [](Webhook& w) { w.events = {"bounce"}; },
      [](Webhook& w) { w.auth_token = "x"; },
      [](Webhook& w) {
        w.headers = {{"X-A", "b"}};
      },
      [](Webhook& w) { w.active = false; },
      [](Webhook& w) { w.overrides["batch.max_events"] = "5"; },
      [](Webhook& w) { w.settings.batch_max_events = 5; },
      [](Webhook& w) { w.source_file = "x.json"; },
  };
  for (const auto& change : declared) {
    Webhook other = base;
    change(other);
    CHECK_FALSE(is_same_declaration(base, other));
  }
  Webhook other = base;
  other.generation = 3;
  other.target_revision = 4;
  other.is_paused = true;
  other.activates_at = Instant(5s);
  other.created = WallTime(6s);
  CHECK(is_same_declaration(base, other));
}

TEST_CASE("Event lists are checked against the catalogue", "[core][webhook]") {
  const EventCatalogue catalogue;
  const auto unknown = select_events(catalogue, {"delivery", "no_such_event"});
  CHECK(unknown.code() == ErrorCode::BadEvents);
  CHECK(unknown.error().message.find("no_such_event") != std::string::npos);
  CHECK(unknown.error().key == "events");
}

TEST_CASE("An empty event list is refused", "[core][webhook]") {
  CHECK(select_events(EventCatalogue(), {}).code() == ErrorCode::BadEvents);
}

TEST_CASE("Raw names become documented ones, and repetitions go", "[core][webhook]") {
  const EventCatalogue catalogue;
  const auto selection =
      select_events(catalogue, {"delivery", "reception", "injection", "delivery"});
  REQUIRE(selection);
  CHECK(selection->events == std::vector<std::string>{"delivery", "injection"});
  CHECK(selection->types.count() == 2);
  CHECK(selection->types[catalogue.find("injection").id]);
}

TEST_CASE("A star means all and stands alone", "[core][webhook]") {
  EventCatalogue catalogue;
  const auto selection = select_events(catalogue, {"delivery", "*", "bounce"});
  REQUIRE(selection);
  CHECK(selection->events == std::vector<std::string>{"*"});
  const auto own = catalogue.define("own_event", "own_class");
  REQUIRE(own);
  CHECK(selection->types[*own]);
}

TEST_CASE("A long unknown name is cut in the message", "[core][webhook]") {
  const auto selection = select_events(EventCatalogue(), {std::string(100'000, 'x')});
  REQUIRE_FALSE(selection);
  CHECK(selection.error().message.size() < 200);
}
