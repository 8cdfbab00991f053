// How an engine authenticates itself, what its address policy says, and that no secret leaves it by
// another way than the request it belongs to.
#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "support/host.h"
#include "support/proxy.h"
#include "support/receiver.h"
#include "support/temporary_directory.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

constexpr int32_t kTimeoutMs = 10'000;

Settings quick(const Settings& more = {}) {
  Settings settings = {{"batch.max_age", "20ms"}, {"webhook.activation_delay", "0s"},
                       {"connect.timeout", "2s"}, {"request.timeout", "2s"},
                       {"retry.base", "1h"},      {"retry.max", "1h"},
                       {"log.level", "debug"}};
  for (const auto& [key, value] : more) settings[key] = value;
  return settings;
}

Settings oauth2(const Receiver& tokens, const Settings& more = {}) {
  Settings settings = {{"auth.type", "oauth2"},
                       {"oauth2.url", tokens.url("/tokens")},
                       {"oauth2.client_id", "id"},
                       {"oauth2.client_secret", "hunter2"}};
  for (const auto& [key, value] : more) settings[key] = value;
  return settings;
}

Reply token_reply(const std::string& token, int lifetime_s = 3600) {
  Reply reply;
  reply.body =
      R"({"access_token":")" + token + R"(","expires_in":)" + std::to_string(lifetime_s) + "}";
  return reply;
}

// Answers 200 to what carries this Authorization, else 401.
void take_only(Receiver& receiver, const std::string& authorization) {
  receiver.set_decide([authorization](const Request& request) -> std::optional<Reply> {
    Reply reply;
    if (request.header("Authorization") != authorization) reply.status = 401;
    return reply;
  });
}

std::string take(posthaste_text_t* text) {
  const TextHandle owner(text);
  return posthaste_text_data(text);
}

// Lines of the log, which come from threads of the library.
struct LogLines {
  static void add(int32_t /*level*/, const char* line, void* self) {
    auto& lines = *static_cast<LogLines*>(self);
    const std::lock_guard lock(lines.mutex);
    lines.text.append(line).append("\n");
  }
  std::string take() {
    const std::lock_guard lock(mutex);
    return text;
  }

  std::mutex mutex;
  std::string text;
};

std::string report_json(const posthaste_report_t* report) {
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_report_json(report, &text) == POSTHASTE_OK);
  return take(text);
}

// The code of a creation with these keys; the host's error says more.
int32_t create(const Host& host, const std::string& target, const Settings& keys) {
  posthaste_webhook_t* created = nullptr;
  const int32_t code = posthaste_create(host.get(), host.webhook(target, keys).get(), kTimeoutMs,
                                        &created, host.error());
  const WebhookHandle owner(created);
  return code;
}

std::string error_text(const Host& host) {
  std::string text = host.message() + "\n" + posthaste_error_key(host.error()) + "\n" +
                     posthaste_error_network_name(host.error()) + "\n";
  size_t size = 0;
  const char* body = posthaste_error_body(host.error(), &size);
  return text.append(body, size);
}

}  // namespace

TEST_CASE("A wrong token that is corrected drains what waits at once", "[auth]") {
  Receiver receiver;
  take_only(receiver, "Bearer right");
  Host host(quick());
  host.start().put("w", receiver.url("/hook"), {{"auth.type", "bearer"}, {"auth.bearer", "wrong"}});
  REQUIRE(host.push("delivery", "{}") == POSTHASTE_OK);
  const ReportHandle failed = host.next_report(POSTHASTE_REPORT_RETRYING);
  REQUIRE(failed);
  CHECK(posthaste_report_status(failed.get()) == 401);
  host.push_all("delivery", "{}");
  host.put("w", receiver.url("/hook"), {{"auth.type", "bearer"}, {"auth.bearer", "right"}});
  // The next attempt by the schedule would be an hour away.
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED, 5'000));
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED, 5'000));
}

TEST_CASE("The token is fetched before the test POST and serves all webhooks", "[auth]") {
  Receiver receiver;
  Receiver tokens;
  tokens.set_default(token_reply("abc"));
  take_only(receiver, "Bearer abc");
  Host host(quick());
  host.start();
  CHECK(create(host, receiver.url("/one"), oauth2(tokens)) == POSTHASTE_OK);
  CHECK(create(host, receiver.url("/two"), oauth2(tokens, {{"auth_token", "t"}})) == POSTHASTE_OK);
  host.push_all("delivery", "{}");
  CHECK(host.flush() == POSTHASTE_OK);
  REQUIRE(tokens.log().requests().size() == 1);
  CHECK(tokens.log().requests()[0].body ==
        "grant_type=client_credentials&client_id=id&client_secret=hunter2");
  CHECK(receiver.log().requests().size() == 4);
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED));
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED));
}

TEST_CASE("A token request may be JSON and go through the webhook's own proxy", "[auth]") {
  Receiver receiver;
  Receiver tokens;
  Proxy proxy;
  tokens.set_default(token_reply("abc"));
  Host host(quick());
  host.start();
  CHECK(create(host, receiver.url("/"),
               oauth2(tokens, {{"oauth2.body", "json"}, {"proxy", proxy.url("http")}})) ==
        POSTHASTE_OK);
  CHECK(tokens.log().requests().at(0).header("Content-Type") == "application/json");
  CHECK(proxy.requests().size() == 2);
}

TEST_CASE("A token URL that fails is told in the words of the original", "[auth]") {
  Receiver receiver;
  Receiver tokens;
  Host host(quick());
  host.start();
  SECTION("with what it answered") {
    tokens.answer_with(502, {{"X-Reason", "down"}}, "gateway");
    CHECK(create(host, receiver.url("/"), oauth2(tokens)) == POSTHASTE_E_VERIFY_FAILED);
    CHECK(host.message().find("POST to webhook tokens URL failed: ") == 0);
    CHECK(host.message().find("HTTP 502") != std::string::npos);
    CHECK(posthaste_error_status(host.error()) == 502);
    CHECK(std::string(posthaste_error_network_name(host.error())).empty());
    CHECK(std::string(posthaste_error_body(host.error(), nullptr)) == "gateway");
  }
  SECTION("without an answer that repeats the secret") {
    tokens.answer_with(400, {}, "no client with hunter2");
    CHECK(create(host, receiver.url("/"), oauth2(tokens)) == POSTHASTE_E_VERIFY_FAILED);
    CHECK(error_text(host).find("hunter2") == std::string::npos);
  }
  SECTION("when nobody listens") {
    tokens.stop();
    CHECK(create(host, receiver.url("/"), oauth2(tokens)) == POSTHASTE_E_VERIFY_FAILED);
    CHECK(host.message().find("ECONNREFUSED") != std::string::npos);
    CHECK(std::string(posthaste_error_network_name(host.error())) == "ECONNREFUSED");
    CHECK(posthaste_error_status(host.error()) == 0);
  }
  CHECK(std::string(posthaste_error_key(host.error())) == "oauth2.url");
  CHECK(receiver.log().requests().empty());
}

TEST_CASE("An expired token is renewed with the same batch", "[auth]") {
  Receiver receiver;
  Receiver tokens;
  tokens.set_default(token_reply("one", 1));
  Host host(quick());
  host.start().put("w", receiver.url("/"), oauth2(tokens));
  host.push_all("delivery", "{}");
  CHECK(host.flush() == POSTHASTE_OK);
  tokens.set_default(token_reply("two"));
  std::this_thread::sleep_for(1s);
  host.push_all("delivery", "{}");
  CHECK(host.flush() == POSTHASTE_OK);
  REQUIRE(receiver.log().requests().size() == 2);
  CHECK(receiver.log().requests()[0].header("Authorization") == "Bearer one");
  CHECK(receiver.log().requests()[1].header("Authorization") == "Bearer two");
}

TEST_CASE("A refused address is a clear error at verification and a report later", "[auth]") {
  Receiver receiver;
  Host host(quick({{"address.deny", "127.0.0.0/8"}}));
  host.start();
  CHECK(create(host, receiver.url("/"), {}) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(host.message() ==
        "POST to webhook target URL failed with error code EACCES: the address policy refuses the "
        "connection: 127.0.0.1 is in 127.0.0.0/8 of address.deny");
  CHECK(std::string(posthaste_error_network_name(host.error())) == "EACCES");

  host.put("w", receiver.url("/"));
  host.push_all("delivery", "{}");
  const ReportHandle report = host.next_report(POSTHASTE_REPORT_RETRYING);
  REQUIRE(report);
  CHECK(std::string(posthaste_report_network_name(report.get())) == "EACCES");
  CHECK(receiver.log().connections().empty());

  host.must(posthaste_set(host.get(), "address.deny", nullptr, host.error()));
  host.must(posthaste_retry_now(host.get(), nullptr, host.error()));
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED));
}

TEST_CASE("A token URL is under the address policy too", "[auth]") {
  Receiver receiver;
  Host host(quick());
  host.start();
  CHECK(create(host, receiver.url("/"),
               {{"auth.type", "oauth2"}, {"oauth2.url", "http://169.254.169.254/token"}}) ==
        POSTHASTE_E_VERIFY_FAILED);
  CHECK(host.message().find("169.254.169.254 is a link-local address") != std::string::npos);
  CHECK(receiver.log().connections().empty());
}

TEST_CASE("The lists of the address policy are the operator's, not a webhook's", "[auth]") {
  const Host host;
  const WebhookHandle webhook = host.webhook("http://127.0.0.1/");
  for (const char* key : {"address.allow", "address.deny", "address.ports"}) {
    CHECK(posthaste_webhook_set(webhook.get(), key, nullptr, host.error()) ==
          POSTHASTE_E_UNKNOWN_KEY);
  }
}

TEST_CASE("A webhook's own address policy can be stricter than the engine's, never laxer",
          "[auth]") {
  Receiver receiver;
  Host lax(quick());
  lax.start();
  CHECK(create(lax, receiver.url("/"), {}) == POSTHASTE_OK);
  CHECK(create(lax, receiver.url("/"), {{"address.policy", "public"}}) ==
        POSTHASTE_E_VERIFY_FAILED);
  CHECK(std::string(posthaste_error_network_name(lax.error())) == "EACCES");
  Host strict(quick({{"address.policy", "public"}}));
  strict.start();
  CHECK(create(strict, receiver.url("/"), {{"address.policy", "any"}}) ==
        POSTHASTE_E_VERIFY_FAILED);
  CHECK(std::string(posthaste_error_network_name(strict.error())) == "EACCES");
}

TEST_CASE("tls.verify=off is told in the log whenever a webhook comes with it", "[auth]") {
  const TemporaryDirectory directory;
  const Settings conf = quick({{"spool.dir", directory.path()}});
  const auto has_warning = [](LogLines& log) {
    const auto deadline = Clock::now() + 10s;
    while (log.take().find("webhook w has tls.verify=off") == std::string::npos) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  };
  for (int i = 0; i < 2; ++i) {
    LogLines log;
    Host host(conf);
    host.must(posthaste_set_log(host.get(), LogLines::add, &log));
    if (i == 0) host.put("w", "https://127.0.0.1:9/", {{"tls.verify", "off"}});
    host.start();
    CHECK(has_warning(log));
    CHECK(log.take().find("has tls.verify=off") == log.take().rfind("has tls.verify=off"));
    host.close(100);
  }
}

TEST_CASE("Secrets outlive a restart in the spool, and are listed as masks", "[auth]") {
  Receiver receiver;
  take_only(receiver, "Bearer right");
  const TemporaryDirectory directory;
  const Settings conf = quick({{"spool.dir", directory.path()}});
  {
    Host host(conf);
    host.put("w", receiver.url("/"), {{"auth.type", "bearer"}, {"auth.bearer", "right"}}).start();
    host.close();
  }
  Host host(conf);
  host.start();
  posthaste_webhook_t* found = nullptr;
  host.must(posthaste_find(host.get(), "w", &found, host.error()));
  const WebhookHandle listed(found);
  CHECK(std::string(posthaste_webhook_get(found, "auth.bearer")) == "****");
  // The listing written back keeps the secret.
  host.must(posthaste_webhook_set(found, "name", "renamed", host.error()));
  host.must(posthaste_put(host.get(), "w", found, host.error()));
  host.push_all("delivery", "{}");
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED));
}

TEST_CASE("No text that would end a line gets into a request", "[auth]") {
  const Host host;
  const WebhookHandle webhook = host.webhook("http://127.0.0.1/");
  for (const std::string& bad : {std::string("hunter2\r"), std::string("hunter2\nX: y")}) {
    for (const char* key :
         {"target", "auth_token", "header.X-A", "auth.user", "auth.password", "auth.bearer",
          "auth.header", "oauth2.url", "oauth2.client_id", "oauth2.client_secret", "oauth2.scope",
          "oauth2.audience", "oauth2.grant_type", "oauth2.parameters", "proxy",
          "tls.key_password"}) {
      INFO(key);
      CHECK(posthaste_webhook_set(webhook.get(), key, bad.c_str(), host.error()) != POSTHASTE_OK);
      CHECK(host.message().find('\n') == std::string::npos);
      CHECK(host.message().find('\r') == std::string::npos);
      const std::string named = posthaste_error_key(host.error());
      CHECK(named == (std::string(key) == "header.X-A" ? "X-A" : key));
    }
    const std::string name = "header." + bad;
    CHECK(posthaste_webhook_set(webhook.get(), name.c_str(), "x", host.error()) ==
          POSTHASTE_E_BAD_HEADER);
  }
  // NUL comes by JSON only.
  for (const char* json :
       {R"({"target":"http://a/\u0000"})", R"({"auth_token":"a\u0000"})",
        R"({"custom_headers":{"X-A":"a\u0000"}})", R"({"custom_headers":{"X\u0000":"a"}})",
        R"({"auth_credentials":{"username":"a\u0000"}})",
        R"({"auth_credentials":{"password":"a\u0000"}})",
        R"({"auth_request_details":{"url":"a\u0000","body":{}}})",
        R"({"auth_request_details":{"body":{"client_secret":"a\u0000"}}})",
        R"({"auth_request_details":{"body":{"other":"a\u0000"}}})"}) {
    INFO(json);
    CHECK(posthaste_webhook_set_json(webhook.get(), json, std::string(json).size(), host.error()) !=
          POSTHASTE_OK);
  }
}

TEST_CASE("No secret leaves the engine but in its own request", "[auth]") {
  Receiver refusing;
  refusing.answer_with(401);
  Receiver bad_tokens;
  bad_tokens.answer_with(403, {}, "no");
  ReceiverOptions tls;
  const Certificate authority = make_authority("nobody");
  tls.tls = ReceiverTls{make_server_certificate(authority)};
  Receiver untrusted(tls);
  const std::string dead = "127.0.0.1:9";
  const std::set<std::string> secrets = {"secret-token",  "secret-header", "secret-password",
                                         "secret-bearer", "secret-client", "secret-parameter",
                                         "secret-key",    "secret-proxy",  "secret-url"};
  const Settings all = {{"auth_token", "secret-token"},
                        {"header.X-A", "secret-header"},
                        {"auth.password", "secret-password"},
                        {"auth.bearer", "secret-bearer"},
                        {"oauth2.client_secret", "secret-client"},
                        {"oauth2.parameters", "p=secret-parameter"},
                        {"tls.key_password", "secret-key"}};
  const auto with = [&all](Settings keys) {
    keys.insert(all.begin(), all.end());
    return keys;
  };
  const std::vector<std::pair<std::string, Settings>> webhooks = {
      {refusing.url("/"), with({{"auth.type", "basic"}, {"auth.user", "u"}})},
      {refusing.url("/"), with({{"auth.type", "bearer"}})},
      {"http://u:secret-url@" + refusing.address() + "/", with({})},
      {refusing.url("/"), with({{"auth.type", "oauth2"}, {"oauth2.url", bad_tokens.url("/")}})},
      {refusing.url("/"), with({{"auth.type", "oauth2"}, {"oauth2.url", "http://" + dead}})},
      {"http://" + dead + "/", with({{"auth.type", "bearer"}})},
      {untrusted.url("/"), with({{"auth.type", "bearer"}, {"tls.client_cert", "/missing.pem"}})},
      {untrusted.url("/"), with({{"auth.type", "bearer"}})},
      {refusing.url("/"), with({{"proxy", "http://u:secret-proxy@" + dead}})},
      {"http://169.254.169.254/", with({{"auth.type", "bearer"}})},
  };
  LogLines log;
  Host host(quick({{"log.reports", "debug"}, {"proxy", "http://u:secret-proxy@" + dead}}));
  host.must(posthaste_set_log(host.get(), LogLines::add, &log));
  host.start();
  std::string seen;
  for (size_t i = 0; i < webhooks.size(); ++i) {
    Settings keys = webhooks[i].second;
    keys.emplace("proxy", "none");
    CHECK(create(host, webhooks[i].first, keys) == POSTHASTE_E_VERIFY_FAILED);
    seen += error_text(host);
    host.put("w" + std::to_string(i), webhooks[i].first, keys);
  }
  host.push_all("delivery", "{}");
  for (size_t i = 0; i < webhooks.size(); ++i) {
    const ReportHandle report = host.next_report(POSTHASTE_REPORT_RETRYING);
    REQUIRE(report);
    seen += report_json(report.get());
  }
  seen += host.stats();
  for (size_t i = 0; i < webhooks.size(); ++i) {
    posthaste_webhook_t* found = nullptr;
    host.must(posthaste_find(host.get(), ("w" + std::to_string(i)).c_str(), &found, host.error()));
    const WebhookHandle owner(found);
    posthaste_text_t* text = nullptr;
    host.must(posthaste_webhook_json(found, &text));
    seen += take(text);
    for (const auto& [key, value] : all) {
      const char* shown = posthaste_webhook_get(found, key.c_str());
      CHECK(std::string(shown) == "****");
    }
  }
  posthaste_text_t* text = nullptr;
  host.must(posthaste_get(host.get(), "proxy", &text, host.error()));
  seen += take(text);
  host.close(2'000);
  for (const ReportHandle& report : host.take_reports()) seen += report_json(report.get());
  seen += log.take();
  for (const std::string& secret : secrets) {
    INFO(secret);
    CHECK(seen.find(secret) == std::string::npos);
  }
  // Each of these was a failure of its kind.
  for (const char* trouble : {"HTTP 401", "EAUTH", "ECONNREFUSED", "UNABLE_TO_VERIFY",
                              "missing.pem", "EACCES", "HTTP 403"}) {
    INFO(trouble);
    CHECK(seen.find(trouble) != std::string::npos);
  }
}
