#include "core/webhook_registry.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace posthaste::core;
using namespace std::chrono_literals;

namespace {

constexpr Instant kNow{1000s};
constexpr WallTime kWall{1'772'323'200s};

Webhook draft(std::string id, std::string target = "http://127.0.0.1/a") {
  Webhook webhook;
  webhook.id = std::move(id);
  webhook.name = "name";
  webhook.target = std::move(target);
  webhook.events = {"*"};
  webhook.types.set();
  return webhook;
}

std::vector<std::string> ids_of(const WebhookRegistry& registry) {
  std::vector<std::string> ids;
  for (const WebhookPtr& webhook : registry.list()) ids.push_back(webhook->id);
  return ids;
}

}  // namespace

TEST_CASE("Create waits for activation", "[core][webhook_registry]") {
  WebhookRegistry registry;
  const RegistryChange change = registry.create(draft("a"), kNow, kWall);
  REQUIRE(change.after);
  CHECK_FALSE(change.before);
  CHECK(change.after->activates_at == kNow + 60s);
  CHECK(change.after->created == kWall);
  CHECK(state_of(*change.after, kNow + 60s - 1ns) == WebhookState::Activating);
  CHECK(state_of(*change.after, kNow + 60s) == WebhookState::Active);
}

TEST_CASE("An activation delay of zero activates at once", "[core][webhook_registry]") {
  WebhookRegistry registry;
  Webhook webhook = draft("a");
  webhook.settings.activation_delay = 0s;
  const RegistryChange change = registry.create(webhook, kNow, kWall);
  CHECK(state_of(*change.after, kNow) == WebhookState::Active);
  // Events are stamped by a coarse clock, which may lag behind.
  CHECK(change.after->activates_at < kNow - 10ms);
}

TEST_CASE("Put never waits for activation", "[core][webhook_registry]") {
  WebhookRegistry registry;
  const RegistryChange change = registry.put(draft("a"), kWall);
  REQUIRE(change.after);
  CHECK(state_of(*change.after, kNow) == WebhookState::Active);
}

TEST_CASE("Put is active at once even for a step that began before it",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  const RegistryChange change = registry.put(draft("a"), kWall);
  CHECK(state_of(*change.after, kNow - 1ms) == WebhookState::Active);
}

TEST_CASE("Put changes nothing when nothing changed", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  const WebhookPtr before = registry.find("a");
  const RegistryChange change = registry.put(draft("a"), kWall + 1h);
  CHECK_FALSE(change.is_change());
  CHECK(registry.find("a") == before);
}

TEST_CASE("Put replaces settings that differ, never the state", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.create(draft("a"), kNow, kWall);
  REQUIRE(registry.set_paused("a", true));
  Webhook next = draft("a");
  next.name = "other";
  next.settings.batch_max_events = 7;
  const RegistryChange change = registry.put(next, kWall + 1s);
  REQUIRE(change.before);
  REQUIRE(change.after);
  CHECK(change.after->name == "other");
  CHECK(change.after->settings.batch_max_events == 7);
  CHECK(change.after->is_paused);
  CHECK(change.after->activates_at == kNow + 60s);
  CHECK(change.after->created == kWall);
  CHECK(change.after->generation == change.before->generation);
}

TEST_CASE("What was edited of a declared webhook lasts until the next put",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  Webhook edited = *registry.find("a");
  edited.name = "edited";
  REQUIRE(registry.update(edited));
  CHECK(registry.find("a")->name == "edited");
  CHECK(registry.put(draft("a"), kWall).is_change());
  CHECK(registry.find("a")->name == "name");
}

TEST_CASE("A change of target is a new revision, another change is not",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  const uint64_t revision = registry.find("a")->target_revision;
  Webhook other = draft("a");
  other.auth_token = "token";
  (void)registry.put(other, kWall);
  CHECK(registry.find("a")->target_revision == revision);
  other.target = "http://127.0.0.1/b";
  (void)registry.put(other, kWall);
  CHECK(registry.find("a")->target_revision == revision + 1);
  other.target = "http://127.0.0.1/a";
  (void)registry.put(other, kWall);
  CHECK(registry.find("a")->target_revision == revision + 2);
}

TEST_CASE("The same id made anew is a new generation", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  const uint64_t generation = registry.find("a")->generation;
  const auto removed = registry.remove("a");
  REQUIRE(removed);
  CHECK(removed->before);
  CHECK_FALSE(removed->after);
  CHECK_FALSE(registry.find("a"));
  (void)registry.put(draft("a"), kWall);
  CHECK(registry.find("a")->generation > generation);
}

TEST_CASE("Changes of an unknown webhook are not found", "[core][webhook_registry]") {
  WebhookRegistry registry;
  CHECK(registry.update(draft("a")).code() == ErrorCode::NotFound);
  CHECK(registry.remove("a").code() == ErrorCode::NotFound);
  CHECK(registry.set_paused("a", true).code() == ErrorCode::NotFound);
  CHECK(registry.remove("a").error().message.find("'a'") != std::string::npos);
}

TEST_CASE("Pausing what is paused and resuming what runs change nothing",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  CHECK_FALSE(registry.set_paused("a", false)->is_change());
  CHECK(registry.set_paused("a", true)->is_change());
  CHECK_FALSE(registry.set_paused("a", true)->is_change());
  CHECK(registry.set_paused("a", false)->is_change());
  CHECK_FALSE(registry.find("a")->is_paused);
}

TEST_CASE("An update that changes nothing is no change", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  CHECK_FALSE(registry.update(*registry.find("a"))->is_change());
}

TEST_CASE("A snapshot stays as it was", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("a"), kWall);
  const WebhookPtr before = registry.find("a");
  (void)registry.put(draft("a", "http://127.0.0.1/b"), kWall);
  (void)*registry.remove("a");
  CHECK(before->target == "http://127.0.0.1/a");
}

TEST_CASE("Webhooks are listed in the order of registration", "[core][webhook_registry]") {
  WebhookRegistry registry;
  for (const char* id : {"c", "a", "b", "d"}) (void)registry.put(draft(id), kWall);
  (void)registry.put(draft("a", "http://127.0.0.1/b"), kWall);
  CHECK(ids_of(registry) == std::vector<std::string>{"c", "a", "b", "d"});
  (void)*registry.remove("a");
  CHECK(ids_of(registry) == std::vector<std::string>{"c", "b", "d"});
  for (const char* id : {"c", "b", "d"}) CHECK(registry.find(id)->id == id);
}

TEST_CASE("All but inactive webhooks count for what is wanted", "[core][webhook_registry]") {
  WebhookRegistry registry;
  const auto of_type = [](std::string id, size_t type) {
    Webhook webhook = draft(std::move(id));
    webhook.types.reset();
    webhook.types.set(type);
    return webhook;
  };
  (void)registry.create(of_type("activating", 1), kNow, kWall);
  (void)registry.put(of_type("active", 2), kWall);
  (void)registry.put(of_type("paused", 3), kWall);
  REQUIRE(registry.set_paused("paused", true));
  Webhook inactive = of_type("inactive", 4);
  inactive.active = false;
  (void)registry.put(inactive, kWall);
  (void)registry.put(of_type("removed", 5), kWall);
  (void)*registry.remove("removed");

  const TypeSet wanted = registry.wanted_types();
  CHECK(wanted.count() == 3);
  CHECK(wanted[1]);
  CHECK(wanted[2]);
  CHECK(wanted[3]);
}

TEST_CASE("Reading a file again adds, changes and removes entries of that file only",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.put(draft("own"), kWall);
  CHECK(registry.reconcile("one.json", {draft("a"), draft("b"), draft("c")}, kWall).size() == 3);
  CHECK(registry.reconcile("two.json", {draft("x")}, kWall).size() == 1);

  const auto changes = registry.reconcile(
      "one.json", {draft("a"), draft("b", "http://127.0.0.1/b"), draft("d")}, kWall);
  REQUIRE(changes.size() == 3);
  CHECK(changes[0].after->id == "b");
  CHECK(changes[0].before->id == "b");
  CHECK(changes[1].after->id == "d");
  CHECK_FALSE(changes[1].before);
  CHECK(changes[2].before->id == "c");
  CHECK_FALSE(changes[2].after);
  CHECK(ids_of(registry) == std::vector<std::string>{"own", "a", "b", "x", "d"});
}

TEST_CASE("Ten reloads of an unchanged file change nothing", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.reconcile("one.json", {draft("a"), draft("b")}, kWall);
  for (int i = 0; i < 10; ++i) {
    CHECK(registry.reconcile("one.json", {draft("a"), draft("b")}, kWall).empty());
  }
  CHECK(registry.list().size() == 2);
}

TEST_CASE("Pausing outlives a reload of the file", "[core][webhook_registry]") {
  WebhookRegistry registry;
  (void)registry.reconcile("one.json", {draft("a")}, kWall);
  REQUIRE(registry.set_paused("a", true));
  CHECK(registry.reconcile("one.json", {draft("a", "http://127.0.0.1/b")}, kWall).size() == 1);
  CHECK(registry.find("a")->is_paused);
}

TEST_CASE("A disabled webhook wants nothing until it is resumed, and edits do not enable it",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  const uint64_t generation = registry.put(draft("a"), kWall).after->generation;
  CHECK_FALSE(registry.set_disabled("a", generation + 1, true).is_change());
  const RegistryChange change = registry.set_disabled("a", generation, true);
  REQUIRE(change.is_change());
  CHECK(state_of(*change.after, kNow) == WebhookState::Disabled);
  CHECK_FALSE(registry.wanted_types().any());
  CHECK_FALSE(registry.set_disabled("a", generation, true).is_change());
  registry.put(draft("a", "http://127.0.0.1/b"), kWall);
  CHECK(registry.find("a")->is_disabled);
  CHECK(registry.set_paused("a", true)->is_change());
  CHECK(registry.find("a")->is_disabled);
  CHECK(registry.set_paused("a", false)->is_change());
  CHECK_FALSE(registry.find("a")->is_disabled);
  CHECK(registry.wanted_types().any());
}

TEST_CASE("A disabled webhook that is not paused is enabled by resume",
          "[core][webhook_registry]") {
  WebhookRegistry registry;
  const uint64_t generation = registry.put(draft("a"), kWall).after->generation;
  registry.set_disabled("a", generation, true);
  CHECK(registry.set_paused("a", false)->is_change());
  CHECK(state_of(*registry.find("a"), kNow) == WebhookState::Active);
}
