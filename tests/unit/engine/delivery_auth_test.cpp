// How requests authenticate themselves: types of authentication, OAuth 2 tokens, corrected
// credentials (spec/momentum.md section 9, design 2a "Edits").
#include <catch2/catch.hpp>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::ReportKind;

namespace {

constexpr const char* kTokens = "http://127.0.0.1:7070/tokens";

core::WebhookSpec oauth2_spec(std::string target = kTarget) {
  core::WebhookSpec spec = spec_of(std::move(target));
  spec.overrides = {{"auth.type", "oauth2"},
                    {"oauth2.url", kTokens},
                    {"oauth2.client_id", "id"},
                    {"oauth2.client_secret", "hunter2"}};
  return spec;
}

core::WebhookSpec change_key(const std::string& key, std::string value) {
  core::WebhookSpec change;
  change.overrides[key] = std::move(value);
  return change;
}

SimAnswer token(const std::string& text, int seconds = 3600) {
  SimAnswer answer;
  answer.body =
      R"({"access_token":")" + text + R"(","expires_in":)" + std::to_string(seconds) + "}";
  return answer;
}

// A token server that numbers its tokens, beside receivers that take one of them.
struct TokenFixture : DeliveryFixture {
  explicit TokenFixture(const core::EngineSettings& settings = exact_settings())
      : DeliveryFixture(settings) {
    answer = [this](const transport::Request& request) {
      if (request.url == kTokens) return on_token ? on_token() : token(next_token());
      const bool is_good = good_token.empty() || authorization(request) == "Bearer " + good_token;
      return status(is_good ? 200 : refusal);
    };
  }
  std::string next_token() { return "token" + std::to_string(++tokens_count); }
  static std::string authorization(const transport::Request& request) {
    for (const auto& header : request.headers) {
      if (header.name == "Authorization") return header.value;
    }
    return {};
  }
  std::vector<SimExchange> to(const std::string& url) const {
    std::vector<SimExchange> found;
    for (const SimExchange& exchange : ended) {
      if (exchange.request.url == url) found.push_back(exchange);
    }
    return found;
  }
  // What the requests to a URL were authorized by, in order.
  std::vector<std::string> tokens_at(const std::string& url) const {
    std::vector<std::string> found;
    for (const SimExchange& exchange : begun) {
      if (exchange.request.url == url) found.push_back(authorization(exchange.request));
    }
    return found;
  }

  std::function<SimAnswer()> on_token;
  std::string good_token;
  int32_t refusal = 401;
  int tokens_count = 0;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Basic and bearer authentication go beside the token header", "[engine][delivery]") {
  DeliveryFixture fixture;
  core::WebhookSpec spec = spec_of();
  spec.auth_token = "t";
  SECTION("basic, with an empty password") {
    spec.overrides = {{"auth.type", "basic"}, {"auth.user", "user"}};
  }
  SECTION("bearer") {
    spec.overrides = {{"auth.type", "bearer"}, {"auth.bearer", "abc"}};
  }
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.begun.size() == 1);
  CHECK(DeliveryFixture::header(fixture.begun[0], "X-MessageSystems-Webhook-Token") == "t");
  CHECK(DeliveryFixture::header(fixture.begun[0], "Authorization") ==
        (spec.overrides.at("auth.type") == "basic" ? "Basic dXNlcjo=" : "Bearer abc"));
}

TEST_CASE("A token is fetched before the first batch and kept for the next", "[engine][delivery]") {
  TokenFixture fixture;
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  for (int i = 0; i < 3; ++i) {
    fixture.push("delivery");
    fixture.flush();
  }
  REQUIRE(fixture.ended.size() == 4);
  CHECK(fixture.ended[0].request.url == kTokens);
  CHECK(fixture.ended[0].body ==
        "grant_type=client_credentials&client_id=id&client_secret=hunter2");
  CHECK(DeliveryFixture::header(fixture.ended[0], "Content-Type") ==
        "application/x-www-form-urlencoded");
  CHECK(DeliveryFixture::batch_id(fixture.ended[0]).empty());
  CHECK(fixture.tokens_at(kTarget) == Texts{"Bearer token1", "Bearer token1", "Bearer token1"});
}

TEST_CASE("A token that is about to expire is fetched anew", "[engine][delivery]") {
  TokenFixture fixture;
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(3539s);
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(1s);
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.tokens_at(kTarget) == Texts{"Bearer token1", "Bearer token1", "Bearer token2"});
}

TEST_CASE("Webhooks with equal credentials share one token request", "[engine][delivery]") {
  TokenFixture fixture;
  fixture.on_token = [&] {
    SimAnswer answer = token(fixture.next_token());
    answer.response = 2s;
    return answer;
  };
  REQUIRE(fixture.engine.put("a", oauth2_spec("http://127.0.0.1:8080/a")));
  REQUIRE(fixture.engine.put("b", oauth2_spec("http://127.0.0.1:8080/b")));
  core::WebhookSpec other = oauth2_spec("http://127.0.0.1:8080/c");
  other.overrides["oauth2.scope"] = "other";
  REQUIRE(fixture.engine.put("c", other));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(3s);
  CHECK(fixture.tokens_count == 2);
  CHECK(fixture.tokens_at("http://127.0.0.1:8080/a") == Texts{"Bearer token1"});
  CHECK(fixture.tokens_at("http://127.0.0.1:8080/b") == Texts{"Bearer token1"});
  CHECK(fixture.tokens_at("http://127.0.0.1:8080/c") == Texts{"Bearer token2"});
}

TEST_CASE("A refused token is renewed within the attempt, which keeps its batch id",
          "[engine][delivery]") {
  TokenFixture fixture;
  fixture.refusal = GENERATE(400, 401);
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(2min);
  fixture.good_token = "token2";
  fixture.push("delivery");
  fixture.flush();
  const auto sent = fixture.to(kTarget);
  REQUIRE(sent.size() == 3);
  CHECK(fixture.tokens_at(kTarget) == Texts{"Bearer token1", "Bearer token1", "Bearer token2"});
  CHECK(DeliveryFixture::batch_id(sent[1]) == DeliveryFixture::batch_id(sent[2]));
  CHECK(sent[1].body == sent[2].body);
  CHECK(fixture.reports(ReportKind::Retrying).empty());
  CHECK(fixture.counters("w").attempts.get() == 2);
}

TEST_CASE("A compressed and signed batch goes out again with the renewed token",
          "[engine][delivery]") {
  core::EngineSettings settings = exact_settings();
  settings.webhook.compression = core::Compression::Gzip;
  settings.webhook.signing_secrets = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  TokenFixture fixture(settings);
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery", 100);
  fixture.flush();
  fixture.run_for(2min);
  fixture.good_token = "token2";
  fixture.push("delivery", 100);
  fixture.flush();
  const auto sent = fixture.to(kTarget);
  REQUIRE(sent.size() == 3);
  CHECK(fixture.tokens_at(kTarget) == Texts{"Bearer token1", "Bearer token1", "Bearer token2"});
  CHECK(sent[1].body == sent[2].body);
  for (const char* name : {"webhook-signature", "webhook-id", "Content-Encoding"}) {
    CHECK_FALSE(DeliveryFixture::header(sent[2], name).empty());
    CHECK(DeliveryFixture::header(sent[1], name) == DeliveryFixture::header(sent[2], name));
  }
}

TEST_CASE("A removed webhook leaves a token request without anybody who waits",
          "[engine][delivery]") {
  TokenFixture fixture;
  fixture.on_token = [&] {
    SimAnswer answer = token(fixture.next_token());
    answer.response = 3s;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.engine.remove("w", true));
  fixture.run_for(10s);
  CHECK(fixture.engine.transport().running_count() == 0);
  CHECK(fixture.tokens_count == 1);
}

TEST_CASE("A token is renewed once per attempt and at most once a minute", "[engine][delivery]") {
  TokenFixture fixture;
  fixture.good_token = "none of them";
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.to(kTarget).size() == 1);
  CHECK(fixture.reports(ReportKind::Retrying).at(0).status == 401);
  fixture.run_for(10min);
  CHECK(fixture.tokens_count > 1);
  CHECK(fixture.tokens_count <= 11);
  // Every attempt sent the batch at most twice.
  CHECK(fixture.to(kTarget).size() <= 2 * fixture.counters("w").attempts.get());
}

TEST_CASE("A token that cannot be fetched is the endpoint's trouble, told without the secret",
          "[engine][delivery]") {
  TokenFixture fixture;
  std::string ending;
  SECTION("an error status") {
    fixture.on_token = [] { return status(502); };
    ending = "EAUTH (the token request to http://127.0.0.1:7070 was answered by HTTP 502)";
  }
  SECTION("no connection") {
    fixture.on_token = [] { return fault(SimFault::Refused); };
    ending = "EAUTH (the token request to http://127.0.0.1:7070 failed: ECONNREFUSED (refused))";
  }
  SECTION("an answer without a token") {
    fixture.on_token = [] {
      SimAnswer answer;
      answer.body = R"({"error":"hunter2"})";
      return answer;
    };
    ending =
        "EAUTH (the token request to http://127.0.0.1:7070 failed: the answer has no "
        "access_token)";
  }
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery", 2);
  fixture.flush();
  const auto reports = fixture.reports(ReportKind::Retrying);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].message == ending);
  CHECK(reports[0].status == 0);
  CHECK(reports[0].network_name == "EAUTH");
  CHECK(reports[0].reached == transport::Reached::No);
  CHECK(fixture.counters("w").endpoint_health.get() == 2);
  CHECK(fixture.to(kTarget).empty());
  fixture.on_token = nullptr;
  fixture.run_for(2s);
  CHECK(fixture.to(kTarget).size() == 1);
  CHECK(fixture.counters("w").events_delivered.get() == 2);
}

TEST_CASE("An engine that closes while a token is fetched gives its batches up",
          "[engine][delivery]") {
  TokenFixture fixture;
  fixture.on_token = [] { return fault(SimFault::AnswerHangs); };
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.engine.transport().running_count() == 1);
  REQUIRE(fixture.engine.close(fixture.engine.clock().now() + 1s));
  fixture.run_for(2s);
  CHECK(fixture.engine.transport().running_count() == 0);
  CHECK(fixture.to(kTarget).empty());
  CHECK(fixture.reports(ReportKind::Dropped).size() == 1);
}

TEST_CASE("A corrected credential drains what waits at once", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [&](const transport::Request& request) {
    return status(TokenFixture::authorization(request) == "Bearer right" ? 200 : 401);
  };
  core::WebhookSpec spec = spec_of();
  spec.overrides = {{"auth.type", "bearer"}, {"auth.bearer", "wrong"}};
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(10min);
  CHECK(fixture.counters("w").events_delivered.get() == 0);
  REQUIRE(fixture.engine.update("w", change_key("auth.bearer", "right")));
  fixture.step();
  CHECK(fixture.counters("w").events_delivered.get() == 2);
}

TEST_CASE("A credential that is corrected during an attempt is tried as soon as that has failed",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [&](const transport::Request& request) {
    SimAnswer answer = status(TokenFixture::authorization(request) == "Bearer right" ? 200 : 401);
    answer.response = 2s;
    return answer;
  };
  core::WebhookSpec spec = spec_of();
  spec.overrides = {
      {"auth.type", "bearer"}, {"auth.bearer", "wrong"}, {"retry.base", "1h"}, {"retry.max", "1h"}};
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(1s);
  REQUIRE(fixture.engine.update("w", change_key("auth.bearer", "right")));
  fixture.run_for(3500ms);
  CHECK(fixture.counters("w").events_delivered.get() == 1);
}

TEST_CASE("OAuth 2 credentials never follow a target to another origin", "[engine][delivery]") {
  TokenFixture fixture;
  fixture.good_token = "token2";
  REQUIRE(fixture.engine.put("w", oauth2_spec()));
  fixture.push("delivery");
  fixture.flush();
  core::WebhookSpec change = change_key("oauth2.client_secret", "other");
  change.target = "http://127.0.0.1:9999/moved";
  REQUIRE(fixture.engine.update("w", change));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(5s);
  // The new target got a token of the new credentials, the old one none of those.
  CHECK(fixture.tokens_at("http://127.0.0.1:9999/moved") == Texts{"Bearer token2"});
  for (const std::string& sent : fixture.tokens_at(kTarget)) CHECK(sent == "Bearer token1");
}
