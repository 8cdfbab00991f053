#include "api/handler.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <string_view>

#include "json/value.h"
#include "unit/api/handler_fixture.h"

using namespace posthaste;
using test::HandlerHost;

namespace {

constexpr std::string_view kBody =
    R"({"name":"n","target":"http://127.0.0.1:8080/hook","events":["delivery"]})";

// The one entry of `errors`, or "" when there is none.
std::string message_of(const engine::HttpAnswer& answer) {
  const auto value = json::parse_value(answer.body);
  const json::Value* errors = value ? value->find("errors") : nullptr;
  if (errors == nullptr || errors->as_array() == nullptr) return {};
  const json::Value* message = errors->as_array()->front().find("message");
  return message == nullptr ? std::string() : *message->as_string();
}

std::string header_of(const engine::HttpAnswer& answer, std::string_view name) {
  for (const auto& header : answer.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

std::string created_id(HandlerHost& host) {
  const auto answer = host.answer("POST", "/api/v1/webhooks", std::string(kBody));
  REQUIRE(answer.status == 200);
  const auto value = json::parse_value(answer.body);
  return *value->find("results")->find("id")->as_string();
}

}  // namespace

TEST_CASE("Targets that no client should send are answered", "[api][handler]") {
  HandlerHost host;
  for (const std::string& target :
       {std::string(), std::string("*"), std::string("api/v1/webhooks"), std::string("//"),
        std::string("//api/v1/webhooks"), std::string("http://host/api/v1/webhooks"),
        std::string("/api/v1/web\0hooks", 17), std::string("/api/v1/webhooks/%00"),
        std::string("/api/v1/webhooks/\xff\xfe"), std::string("/api/v1/webhooks/") + "//",
        "/" + std::string(1'000'000, 'a'), std::string("/api/v1/webhooks/{id}")}) {
    CAPTURE(target.substr(0, 80));
    CHECK(host.answer("GET", target).status == 404);
  }
}

TEST_CASE("Methods that no client should send are answered", "[api][handler]") {
  HandlerHost host;
  for (const std::string& method : {std::string(), std::string("get"), std::string("GET\0", 4),
                                    std::string("\xff"), std::string(100'000, 'G')}) {
    const auto answer = host.answer(method, "/api/v1/webhooks");
    CHECK(answer.status == 405);
    CHECK(header_of(answer, "Allow") == "POST, GET");
  }
}

TEST_CASE("Header values that hold NUL or are not UTF-8 are answered", "[api][handler]") {
  HandlerHost host;
  for (const char* name :
       {"Authorization", "Accept", "Content-Type", "Host", "X-MSYS-SUBACCOUNT", "X-Other"}) {
    for (const std::string& value :
         {std::string("\0", 1), std::string("\xff\xfe"), std::string(100'000, ',')}) {
      api::HttpRequest request;
      request.method = "POST";
      request.target = "/api/v1/webhooks";
      request.headers = {{name, value}};
      request.body = kBody;
      const auto answer = host.answer(std::move(request));
      CAPTURE(name);
      CHECK(json::parse_value(answer.body));
    }
  }
}

TEST_CASE("A Host header of no host and port makes links that are paths", "[api][handler]") {
  HandlerHost host;
  for (const char* value : {"a b", "a/b", "user@host", "a\"b", "a\nb", "", "http://a"}) {
    api::HttpRequest request;
    request.method = "POST";
    request.target = "/api/v1/webhooks";
    request.headers = {{"Host", value}};
    request.body = kBody;
    const auto answer = host.answer(std::move(request));
    CAPTURE(value);
    CHECK(answer.body.find(R"("href":"/api/v1/webhooks/)") != std::string::npos);
  }
}

TEST_CASE("The same member twice in a body is refused", "[api][handler]") {
  HandlerHost host;
  std::string body(kBody);
  body.insert(1, R"("name":"other",)");
  const auto answer = host.answer("POST", "/api/v1/webhooks", body);
  CHECK(answer.status == 400);
  CHECK(message_of(answer).starts_with("Request body parsing failed"));
  CHECK(host.engine().list()->empty());
}

TEST_CASE("A receiver that never answers makes 504, and nothing is created", "[api][handler]") {
  HandlerHost host;
  host.network().answer("http://127.0.0.1:8080/hook", test::QuickNetwork::kSilence);
  api::HttpRequest request;
  request.method = "POST";
  request.target = "/api/v1/webhooks";
  request.body = kBody;
  const auto answer = host.answer(request, 20);
  CHECK(answer.status == 504);
  CHECK(message_of(answer) == "Gateway Timeout");
  CHECK(host.engine().list()->empty());
}

TEST_CASE("Before start and after close every route that needs a key answers 503",
          "[api][handler]") {
  const bool is_closed = GENERATE(false, true);
  HandlerHost host(is_closed ? HandlerHost::State::Started : HandlerHost::State::New);
  if (is_closed) CHECK(host.engine().close(1000));
  for (const char* target : {"/api/v1/webhooks", "/api/v1/keys", "/api/v1/stats"}) {
    CAPTURE(target);
    const auto answer = host.answer("GET", target);
    CHECK(answer.status == 503);
    CHECK_FALSE(header_of(answer, "Retry-After").empty());
  }
  CHECK(host.answer("GET", "/api/v1/webhooks/events/samples").status == 200);
}

TEST_CASE("An identity that the host gives is taken without a key", "[api][handler]") {
  HandlerHost host;
  const std::string id = created_id(host);
  api::HttpRequest request;
  request.method = "DELETE";
  request.target = "/api/v1/webhooks/" + id;
  request.identity = api::Identity{false, std::nullopt};
  CHECK(host.answer(request).status == 403);
  request.identity = api::Identity{true, 7};
  CHECK(host.answer(request).status == 404);
  request.identity = api::Identity{true, std::nullopt};
  CHECK(host.answer(request).status == 204);
}

TEST_CASE("Bodies of random pieces get an answer that is JSON", "[api][handler]") {
  static constexpr std::string_view kPieces[] = {"{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 ":",
                                                 ",",
                                                 "\"name\"",
                                                 "\"x\"",
                                                 "\"\"",
                                                 "null",
                                                 "true",
                                                 "1e999",
                                                 "-1",
                                                 "\"events\"",
                                                 "\"*\"",
                                                 "\"settings\"",
                                                 "\"a\\u0",
                                                 "\"message\"",
                                                 "\xff",
                                                 "\"target\"",
                                                 "\"msys\"",
                                                 "\"http://127.0.0.1:8080/hook\"",
                                                 "\"custom_headers\"",
                                                 "\"auth_type\"",
                                                 "\"basic\"",
                                                 "\"subaccount_id\""};
  HandlerHost host;
  const std::string id = created_id(host);
  const std::pair<std::string, std::string> routes[] = {
      {"POST", "/api/v1/webhooks"},
      {"PUT", "/api/v1/webhooks/" + id},
      {"POST", "/api/v1/webhooks/" + id + "/validate"},
      {"POST", "/api/v1/keys"},
      {"POST", "/api/v1/events"},
      {"POST", "/api/v1/dead-letters/replay"}};
  std::mt19937 random(20'261'124);
  for (int i = 0; i < 3000; ++i) {
    std::string body;
    for (size_t left = random() % 14; left > 0; --left) {
      body += kPieces[random() % std::size(kPieces)];
    }
    const auto& [method, target] = routes[random() % std::size(routes)];
    const auto answer = host.answer(method, target, body);
    CAPTURE(method, target, body, answer.status);
    CHECK((answer.status == 200 || answer.status == 400 || answer.status == 409 ||
           answer.status == 413 || answer.status == 422));
    CHECK(json::parse_value(answer.body));
  }
}
