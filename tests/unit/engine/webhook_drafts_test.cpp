#include "engine/webhook_drafts.h"

#include <catch2/catch.hpp>

#include "config/webhook_keys.h"

using namespace posthaste::core;
using namespace posthaste::engine;
using namespace std::chrono_literals;

namespace {

struct Harness {
  EventCatalogue catalogue;
  EngineSettings settings;

  Result<Webhook> draft(const WebhookSpec& spec, std::string_view default_name = "name") {
    return draft_webhook({catalogue, settings}, "id", spec, default_name);
  }
  Result<Webhook> edit(const Webhook& before, const WebhookSpec& change) {
    return edit_webhook({catalogue, settings}, before, change);
  }
};

WebhookSpec plain_spec() {
  WebhookSpec spec;
  spec.target = "http://user:secret@127.0.0.1:8080/hook?a=b";
  spec.events = {"delivery", "reception"};
  return spec;
}

}  // namespace

TEST_CASE("A draft is complete and checked", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.name = "Orders";
  spec.auth_token = "token";
  spec.headers = {{"X-Api-Key", "abcd"}};
  spec.overrides["batch.max_events"] = "100";
  const auto webhook = harness.draft(spec);
  REQUIRE(webhook);
  CHECK(webhook->id == "id");
  CHECK(webhook->name == "Orders");
  CHECK(webhook->target == "http://127.0.0.1:8080/hook?a=b");
  CHECK(webhook->origin == "http://127.0.0.1:8080");
  CHECK(webhook->credentials == "user:secret");
  CHECK(webhook->events == std::vector<std::string>{"delivery", "injection"});
  CHECK(webhook->types.count() == 2);
  CHECK(webhook->auth_token == "token");
  CHECK(webhook->headers == HeaderList{{"X-Api-Key", "abcd"}});
  CHECK(webhook->active);
  CHECK(webhook->settings.batch_max_events == 100);
  CHECK(webhook->settings.batch_max_age == 30s);
}

TEST_CASE("A draft without target, events or name tells which is missing",
          "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec no_target = plain_spec();
  no_target.target.reset();
  CHECK(harness.draft(no_target).code() == ErrorCode::MissingField);
  CHECK(harness.draft(no_target).error().key == "target");
  WebhookSpec no_events = plain_spec();
  no_events.events.reset();
  CHECK(harness.draft(no_events).error().key == "events");
  CHECK(harness.draft(plain_spec(), "").error().key == "name");
  CHECK(harness.draft(plain_spec(), "host name")->name == "host name");
}

TEST_CASE("Bad parts of a draft have codes of their own", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.target = "ftp://127.0.0.1/";
  CHECK(harness.draft(spec).code() == ErrorCode::BadTarget);
  spec = plain_spec();
  spec.events = {"nonsense"};
  CHECK(harness.draft(spec).code() == ErrorCode::BadEvents);
  spec = plain_spec();
  spec.events = std::vector<std::string>{};
  CHECK(harness.draft(spec).code() == ErrorCode::BadEvents);
  spec = plain_spec();
  spec.headers = {{"Content-Length", "5"}};
  CHECK(harness.draft(spec).code() == ErrorCode::BadHeader);
  spec = plain_spec();
  spec.overrides["webhook.max_waiting_bytes"] = "1MiB";
  CHECK(harness.draft(spec).code() == ErrorCode::BadValue);
}

TEST_CASE("No message repeats a secret", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.target = "http://user:hunter2@127.0.0.1:99999/";
  const auto bad_target = harness.draft(spec);
  REQUIRE_FALSE(bad_target);
  CHECK(bad_target.error().message.find("hunter2") == std::string::npos);
  spec = plain_spec();
  spec.headers = {{"X-Key", "hunter2\n"}};
  const auto bad_header = harness.draft(spec);
  REQUIRE_FALSE(bad_header);
  CHECK(bad_header.error().message.find("hunter2") == std::string::npos);
}

TEST_CASE("An edit changes what it sets and nothing else", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.auth_token = "token";
  spec.headers = {{"X-A", "1"}, {"X-B", "2"}};
  const auto before = harness.draft(spec);
  REQUIRE(before);
  CHECK(is_same_declaration(*before, *harness.edit(*before, {})));

  WebhookSpec change;
  change.name = "other";
  change.headers = {{"x-a", std::nullopt}, {"X-C", "3"}};
  change.active = false;
  const auto after = harness.edit(*before, change);
  REQUIRE(after);
  CHECK(after->name == "other");
  CHECK(after->headers == HeaderList{{"X-B", "2"}, {"X-C", "3"}});
  CHECK_FALSE(after->active);
  CHECK(after->target == before->target);
  CHECK(after->credentials == before->credentials);
  CHECK(after->auth_token == "token");
}

TEST_CASE("The mask that listings show keeps the token", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.auth_token = "token";
  const auto before = harness.draft(spec);
  WebhookSpec change;
  change.auth_token = std::string(posthaste::config::kSecretMask);
  CHECK(harness.edit(*before, change)->auth_token == "token");
  change.auth_token = "";
  CHECK(harness.edit(*before, change)->auth_token.empty());
}

TEST_CASE("The mask keeps a header's value in whatever case its name comes back",
          "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.headers = {{"X-Api-Key", "hunter2"}};
  const auto known = harness.draft(spec);
  REQUIRE(known);
  spec.headers = {{"x-api-key", std::string(posthaste::config::kSecretMask)}};
  CHECK(posthaste::engine::with_secrets_of(*known, spec).headers.at(0).second == "hunter2");
}

TEST_CASE("The mask that listings show keeps the secrets among the configuration keys",
          "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.overrides["tls.key_password"] = "hunter2";
  const auto before = harness.draft(spec);
  REQUIRE(before);
  CHECK(before->settings.tls_key_password == "hunter2");
  WebhookSpec change;
  change.overrides["tls.key_password"] = std::string(posthaste::config::kSecretMask);
  const auto after = harness.edit(*before, change);
  REQUIRE(after);
  CHECK(after->overrides.at("tls.key_password") == "hunter2");
  CHECK(after->settings.tls_key_password == "hunter2");
}

TEST_CASE("A type of authentication needs what it sends, and the only credentials",
          "[engine][webhook_drafts]") {
  struct Case {
    std::map<std::string, std::optional<std::string>> overrides;
    const char* target;
    const char* key;  // empty: it is taken
  };
  const char* plain = "http://127.0.0.1:8080/hook";
  const char* with_credentials = "http://u:p@127.0.0.1:8080/hook";
  const Case cases[] = {
      {{{"auth.type", "basic"}}, plain, "auth.user"},
      {{{"auth.type", "basic"}, {"auth.user", "u"}}, plain, ""},
      {{{"auth.type", "basic"}}, with_credentials, ""},
      {{{"auth.type", "basic"}, {"auth.user", "u"}}, with_credentials, "auth.type"},
      {{{"auth.type", "bearer"}}, plain, "auth.bearer"},
      {{{"auth.type", "bearer"}, {"auth.bearer", "b"}}, plain, ""},
      {{{"auth.type", "bearer"}, {"auth.bearer", "b"}}, with_credentials, "auth.type"},
      {{{"auth.type", "oauth2"}}, plain, "oauth2.url"},
      {{{"auth.type", "oauth2"}, {"oauth2.url", "http://t/"}}, plain, ""},
      {{{"auth.type", "oauth2"}, {"oauth2.url", "ftp://t/"}}, plain, "oauth2.url"},
      {{{"auth.type", "oauth2"}, {"oauth2.url", "http://u:hunter2@t/"}}, plain, "oauth2.url"},
      {{{"auth.type", "oauth2"}, {"oauth2.url", "http://t/"}}, with_credentials, "auth.type"},
  };
  for (const Case& each : cases) {
    Harness harness;
    WebhookSpec spec = plain_spec();
    spec.target = each.target;
    spec.overrides = each.overrides;
    const auto draft = harness.draft(spec);
    CAPTURE(each.overrides.size(), each.target, each.key);
    if (*each.key == '\0') {
      CHECK(draft);
      continue;
    }
    REQUIRE_FALSE(draft);
    CHECK(draft.code() == ErrorCode::BadValue);
    CHECK(draft.error().key == each.key);
    CHECK(draft.error().message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("A token in the Authorization header is the only authentication",
          "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.target = "http://127.0.0.1:8080/hook";
  spec.auth_token = "Token x";
  spec.overrides = {{"auth.header", "authorization"}};
  CHECK(harness.draft(spec));
  spec.overrides.insert({{"auth.type", "bearer"}, {"auth.bearer", "b"}});
  REQUIRE_FALSE(harness.draft(spec));
  CHECK(harness.draft(spec).error().key == "auth.header");
  spec.overrides.erase("auth.type");
  spec.target = "http://u:p@127.0.0.1:8080/hook";
  CHECK_FALSE(harness.draft(spec));
}

TEST_CASE("Authorization is reserved for the type of authentication", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.target = "http://127.0.0.1:8080/hook";
  spec.headers = {{"authorization", "own"}};
  CHECK(harness.draft(spec));
  spec.overrides = {{"auth.type", "bearer"}, {"auth.bearer", "b"}};
  const auto refused = harness.draft(spec);
  REQUIRE_FALSE(refused);
  CHECK(refused.code() == ErrorCode::BadHeader);
}

TEST_CASE("A new target without credentials has none", "[engine][webhook_drafts]") {
  Harness harness;
  const auto before = harness.draft(plain_spec());
  WebhookSpec change;
  change.target = "http://127.0.0.1:8080/other";
  CHECK(harness.edit(*before, change)->credentials.empty());
}

TEST_CASE("A cleared key goes back to the engine's value of now", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.overrides["batch.max_events"] = "100";
  const auto before = harness.draft(spec);
  harness.settings.webhook.batch_max_events = 77;
  WebhookSpec change;
  change.overrides["batch.max_events"] = std::nullopt;
  const auto after = harness.edit(*before, change);
  REQUIRE(after);
  CHECK(after->settings.batch_max_events == 77);
  CHECK(after->overrides.empty());
}

TEST_CASE("A custom header must not be the one of the token", "[engine][webhook_drafts]") {
  Harness harness;
  WebhookSpec spec = plain_spec();
  spec.overrides["auth.header"] = "X-My-Token";
  spec.headers = {{"x-my-token", "1"}};
  CHECK(harness.draft(spec).code() == ErrorCode::BadHeader);
}
