#include "config/conf.h"

#include <catch2/catch.hpp>

#include "config/property_table.h"
#include "json/value.h"

using namespace posthaste::config;
using posthaste::core::EngineSettings;
using posthaste::core::ErrorCode;

TEST_CASE("A new configuration finalizes to the defaults", "[config][conf]") {
  const Conf conf;
  const auto settings = conf.finalize();
  REQUIRE(settings);
  for (const Property& each : properties()) {
    INFO(each.key);
    REQUIRE(conf.get(each.key) != nullptr);
    CHECK(*conf.get(each.key) == default_text(each));
    CHECK(current_text(each, *settings) == default_text(each));
  }
}

TEST_CASE("A key that is set reads back in its canonical form and null restores the default",
          "[config][conf]") {
  Conf conf;
  REQUIRE(conf.set("batch.max_age", "1.5s"));
  CHECK(*conf.get("batch.max_age") == "1500ms");
  REQUIRE(conf.set("verify", "false"));
  CHECK(*conf.get("verify") == "off");
  REQUIRE(conf.set("batch.max_age", std::nullopt));
  CHECK(*conf.get("batch.max_age") == "30s");
  CHECK(conf.finalize()->webhook.batch_max_age == std::chrono::seconds(30));
  CHECK_FALSE(conf.finalize()->webhook.verify);
}

TEST_CASE("Copies of a configuration do not share values", "[config][conf]") {
  Conf conf;
  Conf copy = conf;
  REQUIRE(copy.set("random.seed", "9"));
  CHECK(*conf.get("random.seed") == "0");
  CHECK(copy.finalize()->random_seed == 9);
}

TEST_CASE("Unknown keys and bad values are errors that name them and change nothing",
          "[config][conf]") {
  Conf conf;
  const auto unknown = conf.set("batch.max_evnts", "1");
  CHECK(unknown.code() == ErrorCode::UnknownKey);
  CHECK(unknown.error().key == "batch.max_evnts");
  CHECK(unknown.error().message == "unknown key \"batch.max_evnts\"");
  CHECK(conf.set("no.such", std::nullopt).code() == ErrorCode::UnknownKey);
  CHECK(conf.get("batch.max_evnts") == nullptr);

  REQUIRE(conf.set("batch.max_events", "7"));
  const auto bad = conf.set("batch.max_events", "0");
  CHECK(bad.code() == ErrorCode::BadValue);
  CHECK(bad.error().key == "batch.max_events");
  CHECK(*conf.get("batch.max_events") == "7");
}

TEST_CASE("Keys that do not fit one another are refused with both named", "[config][conf]") {
  struct Case {
    const char* key;
    const char* value;
    const char* culprit;
    const char* other;
  };
  const Case cases[] = {
      {"webhook.max_waiting_bytes", "63MiB", "webhook.max_waiting_bytes", "batch.max_bytes"},
      {"batch.max_bytes", "17MiB", "webhook.max_waiting_bytes", "batch.max_bytes"},
      {"waiting.max_bytes", "63MiB", "waiting.max_bytes", "batch.max_bytes"},
      {"batch.max_bytes", "1023KiB", "batch.max_bytes", "event.max_bytes"},
      {"retry.base", "6m", "retry.max", "retry.base"},
      {"retry.max", "999ms", "retry.max", "retry.base"},
      {"request.max_time", "5s", "request.max_time", "connect.timeout"},
      {"connect.timeout", "61s", "request.max_time", "connect.timeout"},
      {"request.timeout", "61s", "request.max_time", "request.timeout"},
  };
  for (const Case& each : cases) {
    INFO(each.key << " = " << each.value);
    Conf conf;
    REQUIRE(conf.set(each.key, each.value));
    const auto settings = conf.finalize();
    REQUIRE_FALSE(settings);
    CHECK(settings.code() == ErrorCode::BadValue);
    CHECK(settings.error().key == each.culprit);
    CHECK(settings.error().message.find(each.other) != std::string::npos);
  }
}

TEST_CASE("Values exactly at the fit of another key are taken", "[config][conf]") {
  Conf conf;
  REQUIRE(conf.set("batch.max_bytes", "2MiB"));
  REQUIRE(conf.set("event.max_bytes", "2MiB"));
  REQUIRE(conf.set("intake.max_bytes", "8MiB"));
  REQUIRE(conf.set("webhook.max_waiting_bytes", "8MiB"));
  REQUIRE(conf.set("waiting.max_bytes", "8MiB"));
  REQUIRE(conf.set("retry.base", "5m"));
  REQUIRE(conf.set("request.max_time", "6s"));
  CHECK(conf.finalize());
  REQUIRE(conf.set("intake.max_bytes", "8191KiB"));
  CHECK(conf.finalize().error().message ==
        "intake.max_bytes is 8191KiB, but must be at least 4 times event.max_bytes, which is 2MiB");
}

TEST_CASE("A running engine takes live keys only", "[config][conf]") {
  EngineSettings settings;
  for (const Property& each : properties()) {
    INFO(each.key);
    const std::string text = default_text(each);
    const auto running = apply_live(settings, each.key, text);
    const auto before = apply_live(settings, each.key, text, EngineStage::BeforeStart);
    CHECK(running.ok() == (each.change == Change::Live));
    CHECK(before.ok() == (each.change != Change::New));
    if (!running) {
      CHECK(running.code() == ErrorCode::NotChangeable);
      CHECK(running.error().key == each.key);
    }
  }
  CHECK(apply_live(settings, "no.such", "1").code() == ErrorCode::UnknownKey);
}

TEST_CASE("A live change is checked alone and with the others, and is all or nothing",
          "[config][conf]") {
  EngineSettings settings;
  REQUIRE(apply_live(settings, "retry.max", "10m"));
  CHECK(settings.webhook.retry_max == std::chrono::minutes(10));
  CHECK(apply_live(settings, "retry.max", "500ms").code() == ErrorCode::BadValue);
  CHECK(apply_live(settings, "retry.max", "soon").code() == ErrorCode::BadValue);
  CHECK(settings.webhook.retry_max == std::chrono::minutes(10));
  REQUIRE(apply_live(settings, "retry.max", std::nullopt));
  CHECK(settings.webhook.retry_max == std::chrono::minutes(5));
  CHECK(*setting_text(settings, "retry.max") == "5m");
  CHECK(setting_text(settings, "retry.maxi").code() == ErrorCode::UnknownKey);
}

TEST_CASE("A webhook runs with the engine's settings under its own", "[config][conf]") {
  EngineSettings engine;
  engine.webhook.batch_max_events = 500;
  CHECK(*webhook_settings(engine, {}) == engine.webhook);
  const auto settings =
      webhook_settings(engine, {{"batch.max_age", "1s"}, {"retry.schedule", "momentum"}});
  REQUIRE(settings);
  CHECK(settings->batch_max_events == 500);
  CHECK(settings->batch_max_age == std::chrono::seconds(1));
  CHECK(settings->retry_schedule.size() == 4);
  CHECK(engine.webhook.batch_max_age == std::chrono::seconds(30));
}

TEST_CASE("A webhook's own settings must fit the engine's", "[config][conf]") {
  const EngineSettings engine;
  const auto quota = webhook_settings(engine, {{"webhook.max_waiting_bytes", "32MiB"}});
  CHECK(quota.code() == ErrorCode::BadValue);
  CHECK(quota.error().key == "webhook.max_waiting_bytes");
  CHECK(webhook_settings(engine,
                         {{"webhook.max_waiting_bytes", "32MiB"}, {"batch.max_bytes", "8MiB"}}));
  CHECK(webhook_settings(engine, {{"batch.max_bytes", "512KiB"}}).error().key == "batch.max_bytes");
  CHECK(webhook_settings(engine, {{"log.level", "info"}}).code() == ErrorCode::UnknownKey);
  CHECK(webhook_settings(engine, {{"nothing", "1"}}).code() == ErrorCode::UnknownKey);
  CHECK(webhook_settings(engine, {{"verify", "maybe"}}).code() == ErrorCode::BadValue);
}

TEST_CASE("A secret of the configuration is listed as a mask, which keeps it when it is set",
          "[config][conf]") {
  Conf conf;
  CHECK(*conf.get("tls.key_password") == "");
  REQUIRE(conf.set("tls.key_password", "hunter2"));
  CHECK(*conf.get("tls.key_password") == "****");
  REQUIRE(conf.set("tls.key_password", "****"));
  auto settings = conf.finalize();
  REQUIRE(settings);
  CHECK(settings->webhook.tls_key_password == "hunter2");
  CHECK(*setting_text(*settings, "tls.key_password") == "****");
  REQUIRE(apply_live(*settings, "tls.key_password", "****"));
  CHECK(settings->webhook.tls_key_password == "hunter2");
  REQUIRE(apply_live(*settings, "tls.key_password", ""));
  CHECK(*setting_text(*settings, "tls.key_password") == "");
}

TEST_CASE("A key is described by an object, all of them by an array", "[config][conf]") {
  const auto one = describe("batch.max_age");
  REQUIRE(one);
  CHECK(*one == R"({"key":"batch.max_age","scope":"webhook","type":"duration","range":"1ms..1d",)"
                R"("default":"30s","unit":"ms, s, m, h, d","change":"live",)"
                R"("secret":false,"help":"A batch is sealed this long after its first event."})");
  CHECK(describe("batch.max_ages").code() == ErrorCode::UnknownKey);

  const auto all = describe(std::nullopt);
  REQUIRE(all);
  const auto tree = posthaste::json::parse_value(*all);
  REQUIRE(tree);
  REQUIRE(tree->as_array() != nullptr);
  REQUIRE(tree->as_array()->size() == properties().size());
  for (size_t i = 0; i < properties().size(); ++i) {
    CHECK(*tree->as_array()->at(i).find("key")->as_string() == properties()[i].key);
  }
}
