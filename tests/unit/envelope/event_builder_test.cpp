#include "envelope/event_builder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <string>

#include "core/event_catalogue.h"
#include "json/event_scan.h"

namespace posthaste::envelope {

using core::ErrorCode;
using core::FieldKind;

namespace {

std::string payload_of(const EventBuilder& builder) {
  std::string_view payload;
  REQUIRE(builder.finish(payload) == ErrorCode::Ok);
  json::EventScan scan;
  REQUIRE(json::check_event(payload, {}, scan) == ErrorCode::Ok);
  return std::string(payload);
}

// The payload after one setter on an event of no type.
template <typename Set>
std::string after(Set set) {
  EventBuilder builder;
  if (set(builder) != ErrorCode::Ok) return "refused";
  return payload_of(builder);
}

}  // namespace

TEST_CASE("A builder writes its type and members in order", "[envelope][event_builder]") {
  EventBuilder builder;
  REQUIRE(payload_of(builder) == "{}");
  builder.reset("delivery");
  REQUIRE(payload_of(builder) == R"({"type":"delivery"})");
  REQUIRE(builder.set_string("rcpt_to", "a\"b\\c\n@x") == ErrorCode::Ok);
  REQUIRE(builder.set_int64("msg_size", 1337) == ErrorCode::Ok);
  REQUIRE(builder.set_string("note", "caf\xe9") == ErrorCode::Ok);
  REQUIRE(payload_of(builder) ==
          "{\"type\":\"delivery\",\"rcpt_to\":\"a\\\"b\\\\c\\n@x\",\"msg_size\":\"1337\",\"note\":"
          "\"caf\xef\xbf\xbd\"}");
  builder.reset("inband");
  REQUIRE(payload_of(builder) == R"({"type":"bounce"})");
}

TEST_CASE("Every field of the catalogue has its wire type whatever setter was used",
          "[envelope][event_builder]") {
  const core::EventCatalogue catalogue;
  std::set<std::string> seen;
  for (core::EventTypeId id = 0; id < catalogue.type_count(); ++id) {
    for (const core::EventFieldInfo& field : catalogue.type_info(id).fields) {
      if (field.name == "type") continue;
      const std::string name(field.name);
      seen.insert(name);
      const auto expect = [&](auto set, const std::string& value) {
        EventBuilder builder;
        builder.reset(catalogue.name(id));
        const ErrorCode code = set(builder);
        INFO(name);
        if (value.empty()) {
          REQUIRE(code == ErrorCode::BadField);
          REQUIRE(builder.error().key == name);
          return;
        }
        REQUIRE(code == ErrorCode::Ok);
        REQUIRE(payload_of(builder) == "{\"type\":\"" + std::string(catalogue.name(id)) + "\",\"" +
                                           name + "\":" + value + "}");
      };
      const bool is_text = field.kind == FieldKind::String;
      const bool is_boolean = field.kind == FieldKind::Boolean;
      const bool is_number = field.kind == FieldKind::Number;
      const std::string one = is_text ? "\"1\"" : is_boolean ? "true" : is_number ? "1" : "";
      const auto string_one = [&](EventBuilder& builder) { return builder.set_string(name, "1"); };
      const auto int_one = [&](EventBuilder& builder) { return builder.set_int64(name, 1); };
      const auto double_one = [&](EventBuilder& builder) { return builder.set_double(name, 1.0); };
      const auto json_one = [&](EventBuilder& builder) { return builder.set_json(name, " 1 "); };
      const auto json_text_one = [&](EventBuilder& builder) {
        return builder.set_json(name, "\"1\"");
      };
      expect(string_one, one);
      expect(int_one, one);
      expect(double_one, one);
      expect(json_one, one);
      expect(json_text_one, one);
      const std::string truth = is_text ? "\"1\"" : is_boolean ? "true" : "";
      expect([&](EventBuilder& builder) { return builder.set_boolean(name, true); }, truth);
      expect([&](EventBuilder& builder) { return builder.set_json(name, "true"); }, truth);
      expect([&](EventBuilder& builder) { return builder.set_json(name, field.sample); },
             std::string(field.sample));
      expect([&](EventBuilder& builder) { return builder.set_json(name, "{}"); },
             field.kind == FieldKind::Object ? "{}" : "");
      expect([&](EventBuilder& builder) { return builder.set_json(name, "[]"); },
             field.kind == FieldKind::Array ? "[]" : "");
      expect([&](EventBuilder& builder) { return builder.set_json(name, "null"); }, "");
    }
  }
  REQUIRE(seen.size() == 99);
}

TEST_CASE("Booleans take 1, true, 0 and false in every form and nothing else",
          "[envelope][event_builder]") {
  const auto text = [](std::string_view value) {
    return after(
        [value](EventBuilder& builder) { return builder.set_string("open_tracking", value); });
  };
  REQUIRE(text("1") == R"({"open_tracking":true})");
  REQUIRE(text("true") == R"({"open_tracking":true})");
  REQUIRE(text("0") == R"({"open_tracking":false})");
  REQUIRE(text("false") == R"({"open_tracking":false})");
  for (const char* value : {"", "yes", "TRUE", "2", "01"}) REQUIRE(text(value) == "refused");
  REQUIRE(after([](EventBuilder& builder) { return builder.set_int64("open_tracking", 0); }) ==
          R"({"open_tracking":false})");
  REQUIRE(after([](EventBuilder& builder) { return builder.set_int64("open_tracking", 2); }) ==
          "refused");
}

TEST_CASE("Numbers take numeric text as it is", "[envelope][event_builder]") {
  const auto text = [](std::string_view value) {
    return after(
        [value](EventBuilder& builder) { return builder.set_string("sms_segments", value); });
  };
  REQUIRE(text("3") == R"({"sms_segments":3})");
  REQUIRE(text("-1.50e2") == R"({"sms_segments":-1.50e2})");
  for (const char* value : {"", "x", "03", "1 ", "NaN", "1e999", "0x3"})
    REQUIRE(text(value) == "refused");
}

TEST_CASE("A numeric timestamp becomes a string of whole seconds, text stays",
          "[envelope][event_builder]") {
  REQUIRE(after([](EventBuilder& builder) { return builder.set_int64("timestamp", 1700000000); }) ==
          R"({"timestamp":"1700000000"})");
  REQUIRE(after([](EventBuilder& builder) {
            return builder.set_double("timestamp", 1700000000.75);
          }) == R"({"timestamp":"1700000000"})");
  REQUIRE(after([](EventBuilder& builder) { return builder.set_json("timestamp", "1.7e9"); }) ==
          R"({"timestamp":"1700000000"})");
  REQUIRE(after([](EventBuilder& builder) { return builder.set_string("timestamp", "17.5"); }) ==
          R"({"timestamp":"17.5"})");
  REQUIRE(after([](EventBuilder& builder) { return builder.set_int64("timestamp", -1); }) ==
          "refused");
}

TEST_CASE("Unknown fields and a host's own types keep the setter's type",
          "[envelope][event_builder]") {
  EventBuilder builder;
  builder.reset("my_event");
  builder.set_int64("msg_size", 1);
  builder.set_boolean("flag", false);
  builder.set_double("ratio", 0.5);
  builder.set_int64("timestamp", 5);
  REQUIRE(payload_of(builder) ==
          R"({"type":"my_event","msg_size":1,"flag":false,"ratio":0.5,"timestamp":"5"})");
  builder.reset("open");
  builder.set_int64("x", INT64_MIN);
  builder.set_string("y", "1");
  REQUIRE(payload_of(builder) == R"({"type":"open","x":-9223372036854775808,"y":"1"})");
}

TEST_CASE("Nested values are built element by element", "[envelope][event_builder]") {
  EventBuilder builder;
  REQUIRE(builder.begin_object("rcpt_meta") == ErrorCode::Ok);
  REQUIRE(builder.set_int64("msg_size", 1) == ErrorCode::Ok);
  REQUIRE(builder.begin_array("list") == ErrorCode::Ok);
  REQUIRE(builder.set_string(std::nullopt, "a") == ErrorCode::Ok);
  REQUIRE(builder.set_boolean(std::nullopt, true) == ErrorCode::Ok);
  REQUIRE(builder.begin_object(std::nullopt) == ErrorCode::Ok);
  REQUIRE(builder.set_string("msg_size", "again") == ErrorCode::Ok);
  REQUIRE(builder.end() == ErrorCode::Ok);
  REQUIRE(builder.begin_array(std::nullopt) == ErrorCode::Ok);
  REQUIRE(builder.end() == ErrorCode::Ok);
  REQUIRE(builder.end() == ErrorCode::Ok);
  std::string_view payload;
  REQUIRE(builder.finish(payload) == ErrorCode::Invalid);
  REQUIRE(builder.error().message == "a nested value is still open");
  REQUIRE(builder.end() == ErrorCode::Ok);
  REQUIRE(builder.set_json("rcpt_tags", " [1, 2] ") == ErrorCode::Ok);
  REQUIRE(
      payload_of(builder) ==
      R"({"rcpt_meta":{"msg_size":1,"list":["a",true,{"msg_size":"again"},[]]},"rcpt_tags":[1, 2]})");
  REQUIRE(builder.end() == ErrorCode::Invalid);
}

TEST_CASE("Keys belong to members of objects only", "[envelope][event_builder]") {
  REQUIRE(after([](EventBuilder& builder) { return builder.set_string(std::nullopt, "x"); }) ==
          "refused");
  REQUIRE(after([](EventBuilder& builder) {
            builder.begin_array("a");
            return builder.set_string("key", "x");
          }) == "refused");
  REQUIRE(after([](EventBuilder& builder) { return builder.set_string("", "x"); }) ==
          R"({"":"x"})");
}

TEST_CASE("A key that comes twice in one object is refused and named",
          "[envelope][event_builder]") {
  EventBuilder builder;
  builder.reset("open");
  builder.set_string("a\n", "1");
  REQUIRE(builder.set_int64("a\n", 2) == ErrorCode::DuplicateKey);
  REQUIRE(builder.error().key == "a\n");
  builder.reset("open");
  REQUIRE(builder.set_string("type", "open") == ErrorCode::DuplicateKey);
  REQUIRE(builder.error().message == "a key comes twice: field 'type'");
  builder.reset("open");
  builder.begin_object("o");
  builder.set_string("o", "1");
  REQUIRE(builder.set_string("o", "2") == ErrorCode::DuplicateKey);
  builder.reset("open");
  builder.begin_object("o");
  builder.set_string("k", "1");
  builder.end();
  REQUIRE(builder.set_string("k", "2") == ErrorCode::Ok);
  REQUIRE(builder.begin_object("o") == ErrorCode::DuplicateKey);
}

TEST_CASE("The first error sticks until reset", "[envelope][event_builder]") {
  EventBuilder builder;
  REQUIRE(builder.set_double("first", std::nan("")) == ErrorCode::BadField);
  REQUIRE(builder.set_json("second", "{") == ErrorCode::BadField);
  REQUIRE(builder.set_string("third", "fine") == ErrorCode::BadField);
  REQUIRE(builder.begin_object("fourth") == ErrorCode::BadField);
  REQUIRE(builder.end() == ErrorCode::BadField);
  REQUIRE(builder.mark() == ErrorCode::BadField);
  REQUIRE(builder.error().key == "first");
  std::string_view payload;
  REQUIRE(builder.finish(payload) == ErrorCode::BadField);
  REQUIRE(payload.empty());
  builder.reset("open");
  REQUIRE(builder.error().code == ErrorCode::Ok);
  REQUIRE(payload_of(builder) == R"({"type":"open"})");
}

TEST_CASE("JSON text is checked where it enters", "[envelope][event_builder]") {
  const auto code = [](std::string_view json) {
    EventBuilder builder;
    return builder.set_json("x", json);
  };
  REQUIRE(code(R"({"a":[1,"b"]})") == ErrorCode::Ok);
  REQUIRE(code("") == ErrorCode::BadJson);
  REQUIRE(code("1,\"type\":2") == ErrorCode::BadJson);
  REQUIRE(code("\"\xff\"") == ErrorCode::BadUtf8);
  REQUIRE(code(std::string(63, '[') + std::string(63, ']')) == ErrorCode::Ok);
  REQUIRE(code(std::string(64, '[') + std::string(64, ']')) == ErrorCode::TooDeep);
}

TEST_CASE("Nesting ends at the depth every event may have", "[envelope][event_builder]") {
  EventBuilder builder;
  REQUIRE(builder.begin_array("a") == ErrorCode::Ok);
  for (size_t i = 2; i < core::kJsonDepthMax; ++i)
    REQUIRE(builder.begin_array(std::nullopt) == ErrorCode::Ok);
  EventBuilder copy = builder;
  REQUIRE(copy.begin_array(std::nullopt) == ErrorCode::TooDeep);
  REQUIRE(builder.set_json(std::nullopt, "[]") == ErrorCode::TooDeep);
  builder.reset("open");
  builder.begin_array("a");
  for (size_t i = 2; i < core::kJsonDepthMax; ++i) builder.begin_array(std::nullopt);
  REQUIRE(builder.set_json(std::nullopt, "1") == ErrorCode::Ok);
  for (size_t i = 1; i < core::kJsonDepthMax; ++i) REQUIRE(builder.end() == ErrorCode::Ok);
  payload_of(builder);
}

TEST_CASE("Rewind goes back to the mark any number of times, errors and nested values included",
          "[envelope][event_builder]") {
  EventBuilder builder;
  REQUIRE(builder.rewind() == ErrorCode::Invalid);
  builder.reset("bounce");
  builder.set_string("message_id", "m");
  REQUIRE(builder.mark() == ErrorCode::Ok);
  const std::string common = R"({"type":"bounce","message_id":"m")";
  for (const std::string rcpt : {"a", "bb", "c"}) {
    REQUIRE(builder.rewind() == ErrorCode::Ok);
    REQUIRE(payload_of(builder) == common + "}");
    REQUIRE(builder.set_string("rcpt_to", rcpt) == ErrorCode::Ok);
    REQUIRE(payload_of(builder) == common + ",\"rcpt_to\":\"" + rcpt + "\"}");
  }
  REQUIRE(builder.set_string("rcpt_to", "again") == ErrorCode::DuplicateKey);
  REQUIRE(builder.rewind() == ErrorCode::Ok);
  REQUIRE(payload_of(builder) == common + "}");
  builder.begin_object("o");
  builder.begin_array("p");
  REQUIRE(builder.rewind() == ErrorCode::Ok);
  REQUIRE(builder.set_string("o", "x") == ErrorCode::Ok);
  REQUIRE(payload_of(builder) == common + R"(,"o":"x"})");
  REQUIRE(builder.set_string("message_id", "x") == ErrorCode::DuplicateKey);
  builder.reset("bounce");
  REQUIRE(builder.rewind() == ErrorCode::Invalid);
  builder.reset("bounce");
  builder.begin_object("o");
  REQUIRE(builder.mark() == ErrorCode::Invalid);
}

TEST_CASE("A builder bounds members and size", "[envelope][event_builder]") {
  EventBuilder builder;
  for (size_t i = 0; i < core::kBuilderMembersMax; ++i) {
    REQUIRE(builder.set_int64(std::to_string(i), 1) == ErrorCode::Ok);
  }
  REQUIRE(builder.set_int64("one_more", 1) == ErrorCode::TooLarge);
  builder.reset("open");
  REQUIRE(builder.set_string("x", std::string(core::kEventSizeMax, 'x')) == ErrorCode::TooLarge);
}

}  // namespace posthaste::envelope
