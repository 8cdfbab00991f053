#include "config/property_table.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "config/value_text.h"

using namespace posthaste::config;
using posthaste::core::Duration;
using posthaste::core::EngineSettings;
using posthaste::core::ErrorCode;

namespace {

const Property& property(std::string_view key) {
  const Property* found = find_property(key);
  REQUIRE(found != nullptr);
  return *found;
}

// Texts that the property takes, both edges of its range among them.
std::vector<std::string> samples(const Property& of) {
  std::vector<std::string> texts = {default_text(of)};
  switch (of.type) {
    case PropertyType::Duration:
      texts.push_back(format_ms(of.minimum));
      texts.push_back(format_ms(of.maximum));
      break;
    case PropertyType::Size:
      texts.push_back(format_bytes(of.minimum));
      texts.push_back(format_bytes(of.maximum));
      break;
    case PropertyType::Count:
      texts.push_back(std::to_string(of.minimum));
      texts.push_back(std::to_string(of.maximum));
      break;
    case PropertyType::Boolean:
      texts.insert(texts.end(), {"on", "off"});
      break;
    case PropertyType::Choice:
      for (const Choice& choice : of.choices) texts.emplace_back(choice.name);
      break;
    case PropertyType::Text:
      if (of.key == "proxy") {
        texts.insert(texts.end(), {"env", "http://proxy.test:3128", "socks5h://a:b@[::1]:1080"});
        break;
      }
      if (of.key == "address.allow" || of.key == "address.deny") {
        texts.insert(texts.end(), {"10.0.0.0/8, ::1", "fd00::/8"});
      } else if (of.key == "address.ports") {
        texts.insert(texts.end(), {"443", "80,8000-8999"});
      } else if (of.key == "subaccount") {
        texts.insert(texts.end(), {"all", "0", "2147483647"});
      } else if (of.key == "subaccount.except") {
        texts.insert(texts.end(), {"7", "1,2,3"});
      } else if (of.key == "api.base_url") {
        texts.emplace_back("https://mail.example.com:8443/events");
      } else if (of.key == "oauth2.parameters") {
        texts.emplace_back("a=1&b=%20");
      } else {
        texts.emplace_back(of.maximum, 'x');
      }
      break;
    case PropertyType::Schedule:
      texts.insert(texts.end(), {"none", "1m,5m,30m,1h", "1ms", "7d"});
      break;
    case PropertyType::Kinds:
      texts.insert(texts.end(), {"all", "none", "dropped", "retrying,state,log"});
      break;
  }
  return texts;
}

}  // namespace

TEST_CASE("Every value of every key is stored, loaded and written back the same",
          "[config][property_table]") {
  for (const Property& each : properties()) {
    for (const std::string& text : samples(each)) {
      INFO(each.key << " = " << text);
      const auto value = parse_value(each, text);
      REQUIRE(value);
      EngineSettings settings;
      each.binding.store(settings, *value);
      CHECK(each.binding.load(settings) == *value);
      CHECK(format_value(each, each.binding.load(settings)) == text);
      CHECK(current_text(each, settings) == (is_hidden(each.key, text) ? "****" : text));
    }
  }
}

TEST_CASE("A proxy is shown unless it holds credentials", "[config][property_table]") {
  CHECK_FALSE(is_hidden("proxy", "none"));
  CHECK_FALSE(is_hidden("proxy", "http://proxy.test:3128"));
  CHECK(is_hidden("proxy", "http://user:hunter2@proxy.test:3128"));
}

TEST_CASE("What is no proxy is refused without repeating it", "[config][property_table]") {
  for (const std::string_view text :
       {"", "yes", "proxy.test:3128", "ftp://proxy.test", "http://", "http://:3128", "http://u:p@",
        "http://proxy.test:0", "http://proxy.test:65536", "http://proxy.test:x", "http://[::1]3128",
        "http://proxy.test:", "http://proxy.test/path", "http://proxy.test?x", "http://proxy test",
        "socks4://proxy.test", "http://proxy.test\r\nX: y"}) {
    INFO(text);
    const auto refused = parse_value(property("proxy"), text);
    REQUIRE(refused.code() == ErrorCode::BadValue);
    CHECK(refused.error().message.find("test") == std::string::npos);
  }
}

TEST_CASE("The error about a bad secret does not repeat it", "[config][property_table]") {
  const Property& secret = property("tls.key_password");
  CHECK(is_hidden("tls.key_password", "hunter2"));
  CHECK_FALSE(is_hidden("tls.key_password", ""));
  CHECK_FALSE(is_hidden("tls.ca_file", "hunter2"));
  CHECK_FALSE(is_hidden("tls.unknown", "hunter2"));
  const auto refused = parse_value(secret, "hunter2\n");
  REQUIRE(refused.code() == ErrorCode::BadValue);
  CHECK(refused.error().key == "tls.key_password");
  CHECK(refused.error().message ==
        "tls.key_password: the value is not allowed, it must be 0..1024 characters");
}

TEST_CASE("Storing one key changes no other", "[config][property_table]") {
  for (const Property& each : properties()) {
    for (const std::string& text : samples(each)) {
      EngineSettings settings;
      each.binding.store(settings, *parse_value(each, text));
      for (const Property& other : properties()) {
        if (&other == &each) continue;
        INFO(each.key << " = " << text << " and " << other.key);
        CHECK(current_text(other, settings) == default_text(other));
      }
    }
  }
}

TEST_CASE("A value beyond either edge of its range is refused", "[config][property_table]") {
  for (const Property& each : properties()) {
    std::vector<std::string> beyond;
    const auto write = [&each](uint64_t number) {
      if (each.type == PropertyType::Size) return format_bytes(number);
      return each.type == PropertyType::Count ? std::to_string(number) : format_ms(number);
    };
    if (each.type == PropertyType::Duration || each.type == PropertyType::Size ||
        each.type == PropertyType::Count || each.type == PropertyType::Schedule) {
      if (each.minimum > 0) beyond.push_back(write(each.minimum - 1));
      if (each.maximum < UINT64_MAX) beyond.push_back(write(each.maximum + 1));
    } else if (each.type == PropertyType::Text) {
      if (each.minimum > 0) beyond.emplace_back(each.minimum - 1, 'x');
      beyond.emplace_back(each.maximum + 1, 'x');
    }
    for (const std::string& text : beyond) {
      INFO(each.key << " = " << text);
      CHECK(parse_value(each, text).code() == ErrorCode::BadValue);
    }
  }
}

TEST_CASE("The error of a refused value names key, value and what is allowed",
          "[config][property_table]") {
  const auto value = parse_value(property("retry.base"), "2 weeks");
  REQUIRE_FALSE(value);
  CHECK(value.code() == ErrorCode::BadValue);
  CHECK(value.error().key == "retry.base");
  CHECK(value.error().message ==
        "retry.base: \"2 weeks\" is not allowed, it must be 1ms..1d, such as 500ms, 30s or 5m");
  CHECK(parse_value(property("retry.jitter"), "full").error().message ==
        "retry.jitter: \"full\" is not allowed, it must be none|equal");
  for (const Property& each : properties()) {
    INFO(each.key);
    const auto refused = parse_value(each, "\x01 no value of any key");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().key == each.key);
    const std::string echo = each.is_secret ? ": the value is not" : ": \"? no value";
    CHECK(refused.error().message.find(std::string(each.key) + echo) == 0);
    CHECK(refused.error().message.find(range_text(each)) != std::string::npos);
  }
}

TEST_CASE("The defaults are those of the design", "[config][property_table]") {
  const std::pair<const char*, const char*> defaults[] = {
      {"batch.max_events", "10000"},
      {"batch.max_age", "30s"},
      {"batch.max_bytes", "16MiB"},
      {"connect.timeout", "6s"},
      {"request.timeout", "6s"},
      {"request.max_time", "1m"},
      {"request.max_in_flight", "1"},
      {"request.keep_alive", "on"},
      {"http.gone", "retry"},
      {"disable.after", "0s"},
      {"rate.requests", "0"},
      {"rate.events", "0"},
      {"retry.base", "1s"},
      {"retry.max", "5m"},
      {"retry.jitter", "equal"},
      {"retry.max_age", "4h"},
      {"retry.schedule", "none"},
      {"webhook.activation_delay", "1m"},
      {"verify", "on"},
      {"verify.accept", "200"},
      {"auth.header", "X-MessageSystems-Webhook-Token"},
      {"auth.type", "none"},
      {"auth.user", ""},
      {"auth.password", ""},
      {"auth.bearer", ""},
      {"oauth2.url", ""},
      {"oauth2.client_id", ""},
      {"oauth2.client_secret", ""},
      {"oauth2.grant_type", "client_credentials"},
      {"oauth2.scope", ""},
      {"oauth2.audience", ""},
      {"oauth2.parameters", ""},
      {"oauth2.body", "form"},
      {"address.policy", "any"},
      {"subaccount", "all"},
      {"subaccount.except", ""},
      {"api.secrets", "masked"},
      {"api.links", "absolute"},
      {"api.base_url", ""},
      {"api.subaccount_address_policy", "public"},
      {"address.allow", ""},
      {"address.deny", ""},
      {"address.ports", ""},
      {"tls.ca_file", ""},
      {"tls.client_cert", ""},
      {"tls.client_key", ""},
      {"tls.key_password", ""},
      {"tls.verify", "on"},
      {"tls.min_version", "1.2"},
      {"proxy", "none"},
      {"proxy.no_proxy", ""},
      {"compression", "none"},
      {"signing.secrets", ""},
      {"webhook.max_waiting_bytes", "64MiB"},
      {"webhook.max_spool_bytes", "0B"},
      {"dead_letter", "off"},
      {"event.max_bytes", "1MiB"},
      {"intake.max_bytes", "256MiB"},
      {"waiting.max_bytes", "256MiB"},
      {"connections.max", "256"},
      {"verify.max_in_flight", "16"},
      {"report.max_bytes", "4MiB"},
      {"report.kinds", "all"},
      {"log.level", "info"},
      {"log.reports", "off"},
      {"attempts.max_age", "1d"},
      {"attempts.max_bytes", "4MiB"},
      {"spool.dir", ""},
      {"spool.max_bytes", "4GiB"},
      {"spool.file_bytes", "64MiB"},
      {"spool.sync", "full"},
      {"spool.commit_interval", "20ms"},
      {"spool.on_damage", "refuse"},
      {"spool.group", ""},
      {"spool.file_mode", "0600"},
      {"role", "deliverer"},
      {"delivery", "on"},
      {"producer.lock_timeout", "50ms"},
      {"producer.max_bytes", "256MiB"},
      {"dead_letter.max_bytes", "1GiB"},
      {"dead_letter.max_age", "7d"},
      {"random.seed", "0"},
  };
  CHECK(properties().size() == std::size(defaults));
  for (const auto& [key, text] : defaults) {
    INFO(key);
    CHECK(default_text(property(key)) == text);
  }
}

TEST_CASE("Keys are unique and every row is complete", "[config][property_table]") {
  std::set<std::string_view> keys;
  for (const Property& each : properties()) {
    INFO(each.key);
    CHECK(keys.insert(each.key).second);
    CHECK(find_property(each.key) == &each);
    CHECK(each.help.size() > 10);
    CHECK(each.help.back() == '.');
    CHECK_FALSE(range_text(each).empty());
    CHECK(each.minimum <= each.maximum);
    CHECK((each.type != PropertyType::Text || each.accepts != nullptr));
    if (each.scope() == Scope::Webhook) CHECK(each.change == Change::Live);
  }
  CHECK(find_property("") == nullptr);
  CHECK(find_property("batch.max_event") == nullptr);
  CHECK(find_property("batch.max_events ") == nullptr);
  CHECK(find_property("Batch.max_events") == nullptr);
}

TEST_CASE("Keys of delivery are the webhook's, the rest the engine's", "[config][property_table]") {
  CHECK(property("batch.max_age").scope() == Scope::Webhook);
  CHECK(property("webhook.max_waiting_bytes").scope() == Scope::Webhook);
  CHECK(property("tls.ca_file").scope() == Scope::Webhook);
  CHECK(property("waiting.max_bytes").scope() == Scope::Engine);
  CHECK(property("event.max_bytes").scope() == Scope::Engine);
}

TEST_CASE("A retry schedule is none, momentum, or up to 64 durations", "[config][property_table]") {
  const Property& schedule = property("retry.schedule");
  const auto written = [&schedule](std::string_view text) {
    return format_value(schedule, *parse_value(schedule, text));
  };
  CHECK(written("momentum") == "1m,5m,30m,1h");
  CHECK(written(" 60s , 5min,30m,60m") == "1m,5m,30m,1h");
  CHECK(written("none") == "none");
  std::string steps = "1s";
  for (int i = 1; i < 64; ++i) steps += ",1s";
  CHECK(written(steps) == steps);
  for (const std::string& text :
       {steps + ",1s", std::string(), std::string("1m,"), std::string(",1m"), std::string("0"),
        std::string("1m,none"), std::string("1m,momentum"), std::string("5")}) {
    INFO(text);
    CHECK(parse_value(schedule, text).code() == ErrorCode::BadValue);
  }
}

TEST_CASE("Report kinds are bits numbered as in the public header", "[config][property_table]") {
  // Bit n is POSTHASTE_REPORT_<n>; the numbers of the header never change.
  const std::pair<const char*, uint32_t> kinds[] = {
      {"delivered", 1}, {"retrying", 2},  {"dropped", 3}, {"state", 4},
      {"ticket", 5},    {"overflow", 6},  {"log", 7},     {"dead_lettered", 8},
      {"spool", 9},     {"endpoint", 10}, {"limit", 11}};
  EngineSettings settings;
  const auto kinds_of = [&settings](std::string_view text) {
    const auto value = parse_value(property("report.kinds"), text);
    REQUIRE(value);
    property("report.kinds").binding.store(settings, *value);
    return settings.report_kinds;
  };
  std::string all;
  for (const auto& [name, number] : kinds) {
    CHECK(kinds_of(name) == 1u << number);
    all.append(all.empty() ? "" : ", ").append(name);
  }
  CHECK(kinds_of("none") == 0);
  CHECK(kinds_of("all") == posthaste::core::kAllReportKinds);
  CHECK(kinds_of(all) == posthaste::core::kAllReportKinds);
  for (const char* text : {"", "all,log", "logs", "dropped,", "dropped;state", "none,log"}) {
    CHECK(parse_value(property("report.kinds"), text).code() == ErrorCode::BadValue);
  }
}

TEST_CASE("Log levels are numbered as in the public header", "[config][property_table]") {
  EngineSettings settings;
  const auto level_of = [&settings](std::string_view text) {
    property("log.level").binding.store(settings, *parse_value(property("log.level"), text));
    return settings.log_level;
  };
  CHECK(level_of("off") == 0);
  CHECK(level_of("error") == 1);
  CHECK(level_of("warning") == 2);
  CHECK(level_of("info") == 3);
  CHECK(level_of("debug") == 4);
}

TEST_CASE("Stored values have the meaning of their text", "[config][property_table]") {
  EngineSettings settings;
  const auto store = [&settings](std::string_view key, std::string_view text) {
    property(key).binding.store(settings, *parse_value(property(key), text));
  };
  store("batch.max_age", "1.5s");
  store("verify.accept", "2xx");
  store("retry.jitter", "none");
  store("proxy", "env");
  store("request.keep_alive", "no");
  store("random.seed", "18446744073709551615");
  store("batch.max_events", "1000000");
  CHECK(settings.webhook.batch_max_age == Duration(1'500'000'000));
  CHECK(settings.webhook.verify_accept == posthaste::core::VerifyAccept::Any2xx);
  CHECK(settings.webhook.retry_jitter == posthaste::core::RetryJitter::None);
  CHECK(settings.webhook.proxy == "env");
  CHECK_FALSE(settings.webhook.request_keep_alive);
  CHECK(settings.random_seed == UINT64_MAX);
  CHECK(settings.webhook.batch_max_events == 1'000'000);
}

TEST_CASE("Random texts are taken with a text that reads back, or refused by name",
          "[config][property_table]") {
  std::mt19937 random(7);
  constexpr char kCharacters[] = "0123456789.,-+ smhdinMKGTiBeonfalt*\x00\xff\xc3\xbc";
  const std::string_view alphabet(kCharacters, sizeof(kCharacters) - 1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    const Property& each = properties()[random() % properties().size()];
    const auto value = parse_value(each, text);
    if (value) {
      const std::string canonical = format_value(each, *value);
      const auto again = parse_value(each, canonical);
      REQUIRE(again);
      REQUIRE(*again == *value);
    } else {
      REQUIRE(value.error().key == each.key);
      REQUIRE(value.error().message.size() < 500);
    }
  }
}
