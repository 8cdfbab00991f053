#include "config/webhook_keys.h"

#include <catch2/catch.hpp>
#include <random>

#include "config/property_table.h"

using namespace posthaste::config;
using posthaste::core::ErrorCode;
using posthaste::core::HeaderList;
using posthaste::core::Webhook;
using posthaste::core::WebhookSpec;
using posthaste::core::WebhookState;

namespace {

constexpr char kSecret[] = "5ebe2294ecd0e0f08eab7690d2a6ee69";

WebhookSpec full_spec() {
  WebhookSpec spec;
  REQUIRE(set_webhook_key(spec, "name", "Orders"));
  REQUIRE(set_webhook_key(spec, "target", "http://127.0.0.1:8080/hook"));
  REQUIRE(set_webhook_key(spec, "events", "delivery,bounce"));
  REQUIRE(set_webhook_key(spec, "auth_token", kSecret));
  REQUIRE(set_webhook_key(spec, "header.X-Api-Key", "abcd"));
  REQUIRE(set_webhook_key(spec, "active", "true"));
  REQUIRE(set_webhook_key(spec, "batch.max_events", "100"));
  return spec;
}

}  // namespace

TEST_CASE("Every key of a webhook reads back as it was set", "[config][webhook_keys]") {
  const std::pair<const char*, const char*> keys[] = {{"name", "Orders \xc3\xbc"},
                                                      {"target", "https://example.com/hook?a=b"},
                                                      {"events", "delivery,bounce"},
                                                      {"events", "*"},
                                                      {"auth_token", kSecret},
                                                      {"auth_token", ""},
                                                      {"header.X-Api-Key", "abcd"},
                                                      {"header.x-empty", ""},
                                                      {"active", "true"},
                                                      {"active", "false"}};
  WebhookSpec spec;
  for (const auto& [key, text] : keys) {
    INFO(key);
    REQUIRE(set_webhook_key(spec, key, text));
    CHECK(get_webhook_key(spec, key) == std::string(text));
  }
  for (const Property& property : properties()) {
    if (property.scope() != Scope::Webhook) continue;
    INFO(property.key);
    CHECK_FALSE(get_webhook_key(spec, property.key));
    REQUIRE(set_webhook_key(spec, property.key, default_text(property)));
    CHECK(get_webhook_key(spec, property.key) == default_text(property));
  }
}

TEST_CASE("A new description leaves every key open", "[config][webhook_keys]") {
  const WebhookSpec spec;
  for (const char* key : {"name", "target", "events", "auth_token", "active", "header.X-A", "id",
                          "batch.max_age", "no.such", ""}) {
    CHECK_FALSE(get_webhook_key(spec, key));
  }
}

TEST_CASE("Texts of a webhook are kept in canonical form", "[config][webhook_keys]") {
  WebhookSpec spec;
  REQUIRE(set_webhook_key(spec, "events", " delivery ,\tbounce "));
  CHECK(get_webhook_key(spec, "events") == "delivery,bounce");
  REQUIRE(set_webhook_key(spec, "active", "no"));
  CHECK(get_webhook_key(spec, "active") == "false");
  REQUIRE(set_webhook_key(spec, "retry.max_age", "240min"));
  CHECK(get_webhook_key(spec, "retry.max_age") == "4h");
  CHECK(get_webhook_key(spec, "header.x-API-key") == std::nullopt);
  REQUIRE(set_webhook_key(spec, "header.X-Api-Key", "abcd"));
  CHECK(get_webhook_key(spec, "header.x-API-key") == "abcd");
}

TEST_CASE("Null goes back to a key's default, and opens keys that have none",
          "[config][webhook_keys]") {
  WebhookSpec spec = full_spec();
  REQUIRE(set_webhook_key(spec, "active", "false"));
  for (const char* key : {"name", "target", "events", "auth_token", "header.X-Api-Key", "active",
                          "batch.max_events", "retry.base"}) {
    REQUIRE(set_webhook_key(spec, key, std::nullopt));
  }
  CHECK_FALSE(spec.name);
  CHECK_FALSE(spec.target);
  CHECK_FALSE(spec.events);
  CHECK(spec.auth_token == "");
  CHECK(spec.active == true);
  REQUIRE(spec.headers.size() == 1);
  CHECK_FALSE(spec.headers[0].second);
  CHECK_FALSE(get_webhook_key(spec, "header.X-Api-Key"));
  REQUIRE(spec.overrides.count("retry.base") == 1);
  CHECK_FALSE(spec.overrides.at("retry.base"));
  CHECK_FALSE(get_webhook_key(spec, "batch.max_events"));
}

TEST_CASE("Each bad value has its own code, names the key and changes nothing",
          "[config][webhook_keys]") {
  struct Case {
    std::string key;
    std::string value;
    ErrorCode code;
  };
  const Case cases[] = {
      {"name", "", ErrorCode::BadValue},
      {"name", std::string(257, 'x'), ErrorCode::BadValue},
      {"name", "a\nb", ErrorCode::BadValue},
      {"name", "\xff", ErrorCode::BadValue},
      {"target", "", ErrorCode::BadTarget},
      {"target", "http://a/" + std::string(2040, 'x'), ErrorCode::BadTarget},
      {"target", "http://a/\r\nHost: b", ErrorCode::BadTarget},
      {"events", "", ErrorCode::BadEvents},
      {"events", " ", ErrorCode::BadEvents},
      {"events", "delivery,,bounce", ErrorCode::BadEvents},
      {"events", std::string(65, 'e'), ErrorCode::BadEvents},
      {"auth_token", "a\r\nX-Evil: 1", ErrorCode::BadValue},
      {"auth_token", std::string("a\0b", 3), ErrorCode::BadValue},
      {"auth_token", std::string(2049, 'x'), ErrorCode::BadValue},
      {"active", "perhaps", ErrorCode::BadValue},
      {"header.", "x", ErrorCode::BadHeader},
      {"header.X Y", "x", ErrorCode::BadHeader},
      {"header.Host", "x", ErrorCode::BadHeader},
      {"header.x-messagesystems-batch-id", "x", ErrorCode::BadHeader},
      {"header.X-A", "a\nb", ErrorCode::BadHeader},
      {"header.X-A", std::string(3000, 'x'), ErrorCode::BadHeader},
      {"batch.max_events", "0", ErrorCode::BadValue},
      {"log.level", "info", ErrorCode::UnknownKey},
      {"names", "x", ErrorCode::UnknownKey},
      {"", "x", ErrorCode::UnknownKey},
      {"id", "x", ErrorCode::NotChangeable},
      {"state", "active", ErrorCode::NotChangeable},
      {"created", "x", ErrorCode::NotChangeable},
      {"last_successful", "x", ErrorCode::NotChangeable},
      {"last_failure", "x", ErrorCode::NotChangeable},
  };
  for (const Case& each : cases) {
    INFO(each.key << " = " << each.value);
    WebhookSpec spec = full_spec();
    const auto set = set_webhook_key(spec, each.key, each.value);
    REQUIRE_FALSE(set);
    CHECK(set.code() == each.code);
    CHECK(set.error().message.find('\n') == std::string::npos);
    if (each.code == ErrorCode::BadHeader) {
      CHECK("header." + set.error().key == each.key);
    } else {
      CHECK(set.error().key == each.key);
    }
    const WebhookSpec before = full_spec();
    CHECK(spec.name == before.name);
    CHECK(spec.target == before.target);
    CHECK(spec.events == before.events);
    CHECK(spec.auth_token == before.auth_token);
    CHECK(spec.headers == before.headers);
    CHECK(spec.overrides == before.overrides);
  }
}

TEST_CASE("No error repeats a token, a header value or a target", "[config][webhook_keys]") {
  WebhookSpec spec;
  for (const char* key : {"auth_token", "header.X-Key", "target"}) {
    const auto set = set_webhook_key(spec, key, "s3cr3t\n");
    REQUIRE_FALSE(set);
    CHECK(set.error().message.find("s3cr3t") == std::string::npos);
    CHECK(set.error().key.find("s3cr3t") == std::string::npos);
  }
}

TEST_CASE("Five custom headers below 3000 bytes are the limit", "[config][webhook_keys]") {
  WebhookSpec spec;
  for (const char* name : {"A", "B", "C", "D"}) {
    REQUIRE(set_webhook_key(spec, std::string("header.X-") + name, "1"));
  }
  // 16 bytes are taken, 3 go for the name.
  CHECK(set_webhook_key(spec, "header.X-E", std::string(2981, 'x')).code() == ErrorCode::BadHeader);
  REQUIRE(set_webhook_key(spec, "header.X-E", std::string(2980, 'x')));
  const auto sixth = set_webhook_key(spec, "header.X-F", "1");
  CHECK(sixth.code() == ErrorCode::BadHeader);
  CHECK(sixth.error().key == "X-F");
  REQUIRE(set_webhook_key(spec, "header.x-e", "1"));
  REQUIRE(set_webhook_key(spec, "header.X-A", std::nullopt));
  CHECK(set_webhook_key(spec, "header.X-F", "1"));
}

TEST_CASE("The header changes of one description are bounded", "[config][webhook_keys]") {
  WebhookSpec spec;
  int taken = 0;
  while (taken < 1000 && set_webhook_key(spec, "header.X-" + std::to_string(taken), std::nullopt)) {
    ++taken;
  }
  CHECK(taken == 64);
  CHECK(spec.headers.size() == 64);
}

TEST_CASE("A merge keeps what the change leaves open", "[config][webhook_keys]") {
  WebhookSpec change;
  REQUIRE(set_webhook_key(change, "name", "Renamed"));
  REQUIRE(set_webhook_key(change, "header.X-New", "1"));
  REQUIRE(set_webhook_key(change, "batch.max_events", std::nullopt));
  REQUIRE(set_webhook_key(change, "batch.max_age", "1s"));
  const WebhookSpec merged = merge(full_spec(), change);
  CHECK(merged.name == "Renamed");
  CHECK(merged.target == full_spec().target);
  CHECK(merged.events == full_spec().events);
  CHECK(merged.auth_token == std::string(kSecret));
  CHECK(get_webhook_key(merged, "header.X-Api-Key") == "abcd");
  CHECK(get_webhook_key(merged, "header.X-New") == "1");
  CHECK_FALSE(get_webhook_key(merged, "batch.max_events"));
  CHECK(get_webhook_key(merged, "batch.max_age") == "1s");
}

TEST_CASE("Headers merge by name without regard to case", "[config][webhook_keys]") {
  const HeaderList base = {{"X-A", "1"}, {"X-B", "2"}};
  WebhookSpec change;
  REQUIRE(set_webhook_key(change, "header.x-a", "9"));
  REQUIRE(set_webhook_key(change, "header.X-B", std::nullopt));
  REQUIRE(set_webhook_key(change, "header.X-C", "3"));
  CHECK(merge_headers(base, change) == HeaderList{{"x-a", "9"}, {"X-C", "3"}});
  change.replace_headers = true;
  CHECK(merge_headers({{"X-D", "4"}}, change) == HeaderList{{"x-a", "9"}, {"X-C", "3"}});
}

TEST_CASE("A change that carries the mask keeps the secret", "[config][webhook_keys]") {
  CHECK(mask_secret("") == "");
  CHECK(mask_secret("x") == "****");
  CHECK(mask_secret(kSecret) == "****");

  Webhook webhook;
  webhook.name = "Orders";
  webhook.auth_token = kSecret;
  webhook.headers = {{"X-Api-Key", "abcd"}, {"X-Empty", ""}};
  webhook.overrides = {{"batch.max_events", "5"}};
  WebhookSpec snapshot = spec_of(webhook, Secrets::Masked);
  CHECK(get_webhook_key(snapshot, "auth_token") == "****");
  CHECK(get_webhook_key(snapshot, "header.X-Api-Key") == "****");
  CHECK(get_webhook_key(snapshot, "header.X-Empty") == "");
  CHECK(get_webhook_key(snapshot, "batch.max_events") == "5");

  REQUIRE(set_webhook_key(snapshot, "name", "Renamed"));
  const WebhookSpec clear = spec_of(webhook, Secrets::Clear);
  const WebhookSpec merged = merge(clear, snapshot);
  CHECK(merged.name == "Renamed");
  CHECK(merged.auth_token == std::string(kSecret));
  CHECK(merged.headers == clear.headers);
  CHECK(merge_headers(webhook.headers, snapshot) == webhook.headers);
}

TEST_CASE("A secret among the configuration keys is masked and kept like the token",
          "[config][webhook_keys]") {
  Webhook webhook;
  webhook.overrides = {{"tls.key_password", kSecret}, {"batch.max_events", "5"}};
  WebhookSpec snapshot = spec_of(webhook, Secrets::Masked);
  CHECK(get_webhook_key(snapshot, "tls.key_password") == "****");
  CHECK(get_webhook_key(snapshot, "batch.max_events") == "5");
  const WebhookSpec clear = spec_of(webhook, Secrets::Clear);
  CHECK(get_webhook_key(clear, "tls.key_password") == kSecret);

  WebhookSpec change;
  REQUIRE(set_webhook_key(change, "tls.key_password", "****"));
  CHECK(get_webhook_key(merge(clear, change), "tls.key_password") == kSecret);
  CHECK(get_webhook_key(merge({}, change), "tls.key_password") == "****");
  const auto refused = set_webhook_key(change, "tls.key_password", std::string(kSecret) + "\r");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find(kSecret) == std::string::npos);
}

TEST_CASE("A mask over no secret is an ordinary text", "[config][webhook_keys]") {
  WebhookSpec change;
  REQUIRE(set_webhook_key(change, "auth_token", "****"));
  REQUIRE(set_webhook_key(change, "header.X-A", "****"));
  WebhookSpec base;
  CHECK(merge(base, change).auth_token == "****");
  base.auth_token = "";
  CHECK(merge(base, change).auth_token == "****");
  CHECK(get_webhook_key(merge(base, change), "header.X-A") == "****");
}

TEST_CASE("Merged headers are checked against the limits and the token's header",
          "[config][webhook_keys]") {
  HeaderList headers = {{"X-A", "1"}, {"X-B", "1"}, {"X-C", "1"}, {"X-D", "1"}, {"X-E", "1"}};
  CHECK(check_headers(headers, "X-Token"));
  const auto twice = check_headers(headers, "x-c");
  CHECK(twice.code() == ErrorCode::BadHeader);
  CHECK(twice.error().key == "X-C");
  headers.emplace_back("X-F", "1");
  CHECK(check_headers(headers, "X-Token").error().key == "X-F");
  CHECK(check_headers({{"X-A", std::string(2997, 'x')}}, "X-T").error().key == "X-A");
  CHECK(check_headers({{"X-A", std::string(2996, 'x')}}, "X-T"));
}

TEST_CASE("Read-only keys of a registered webhook have texts", "[config][webhook_keys]") {
  WebhookFacts facts;
  facts.id = "w1";
  facts.state = WebhookState::Paused;
  facts.created = posthaste::core::WallTime(std::chrono::seconds(1406842572));
  facts.last_failure = posthaste::core::WallTime(std::chrono::milliseconds(951782399999));
  CHECK(get_webhook_fact(facts, "id") == "w1");
  CHECK(get_webhook_fact(facts, "state") == "paused");
  CHECK(get_webhook_fact(facts, "created") == "2014-07-31 21:36:12");
  CHECK(get_webhook_fact(facts, "last_failure") == "2000-02-28 23:59:59");
  CHECK_FALSE(get_webhook_fact(facts, "last_successful"));
  CHECK_FALSE(get_webhook_fact(facts, "name"));
  CHECK(format_time({}) == "1970-01-01 00:00:00");
}

TEST_CASE("Random keys and values are taken and read back, or refused in one line",
          "[config][webhook_keys]") {
  const char* const keys[] = {"name",   "target",    "events",        "auth_token",
                              "active", "header.X-", "batch.max_age", "header."};
  std::mt19937 random(11);
  WebhookSpec spec;
  for (int i = 0; i < 20'000; ++i) {
    std::string key = keys[random() % std::size(keys)];
    std::string value(random() % 10, ' ');
    for (char& c : value) c = static_cast<char>(random() % 256);
    if (random() % 4 == 0) key += static_cast<char>(random() % 256);
    const auto set = set_webhook_key(spec, key, value);
    if (set) {
      const auto text = get_webhook_key(spec, key);
      REQUIRE(text);
      REQUIRE(set_webhook_key(spec, key, *text));
      REQUIRE(get_webhook_key(spec, key) == text);
    } else {
      REQUIRE(set.error().message.find_first_of("\r\n") == std::string::npos);
      REQUIRE(set.error().message.size() < 500);
    }
  }
}
