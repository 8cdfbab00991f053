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
      R"("active":false,"links":null})");
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

TEST_CASE("The three fields of authentication are read into keys and written from them",
          "[config][webhook_json]") {
  const char* const texts[] = {
      R"({"auth_type":"none","auth_request_details":{},"auth_credentials":{}})",
      R"({"auth_type":"basic","auth_request_details":{},)"
      R"("auth_credentials":{"username":"basicuser","password":"somepass"}})",
      R"({"auth_type":"bearer","auth_request_details":{},"auth_credentials":{"access_token":"t"}})",
      R"({"auth_type":"oauth2","auth_request_details":{"url":"http://client.example.com/tokens",)"
      R"("body":{"grant_type":"client_credentials","client_id":"CLIENT123",)"
      R"("client_secret":"9sdfj791d2bsbf","scope":"a b","audience":"c","resource":"x&y"}},)"
      R"("auth_credentials":{}})"};
  for (const char* text : texts) {
    INFO(text);
    const auto spec = spec_from_json(text);
    REQUIRE(spec);
    CHECK(webhook_json(*spec) == text);
  }
  const auto oauth2 = spec_from_json(texts[3]);
  CHECK(get_webhook_key(*oauth2, "oauth2.client_secret") == "9sdfj791d2bsbf");
  CHECK(get_webhook_key(*oauth2, "oauth2.parameters") == "resource=x%26y");
}

TEST_CASE("A listing of OAuth 2 sent back keeps every secret", "[config][webhook_json]") {
  posthaste::core::Webhook webhook;
  webhook.name = "N";
  webhook.target = "http://a/";
  webhook.events = {"*"};
  webhook.overrides = {{"auth.type", "oauth2"},
                       {"oauth2.url", "http://t/"},
                       {"oauth2.client_id", "id"},
                       {"oauth2.client_secret", "hunter2"},
                       {"oauth2.parameters", "pin=hunter3"}};
  const std::string listing = webhook_json(spec_of(webhook, Secrets::Masked));
  CHECK(listing.find("hunter") == std::string::npos);
  CHECK(listing.find(R"("client_secret":"****")") != std::string::npos);
  const auto change = spec_from_json(listing);
  REQUIRE(change);
  const auto merged = posthaste::config::merge(spec_of(webhook, Secrets::Clear), *change);
  CHECK(get_webhook_key(merged, "oauth2.client_secret") == "hunter2");
  CHECK(get_webhook_key(merged, "oauth2.parameters") == "pin=hunter3");
}

TEST_CASE("A token that the original lists is nothing when it comes back",
          "[config][webhook_json]") {
  const auto spec = spec_from_json(
      R"({"auth_type":"oauth2","auth_credentials":{"access_token":"x","expires_in":3600}})");
  REQUIRE(spec);
  CHECK_FALSE(get_webhook_key(*spec, "auth.bearer"));
}

TEST_CASE("Authentication that cannot be taken names the field and no value",
          "[config][webhook_json]") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"auth_type":7})", "auth_type is a number, not a string"},
      {R"({"auth_type":"digest"})",
       "auth_type: \"digest\" is not allowed, it must be none, basic, bearer or oauth2"},
      {R"({"auth_credentials":"x"})", "auth_credentials is a string, not an object"},
      {R"({"auth_credentials":{"password":7}})",
       "auth_credentials.password is a number, not a string"},
      {R"({"auth_credentials":{"password":"hunter2\r\nX: y"}})",
       "auth.password: the value is not allowed, it must be 0..1024 characters"},
      {R"({"auth_request_details":[]})", "auth_request_details is an array, not an object"},
      {R"({"auth_request_details":{"url":1}})",
       "auth_request_details.url is a number, not a string"},
      {R"({"auth_request_details":{"body":"x"}})",
       "auth_request_details.body is a string, not an object"},
      {R"({"auth_request_details":{"body":{"pin":1234}}})",
       "auth_request_details.body: \"pin\" is a number, not a string"},
  };
  for (const auto& [text, message] : cases) {
    INFO(text);
    const auto spec = spec_from_json(text);
    REQUIRE_FALSE(spec);
    CHECK(spec.code() == ErrorCode::BadValue);
    CHECK(spec.error().message == message);
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

TEST_CASE("Subaccounts are numbers in and texts out, -1 for all", "[config][webhook_json]") {
  const auto spec = spec_from_json(R"({"subaccount_id":-1,"exception_subaccounts":[123,"7"]})");
  REQUIRE(spec);
  CHECK(get_webhook_key(*spec, "subaccount") == "all");
  CHECK(get_webhook_key(*spec, "subaccount.except") == "123,7");
  CHECK(webhook_json(*spec) == R"({"subaccount_id":-1,"exception_subaccounts":["123","7"]})");
  CHECK(webhook_json(*spec_from_json(R"({"subaccount_id":5,"exception_subaccounts":[]})")) ==
        R"({"subaccount_id":5,"exception_subaccounts":[]})");
}

TEST_CASE("Settings are keys of webhooks, null going back to the engine's value",
          "[config][webhook_json]") {
  const auto spec = spec_from_json(
      R"({"settings":{"batch.max_events":500,"compression":"gzip","dead_letter":true,)"
      R"("retry.max_age":null}})");
  REQUIRE(spec);
  CHECK(get_webhook_key(*spec, "batch.max_events") == "500");
  CHECK(get_webhook_key(*spec, "compression") == "gzip");
  CHECK(spec->overrides.at("retry.max_age") == std::nullopt);
  CHECK(webhook_json(*spec) ==
        R"({"settings":{"batch.max_events":"500","compression":"gzip","dead_letter":"on"}})");
}

TEST_CASE("Subaccounts and settings that cannot be taken name the field",
          "[config][webhook_json]") {
  struct Case {
    const char* json;
    const char* message;
  };
  for (const Case& of : {
           Case{R"({"subaccount_id":"x"})", "subaccount_id is a string, not a number"},
           Case{R"({"subaccount_id":-2})", "subaccount_id: -2 is not in -1..2147483647"},
           Case{R"({"exception_subaccounts":[1,"x"]})",
                "exception_subaccounts[1] is not the number of a subaccount"},
           Case{R"({"exception_subaccounts":[1,1]})",
                "exception_subaccounts must name at most 10 subaccounts, none twice"},
           Case{R"({"settings":[]})", "settings is an array, not an object"},
           Case{R"({"settings":{"spool.dir":"/x"}})",
                "settings: \"spool.dir\" is no key of a webhook"},
           Case{R"({"settings":{"nope":"1"}})", "settings: \"nope\" is no key of a webhook"},
           Case{R"({"settings":{"compression":[]}})",
                "settings.compression is an array, not a string"},
       }) {
    CAPTURE(of.json);
    const auto spec = spec_from_json(of.json);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().message == of.message);
  }
}
