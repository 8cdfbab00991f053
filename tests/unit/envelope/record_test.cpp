#include "envelope/record.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

namespace posthaste::envelope {

using core::ErrorCode;

namespace {

const core::WallTime kNow{std::chrono::milliseconds(1700000000987)};
const std::string kId = "00000000-0000-8001-8000-000000000002";

// A planner whose every event id is kId.
struct Fixture {
  core::EventCatalogue catalogue;
  EventIds ids{1, 2};
  core::Error error;

  template <typename Plan>
  std::string write(Plan plan) {
    ids.reseed(1, 2);
    const RecordSettings settings{catalogue, ids, {}};
    RecordPlan out;
    const ErrorCode code = plan(settings, out);
    if (code != ErrorCode::Ok) {
      error = out.error();
      REQUIRE(error.code == code);
      return {};
    }
    error = {};
    std::string record(out.size_bytes() + 1, '#');
    out.write_to(record.data());
    REQUIRE(record.back() == '#');
    record.pop_back();
    return record;
  }
  std::string record(std::optional<std::string_view> type, std::string_view payload) {
    return write([&](const RecordSettings& settings, RecordPlan& out) {
      return plan_record(settings, type, payload, kNow, out);
    });
  }
  std::string trusted(std::string_view type, std::string_view payload) {
    return write([&](const RecordSettings& settings, RecordPlan& out) {
      return plan_trusted(settings, type, payload, out);
    });
  }
  std::string enveloped(std::optional<std::string_view> type, std::string_view text) {
    return write([&](const RecordSettings& settings, RecordPlan& out) {
      return plan_enveloped(settings, type, text, kNow, out);
    });
  }
};

std::string wire(const std::string& class_name, const std::string& payload) {
  return "{\"msys\":{\"" + class_name + "\":" + payload + "}},";
}

}  // namespace

TEST_CASE("A complete payload is only put into its envelope", "[envelope][record]") {
  Fixture fixture;
  const std::string payload =
      " {\"type\" : \"open\",\"timestamp\":\"not even a time\",\"event_id\":7 , "
      "\"x\":\"\\u0041\xc3\xa9\"}\n";
  REQUIRE(fixture.record("open", payload) == wire("track_event", payload));
  REQUIRE(fixture.record(std::nullopt, payload) == wire("track_event", payload));
}

TEST_CASE("Every type of the original goes through under each of its names", "[envelope][record]") {
  Fixture fixture;
  const core::EventCatalogue& catalogue = fixture.catalogue;
  for (core::EventTypeId id = 0; id < catalogue.type_count(); ++id) {
    const core::EventTypeInfo info = catalogue.type_info(id);
    const std::string type(info.name);
    const std::string class_name(catalogue.class_name(id));
    const std::string rest = R"("timestamp":"1","event_id":"e","x":1)";
    const std::string expected = wire(class_name, "{\"type\":\"" + type + "\"," + rest + "}");
    std::vector<std::string> names(info.aliases.begin(), info.aliases.end());
    names.push_back(type);
    for (const std::string& name : names) {
      REQUIRE(fixture.record(name, "{" + rest + "}") == expected);
      for (const std::string& inside : names) {
        const std::string payload = "{\"type\":\"" + inside + "\"," + rest + "}";
        REQUIRE(fixture.record(name, payload) == expected);
        REQUIRE(fixture.record(std::nullopt, payload) == expected);
        const std::string record = "{\"msys\":{\"" + class_name + "\":" + payload + "}}";
        REQUIRE(fixture.enveloped(name, record) == expected);
        REQUIRE(fixture.enveloped(std::nullopt, record) == expected);
      }
    }
  }
}

TEST_CASE("Missing type, timestamp and event_id are added behind the opening brace",
          "[envelope][record]") {
  Fixture fixture;
  const std::string type = R"("type":"delay")";
  const std::string time = R"("timestamp":"1700000000")";
  const std::string id = R"("event_id":")" + kId + "\"";
  REQUIRE(fixture.record("delay", "{}") ==
          wire("message_event", "{" + type + "," + time + "," + id + "}"));
  REQUIRE(fixture.record("tempfail", " { } ") ==
          wire("message_event", " {" + type + "," + time + "," + id + " } "));
  REQUIRE(fixture.record("delay", "{ \"a\":1}") ==
          wire("message_event", "{" + type + "," + time + "," + id + ", \"a\":1}"));
  REQUIRE(fixture.record("delay", "{\"event_id\":null,\"a\":{}}") ==
          wire("message_event", "{" + type + "," + time + ",\"event_id\":null,\"a\":{}}"));
  REQUIRE(fixture.record(std::nullopt, "{" + type + ",\"timestamp\":5}") ==
          wire("message_event", "{" + id + "," + type + ",\"timestamp\":\"5\"}"));
  // Members of a nested object are none of the event's.
  REQUIRE(fixture.record("delay", R"({"a":{"type":"x","timestamp":[],"event_id":1}})") ==
          wire("message_event", "{" + type + "," + time + "," + id +
                                    R"(,"a":{"type":"x","timestamp":[],"event_id":1}})"));
}

TEST_CASE("A raw type and a numeric timestamp are replaced in either order, all else stays",
          "[envelope][record]") {
  Fixture fixture;
  REQUIRE(
      fixture.record(std::nullopt,
                     R"({"a":1, "type": "inband" ,"timestamp": 1418407074.99 ,"event_id":"e"})") ==
      wire("message_event",
           R"({"a":1, "type": "bounce" ,"timestamp": "1418407074" ,"event_id":"e"})"));
  REQUIRE(
      fixture.record("permfail",
                     R"({"timestamp":1.4184e9,"b":2,"type":"in\u0062and","event_id":"e"})") ==
      wire("message_event", R"({"timestamp":"1418400000","b":2,"type":"bounce","event_id":"e"})"));
  // An escaped spelling of the documented name is the same JSON string and stays.
  REQUIRE(fixture.record("inband", R"({"timestamp":0,"type":"b\u006funce","event_id":"e"})") ==
          wire("message_event", R"({"timestamp":"0","type":"b\u006funce","event_id":"e"})"));
}

TEST_CASE("The longest record of the longest host type fits the plan", "[envelope][record]") {
  Fixture fixture;
  const std::string name(core::kEventNameMax, 'x');
  REQUIRE(fixture.catalogue.define(name, name).ok());
  const std::string time = "\"9223372036854775807\"";
  REQUIRE(fixture.record(name, R"({"timestamp":9223372036854775807})") ==
          wire(name, "{\"type\":\"" + name + "\",\"event_id\":\"" + kId +
                         "\",\"timestamp\":" + time + "}"));
  REQUIRE(fixture.record(name, "{}").size() == wire(name, "{}").size() + 74 + 25 + 49);
  REQUIRE(fixture.record("out_of_band", R"({"timestamp":9223372036854775807,"type":"oob"})") ==
          wire("message_event", "{\"event_id\":\"" + kId + "\",\"timestamp\":" + time +
                                    ",\"type\":\"out_of_band\"}"));
}

TEST_CASE("A timestamp of the wrong kind or range is a bad field", "[envelope][record]") {
  Fixture fixture;
  for (const char* value :
       {"true", "null", "[]", "{}", "-1", "-0.001", "9223372036854775808", "1e300"}) {
    REQUIRE(fixture.record("open", std::string("{\"timestamp\":") + value + "}").empty());
    REQUIRE(fixture.error.code == ErrorCode::BadField);
    REQUIRE(fixture.error.key == "timestamp");
  }
  REQUIRE(fixture.error.message == "field 'timestamp' is negative or too large");
}

TEST_CASE("A type of the wrong kind is a bad field", "[envelope][record]") {
  Fixture fixture;
  for (const char* value : {"1", "true", "null", "[\"open\"]", "{}"}) {
    for (const std::optional<std::string_view> type :
         {std::optional<std::string_view>("open"), std::optional<std::string_view>()}) {
      REQUIRE(fixture.record(type, std::string("{\"type\":") + value + "}").empty());
      REQUIRE(fixture.error.code == ErrorCode::BadField);
      REQUIRE(fixture.error.message == "field 'type' is not a string");
    }
  }
}

TEST_CASE("A payload whose type names another event is a mismatch that names both",
          "[envelope][record]") {
  Fixture fixture;
  REQUIRE(fixture.record("bounce", R"({"type":"open"})").empty());
  REQUIRE(fixture.error.code == ErrorCode::TypeMismatch);
  REQUIRE(fixture.error.message ==
          "the payload's type is not that of the call: 'open' and 'bounce'");
  REQUIRE(fixture.error.key == "type");
  REQUIRE(fixture.record("bounce", R"({"type":"no_such_event"})").empty());
  REQUIRE(fixture.error.code == ErrorCode::TypeMismatch);
}

TEST_CASE("An event without a known type is unknown, and the name is shown printable",
          "[envelope][record]") {
  Fixture fixture;
  REQUIRE(fixture.record("nonesuch", "{}").empty());
  REQUIRE(fixture.error.code == ErrorCode::UnknownType);
  REQUIRE(fixture.error.message == "unknown event type: 'nonesuch'");
  REQUIRE(fixture.record("", "{}").empty());
  REQUIRE(fixture.error.code == ErrorCode::UnknownType);
  REQUIRE(fixture.record(std::nullopt, R"({"type":"a\nb\u00e9"})").empty());
  REQUIRE(fixture.error.message == "unknown event type: 'a?b?\?'");
  REQUIRE(fixture.record(std::nullopt, "{\"type\":\"" + std::string(5000, 'y') + "\"}").empty());
  REQUIRE(fixture.error.message.size() < 120);
  REQUIRE(fixture.record(std::nullopt, "{}").empty());
  REQUIRE(fixture.error.code == ErrorCode::UnknownType);
  REQUIRE(fixture.error.message == "neither the call nor the payload names an event type");
}

TEST_CASE("Faults of the JSON are reported with code and place", "[envelope][record]") {
  Fixture fixture;
  REQUIRE(fixture.record("open", R"({"a":})").empty());
  REQUIRE(fixture.error.code == ErrorCode::BadJson);
  REQUIRE(fixture.error.message == "expected a value at byte 5");
  REQUIRE(fixture.record("open", "{\"a\":\"\xff\"}").empty());
  REQUIRE(fixture.error.code == ErrorCode::BadUtf8);
  REQUIRE(fixture.record("open", R"({"type":"open","type":"open"})").empty());
  REQUIRE(fixture.error.code == ErrorCode::DuplicateKey);
  REQUIRE(fixture.record("open", std::string(2 << 20, ' ')).empty());
  REQUIRE(fixture.error.code == ErrorCode::TooLarge);
  REQUIRE(fixture.record("open", "").empty());
  REQUIRE(fixture.error.code == ErrorCode::BadJson);
}

TEST_CASE("A trusted payload is not looked at", "[envelope][record]") {
  Fixture fixture;
  REQUIRE(fixture.trusted("inband", "{\"a\":1}") == wire("message_event", "{\"a\":1}"));
  REQUIRE(fixture.trusted("nonesuch", "{}").empty());
  REQUIRE(fixture.error.code == ErrorCode::UnknownType);
  REQUIRE(fixture.trusted("open", std::string((1 << 20) + 1, ' ')).empty());
  REQUIRE(fixture.error.code == ErrorCode::TooLarge);
}

TEST_CASE("An enveloped payload is completed inside its envelope", "[envelope][record]") {
  Fixture fixture;
  REQUIRE(
      fixture.enveloped("open", " { \"msys\" : { \"track_event\" : { \"timestamp\":12.5} } } ") ==
      wire("track_event",
           " {\"type\":\"open\",\"event_id\":\"" + kId + "\", \"timestamp\":\"12\"} "));
  REQUIRE(fixture.enveloped(
              std::nullopt,
              R"({"msys":{"message_event":{"type":"oob","timestamp":"1","event_id":"2"}}})") ==
          wire("message_event", R"({"type":"out_of_band","timestamp":"1","event_id":"2"})"));
  REQUIRE(fixture.catalogue.define("login", "account_event").ok());
  REQUIRE(fixture.enveloped(
              "login",
              R"({"msys":{"account_event":{"type":"login","timestamp":"1","event_id":"2"}}})") ==
          wire("account_event", R"({"type":"login","timestamp":"1","event_id":"2"})"));
}

TEST_CASE("An envelope whose class is not the type's is a mismatch", "[envelope][record]") {
  Fixture fixture;
  REQUIRE(fixture.enveloped("bounce", R"({"msys":{"track_event":{}}})").empty());
  REQUIRE(fixture.error.code == ErrorCode::TypeMismatch);
  REQUIRE(fixture.error.message ==
          "the envelope's class is not that of the event type: 'track_event' and 'bounce'");
  REQUIRE(fixture.enveloped(std::nullopt, R"({"msys":{"no_event":{"type":"open"}}})").empty());
  REQUIRE(fixture.error.code == ErrorCode::TypeMismatch);
  REQUIRE(fixture.enveloped("bounce", R"({"msys":{"message_event":{"type":"delay"}}})").empty());
  REQUIRE(fixture.error.code == ErrorCode::TypeMismatch);
  REQUIRE(fixture.enveloped(std::nullopt, R"({"msys":{"message_event":{}}})").empty());
  REQUIRE(fixture.error.code == ErrorCode::UnknownType);
}

TEST_CASE("JSON that is no envelope of exactly one class object is a bad field",
          "[envelope][record]") {
  Fixture fixture;
  for (const char* record :
       {"{}", "[]", "1", R"({"msys":{}})", R"({"msys":[]})", R"({"msys":{"track_event":1}})",
        R"({"msys":{"track_event":{},"gen_event":{}}})", R"({"msys":{"track_event":{}},"x":1})",
        R"({"x":1,"msys":{"track_event":{}}})", R"({"type":"open"})",
        R"({"msys":{"track_event":[]}})", R"({"msys":{"track_event":{"a":{}},"b":{"c":{}}}})"}) {
    INFO(record);
    CHECK(fixture.enveloped("open", record).empty());
    CHECK(fixture.error.code == ErrorCode::BadField);
    CHECK(fixture.error.key == "msys");
  }
}

TEST_CASE("A broken envelope is reported as the broken JSON it is", "[envelope][record]") {
  Fixture fixture;
  const std::string good = R"({"msys":{"track_event":{"a":"b"}}})";
  for (size_t size = 0; size < good.size(); ++size) {
    REQUIRE(fixture.enveloped("open", good.substr(0, size)).empty());
    REQUIRE(fixture.error.code == ErrorCode::BadJson);
  }
  REQUIRE(fixture.enveloped("open", good + "x").empty());
  REQUIRE(fixture.error.code == ErrorCode::BadJson);
  REQUIRE(fixture.enveloped("open", R"({"msys":{"track_event":{"a":!}}})").empty());
  REQUIRE(fixture.error.message == "expected a value at byte 28");
  REQUIRE(fixture.enveloped("open", "{\"msys\":{\"track_event\":{\"a\":\"\xff\"}}}").empty());
  REQUIRE(fixture.error.code == ErrorCode::BadUtf8);
  REQUIRE(fixture.error.message == "ill-formed UTF-8 at byte 29");
}

}  // namespace posthaste::envelope
