#include "json/value.h"
#include "owned.h"

using namespace posthaste::testing;

namespace {

int32_t set_json(posthaste_webhook_t* webhook, const std::string& json, posthaste_error_t* error) {
  return posthaste_webhook_set_json(webhook, json.data(), json.size(), error);
}

}  // namespace

TEST_CASE("A description's keys read back as they were set", "[capi][webhook]") {
  const WebhookHandle webhook = make_webhook();
  CHECK(text_of(webhook.get(), "name") == "Orders");
  CHECK(text_of(webhook.get(), "target") == "http://127.0.0.1:9/hook");
  CHECK(text_of(webhook.get(), "events") == "delivery,bounce");
  CHECK(text_of(webhook.get(), "auth_token") == "(not set)");
  CHECK(text_of(webhook.get(), "id") == "(not set)");
  CHECK(text_of(webhook.get(), "no.such.key") == "(not set)");
  REQUIRE(posthaste_webhook_set(webhook.get(), "header.X-Api-Key", "abcd", nullptr) ==
          POSTHASTE_OK);
  CHECK(text_of(webhook.get(), "header.x-api-key") == "abcd");
  REQUIRE(posthaste_webhook_set(webhook.get(), "batch.max_events", "100", nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_webhook_set(webhook.get(), "batch.max_events", nullptr, nullptr) ==
          POSTHASTE_OK);
  CHECK(text_of(webhook.get(), "batch.max_events") == "(not set)");
}

TEST_CASE("A text that was got lives until the description changes", "[capi][webhook]") {
  const WebhookHandle webhook = make_webhook();
  const char* name = posthaste_webhook_get(webhook.get(), "name");
  for (int i = 0; i < 100; ++i) CHECK(posthaste_webhook_get(webhook.get(), "target") != nullptr);
  CHECK(posthaste_webhook_get(webhook.get(), "name") == name);
  CHECK(posthaste_webhook_set(webhook.get(), "name", "", nullptr) == POSTHASTE_E_BAD_VALUE);
  CHECK(std::string(name) == "Orders");
}

TEST_CASE("The text of a description's key is checked at once", "[capi][webhook]") {
  const WebhookHandle webhook = make_webhook();
  const ErrorHandle error = make_error();
  const auto refused = [&](const char* key, const char* value) {
    const int32_t code = posthaste_webhook_set(webhook.get(), key, value, error.get());
    CHECK(std::string(posthaste_error_message(error.get())) != "");
    CHECK(std::string(posthaste_error_key(error.get())) != "");
    return code;
  };
  CHECK(refused("colour", "red") == POSTHASTE_E_UNKNOWN_KEY);
  CHECK(refused("id", "mine") == POSTHASTE_E_NOT_CHANGEABLE);
  CHECK(refused("events", "") == POSTHASTE_E_BAD_EVENTS);
  CHECK(refused("target", "") == POSTHASTE_E_BAD_TARGET);
  CHECK(refused("header.Host", "x") == POSTHASTE_E_BAD_HEADER);
  CHECK(refused("batch.max_events", "0") == POSTHASTE_E_BAD_VALUE);
  CHECK(refused("intake.max_bytes", "64MiB") == POSTHASTE_E_UNKNOWN_KEY);
  CHECK(text_of(webhook.get(), "events") == "delivery,bounce");
}

TEST_CASE("The REST shape is taken whole or not at all", "[capi][webhook]") {
  const WebhookHandle webhook(posthaste_webhook_new());
  const ErrorHandle error = make_error();
  CHECK(set_json(webhook.get(), R"({"name":"A","target":"http://127.0.0.1/","events":[]})",
                 error.get()) == POSTHASTE_E_BAD_EVENTS);
  CHECK(std::string(posthaste_error_key(error.get())) == "events");
  CHECK(text_of(webhook.get(), "name") == "(not set)");
  CHECK(set_json(webhook.get(), "{\"name\":", error.get()) == POSTHASTE_E_BAD_JSON);
  CHECK(set_json(webhook.get(),
                 R"({"name":"A","target":"http://127.0.0.1/","events":["open","click"],)"
                 R"("auth_token":"t","custom_headers":{"x-a":"1"},"active":false,"later":1})",
                 error.get()) == POSTHASTE_OK);
  CHECK(text_of(webhook.get(), "events") == "open,click");
  CHECK(text_of(webhook.get(), "active") == "false");
  CHECK(text_of(webhook.get(), "header.x-a") == "1");
}

TEST_CASE("A description is written in the REST shape, secrets as they are", "[capi][webhook]") {
  const WebhookHandle webhook = make_webhook();
  REQUIRE(posthaste_webhook_set(webhook.get(), "auth_token", "t0ken", nullptr) == POSTHASTE_OK);
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_webhook_json(webhook.get(), &text) == POSTHASTE_OK);
  CHECK(take(text) ==
        R"({"name":"Orders","target":"http://127.0.0.1:9/hook","events":["delivery","bounce"],)"
        R"("auth_token":"t0ken"})");
}

TEST_CASE("A copy of a description is independent", "[capi][webhook]") {
  WebhookHandle webhook = make_webhook();
  CHECK(text_of(webhook.get(), "name") == "Orders");
  const WebhookHandle copy(posthaste_webhook_copy(webhook.get()));
  REQUIRE(copy);
  REQUIRE(posthaste_webhook_set(webhook.get(), "name", "Other", nullptr) == POSTHASTE_OK);
  webhook.reset();
  CHECK(text_of(copy.get(), "name") == "Orders");
  CHECK(posthaste_webhook_copy(nullptr) == nullptr);
}

TEST_CASE("Null where a description needs an object is an error", "[capi][webhook]") {
  const WebhookHandle webhook = make_webhook();
  const ErrorHandle error = make_error();
  posthaste_text_t* text = nullptr;
  CHECK(posthaste_webhook_set(nullptr, "name", "A", error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "webhook");
  CHECK(posthaste_webhook_set(webhook.get(), nullptr, "A", error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_webhook_set_json(webhook.get(), nullptr, 2, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "json");
  CHECK(posthaste_webhook_json(nullptr, &text) == POSTHASTE_E_INVALID);
  CHECK(posthaste_webhook_json(webhook.get(), nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_webhook_get(nullptr, "name") == nullptr);
  CHECK(posthaste_webhook_get(webhook.get(), nullptr) == nullptr);
}
