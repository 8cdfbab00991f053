#include "transport/token_request.h"

#include <catch2/catch.hpp>

using namespace posthaste::transport;
using namespace std::chrono_literals;
using posthaste::core::DeliverySettings;
using posthaste::core::ErrorCode;
using posthaste::core::TokenBody;

namespace {

DeliverySettings settings() {
  DeliverySettings settings;
  settings.oauth2_url = "https://tokens.test/get";
  settings.oauth2_client_id = "CLIENT 123";
  settings.oauth2_client_secret = "9s&d=\"f";
  return settings;
}

}  // namespace

TEST_CASE("A token request is a form unless JSON is asked for", "[transport][token_request]") {
  DeliverySettings keys = settings();
  TokenRequest request = token_request_of(keys);
  CHECK(request.url == "https://tokens.test/get");
  CHECK(request.content_type == "application/x-www-form-urlencoded");
  CHECK(request.body ==
        "grant_type=client_credentials&client_id=CLIENT+123&client_secret=9s%26d%3D%22f");
  keys.oauth2_body = TokenBody::Json;
  request = token_request_of(keys);
  CHECK(request.content_type == "application/json");
  CHECK(request.body == R"({"grant_type":"client_credentials","client_id":"CLIENT 123",)"
                        R"("client_secret":"9s&d=\"f"})");
}

TEST_CASE("Scope, audience and further parameters follow when they are set",
          "[transport][token_request]") {
  DeliverySettings keys = settings();
  keys.oauth2_scope = "read write";
  keys.oauth2_audience = "api";
  keys.oauth2_parameters = "resource=https%3A%2F%2Fx&tenant=";
  CHECK(token_request_of(keys).body.ends_with(
      "&scope=read+write&audience=api&resource=https%3A%2F%2Fx&tenant="));
  keys.oauth2_body = TokenBody::Json;
  CHECK(token_request_of(keys).body.ends_with(
      R"(,"scope":"read write","audience":"api","resource":"https://x","tenant":""})"));
}

TEST_CASE("A token comes with its lifetime, as a number or a text, or an hour",
          "[transport][token_request]") {
  const auto lifetime = [](const char* body) {
    const auto token = parse_token(body);
    REQUIRE(token);
    CHECK(token->text == "abc");
    return token->lifetime;
  };
  CHECK(lifetime(R"({"access_token":"abc","expires_in":3600,"token_type":"Bearer"})") == 3600s);
  CHECK(lifetime(R"({"access_token":"abc","expires_in":"60","token_type":"BEARER"})") == 60s);
  CHECK(lifetime(R"({"access_token":"abc","expires_in":59.9})") == 59s);
  CHECK(lifetime(R"({"access_token":"abc","expires_in":0})") == 0s);
  CHECK(lifetime(R"({"access_token":"abc","expires_in":1e30})") == 720h);
  CHECK(lifetime(R"({"access_token":"abc","expires_in":null})") == 1h);
  CHECK(lifetime(R"({"access_token":"abc"})") == 1h);
}

TEST_CASE("An answer without a usable token is told without repeating it",
          "[transport][token_request]") {
  for (const char* body :
       {"", "hunter2", "[\"hunter2\"]", R"({"token":"hunter2"})", R"({"access_token":7})",
        R"({"access_token":""})", R"({"access_token":"hunter2\r\nX: y"})",
        R"({"access_token":"hunter2 x"})", R"({"access_token":"hünter2"})",
        R"({"access_token":"hunter2","token_type":"mac"})",
        R"({"access_token":"hunter2","expires_in":"soon"})",
        R"({"access_token":"hunter2","expires_in":-1})",
        R"({"access_token":"hunter2","expires_in":{}})"}) {
    INFO(body);
    const auto token = parse_token(body);
    REQUIRE_FALSE(token);
    CHECK(token.code() == ErrorCode::BadField);
    CHECK(token.error().message.find("unter2") == std::string::npos);
  }
  CHECK_FALSE(parse_token(R"({"access_token":")" + std::string(kTokenBytesMax + 1, 'x') + R"("})"));
}
