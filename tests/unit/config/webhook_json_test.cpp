#include "config/webhook_json.h"

#include <catch2/catch.hpp>
#include <random>

#include "json/value.h"

using namespace posthaste::config;
using posthaste::core::ErrorCode;
using posthaste::core::WebhookSpec;

TEST_CASE("The REST shape sets the keys it holds", "[config][webhook_json]") {
  const auto spec = spec_from_json(
      R"({"name":"Example","target":"http://client.example.com/hook","auth_token":"5ebe","events":)"
      R"(["injection","click"],"custom_headers":{"x-api-key":"abcd","X-N":12,"X-F":1.5},)"
      R"("active":false,"exception_subaccounts":[123],"links":null})");
  REQUIRE(spec);
  CHECK(spec->name == "Example");
  CHECK(spec->target == "http://client.example.com/hook");
  CHECK(spec->auth_token == "5ebe");
  CHECK(spec->events == std::vector<std::string>{"injection", "click"});
  CHECK(spec->replace_headers);
  CHECK(get_webhook_key(*spec, "header.x-api-key") == "abcd");
  CHECK(get_webhook_key(*spec, "header.X-N") == "12");
  CHECK(get_webhook_key(*spec, "header.X-F") == "1.5");
  CHECK(spec->active == false);
}

TEST_CASE("Fields that the JSON leaves out stay as they are", "[config][webhook_json]") {
  WebhookSpec spec;
  REQUIRE(set_webhook_key(spec, "name", "Kept"));
  REQUIRE(set_webhook_key(spec, "header.X-Kept", "1"));
  REQUIRE(set_webhook_json(spec, R"({"target":"http://a/"})"));
  CHECK(spec.name == "Kept");
  CHECK(spec.target == "http://a/");
  CHECK_FALSE(spec.replace_headers);
  CHECK(spec.headers.size() == 1);
  REQUIRE(set_webhook_json(spec, R"({"custom_headers":{}})"));
  CHECK(spec.replace_headers);
  CHECK(spec.headers.empty());
  CHECK(spec_from_json("{}"));
}

TEST_CASE("JSON that cannot be taken names the field and changes nothing",
          "[config][webhook_json]") {
  struct Case {
    const char* json;
    ErrorCode code;
    const char* message;
  };
  const Case cases[] = {
      {R"({"name":"New","target":7})", ErrorCode::BadValue, "target is a number, not a string"},
      {R"({"name":"New","events":"open"})", ErrorCode::BadValue,
       "events is a string, not an array"},
      {R"({"name":"New","events":["open",1]})", ErrorCode::BadValue,
       "events[1] is a number, not a string"},
      {R"({"name":"New","events":[]})", ErrorCode::BadEvents,
       "events is empty, it must name event types or be *"},
      {R"({"name":"New","events":["a,b"]})", ErrorCode::BadEvents,
       "events: \"a,b\" is no event type"},
      {R"({"name":"New","custom_headers":[]})", ErrorCode::BadValue,
       "custom_headers is an array, not an object"},
      {R"({"name":"New","custom_headers":{"X-A":true}})", ErrorCode::BadValue,
       "custom_headers: \"X-A\" is a boolean, not a string or a number"},
      {R"({"name":"New","custom_headers":{"Host":"a"}})", ErrorCode::BadHeader,
       "custom header \"Host\" is reserved"},
      {R"({"name":"New","custom_headers":{"X-A":"a","x-a":"b"}})", ErrorCode::BadHeader,
       "custom_headers: \"x-a\" comes twice"},
      {R"({"name":"New","active":"yes"})", ErrorCode::BadValue,
       "active is a string, not a boolean"},
      {R"({"name":"New","auth_token":null})", ErrorCode::BadValue,
       "auth_token is null, not a string"},
      {R"({"name":"New","auth_token":"a\nb"})", ErrorCode::BadValue,
       "auth_token must be 0..2048 bytes of UTF-8 without control characters"},
      {R"({"name":"New\u0000"})", ErrorCode::BadValue, nullptr},
      {R"([])", ErrorCode::BadJson, "the text is an array, not an object"},
      {R"({"name":"New")", ErrorCode::BadJson, nullptr},
      {R"({"name":"New","name":"Other"})", ErrorCode::DuplicateKey, nullptr},
      {"{\"name\":\"\xff\"}", ErrorCode::BadUtf8, nullptr},
      {"", ErrorCode::BadJson, nullptr},
  };
  for (const Case& each : cases) {
    INFO(each.json);
    WebhookSpec spec;
    REQUIRE(set_webhook_key(spec, "name", "Old"));
    const auto taken = set_webhook_json(spec, each.json);
    REQUIRE_FALSE(taken);
    CHECK(taken.code() == each.code);
    if (each.message != nullptr) CHECK(taken.error().message == each.message);
    CHECK(spec.name == "Old");
    CHECK_FALSE(spec.replace_headers);
  }
}

TEST_CASE("A broken text is refused with line and column", "[config][webhook_json]") {
  const auto spec = spec_from_json("{\n  \"name\": oops\n}");
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message.find("line 2, column 11") == 0);
}

TEST_CASE("A description is written in the REST order without what it leaves open",
          "[config][webhook_json]") {
  WebhookSpec spec;
  CHECK(webhook_json(spec) == "{}");
  REQUIRE(set_webhook_key(spec, "active", "true"));
  REQUIRE(set_webhook_key(spec, "header.X-B", "2"));
  REQUIRE(set_webhook_key(spec, "header.X-A", "1"));
  REQUIRE(set_webhook_key(spec, "header.X-Gone", std::nullopt));
  REQUIRE(set_webhook_key(spec, "auth_token", "t\"k"));
  REQUIRE(set_webhook_key(spec, "events", "open,click"));
  REQUIRE(set_webhook_key(spec, "target", "http://a/"));
  REQUIRE(set_webhook_key(spec, "name", "N"));
  const std::string json =
      R"({"name":"N","target":"http://a/","events":["open","click"],"auth_token":"t\"k",)"
      R"("custom_headers":{"X-B":"2","X-A":"1"},"active":true})";
  CHECK(webhook_json(spec) == json);
  CHECK(webhook_json(*spec_from_json(json)) == json);
}

TEST_CASE("A registered webhook is written whole, with its secrets masked",
          "[config][webhook_json]") {
  posthaste::core::Webhook webhook;
  webhook.id = "w1";
  webhook.name = "N";
  webhook.target = "http://a/";
  webhook.events = {"*"};
  webhook.auth_token = "secret-token";
  webhook.headers = {{"X-A", "secret-value"}};
  WebhookFacts facts;
  facts.id = webhook.id;
  facts.state = posthaste::core::WebhookState::Activating;
  facts.created = posthaste::core::WallTime(std::chrono::seconds(1406842572));
  facts.last_successful = posthaste::core::WallTime(std::chrono::seconds(1406842573));
  CHECK(webhook_json(spec_of(webhook, Secrets::Masked), &facts) ==
        R"({"id":"w1","name":"N","target":"http://a/","events":["*"],"auth_token":"****",)"
        R"("custom_headers":{"X-A":"****"},"active":true,"state":"activating",)"
        R"("created":"2014-07-31 21:36:12","last_successful":"2014-07-31 21:36:13",)"
        R"("last_failure":null})");

  webhook.auth_token.clear();
  webhook.headers.clear();
  CHECK(webhook_json(spec_of(webhook, Secrets::Masked)) ==
        R"({"name":"N","target":"http://a/","events":["*"],"auth_token":"",)"
        R"("custom_headers":{},"active":true})");
}

TEST_CASE("A webhooks file is an array of entries in its order", "[config][webhook_json]") {
  const auto specs = parse_webhooks_file(R"([
    {"name": "Orders", "target": "http://a/", "events": ["delivery"], "auth_token": "t",
     "custom_headers": {"X-A": 1}},
    {"target": "http://b/", "events": ["*"], "later_field": {}}
  ])");
  REQUIRE(specs);
  REQUIRE(specs->size() == 2);
  CHECK(specs->at(0).name == "Orders");
  CHECK(specs->at(0).auth_token == "t");
  CHECK(get_webhook_key(specs->at(0), "header.X-A") == "1");
  CHECK_FALSE(specs->at(1).name);
  CHECK(specs->at(1).target == "http://b/");
  CHECK(parse_webhooks_file("[]")->empty());
}

TEST_CASE("A bad webhooks file is refused with entry and field, or line and column",
          "[config][webhook_json]") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "the file is an object, not an array"},
      {R"([7])", "entry 1: it is a number, not an object"},
      {R"([{"target":"http://a/","events":["open"]},{"name":"Orders","events":["open"]}])",
       "entry 2 (\"Orders\"): target is missing"},
      {R"([{"target":"http://a/"}])", "entry 1: events is missing"},
      {R"([{"name":"X","target":"http://a/","events":"open"}])",
       "entry 1 (\"X\"): events is a string, not an array"},
      {R"([{"name":5,"target":"http://a/","events":["open"]}])",
       "entry 1: name is a number, not a string"},
      {R"([{"name":"X","target":"http://a/","events":["open"],"auth_token":"s3cr3t\n"}])",
       "entry 1 (\"X\"): auth_token must be 0..2048 bytes of UTF-8 without control characters"},
  };
  for (const auto& [text, message] : cases) {
    INFO(text);
    const auto specs = parse_webhooks_file(text);
    REQUIRE_FALSE(specs);
    CHECK(specs.code() == ErrorCode::BadFile);
    CHECK(specs.error().message == message);
  }
  const auto broken = parse_webhooks_file("[\n{\"name\": \"x\",}\n]");
  CHECK(broken.code() == ErrorCode::BadFile);
  CHECK(broken.error().message.find("line 2, column ") == 0);
  CHECK(parse_webhooks_file("").code() == ErrorCode::BadFile);
}

TEST_CASE("Damaged JSON is taken or refused and never half taken", "[config][webhook_json]") {
  const std::string good =
      R"({"name":"N","target":"http://a/","events":["open"],"custom_headers":{"X-A":"1"}})";
  std::mt19937 random(5);
  for (int i = 0; i < 5'000; ++i) {
    std::string text = good;
    for (int edit = 0; edit < 3; ++edit) {
      const size_t position = random() % text.size();
      if (random() % 2 == 0) {
        text[position] = static_cast<char>(random() % 256);
      } else {
        text.erase(position, 1 + random() % 4);
      }
      if (text.empty()) break;
    }
    WebhookSpec spec;
    if (set_webhook_json(spec, text)) {
      REQUIRE(spec_from_json(webhook_json(spec)));
    } else {
      REQUIRE(webhook_json(spec) == "{}");
    }
    const auto file = parse_webhooks_file("[" + text + "]");
    REQUIRE((file.ok() || file.code() == ErrorCode::BadFile));
  }
}
