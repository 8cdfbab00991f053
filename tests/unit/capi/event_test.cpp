#include <vector>

#include "json/value.h"
#include "owned.h"

using namespace posthaste::testing;
using posthaste::json::parse_value;

namespace {

EngineHandle started_engine() {
  EngineHandle engine = make_engine();
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  return engine;
}

int32_t push(const EngineHandle& engine, const char* type, const std::string& payload) {
  return posthaste_push(engine.get(), type, payload.data(), payload.size());
}

struct Pushed {
  int32_t code = 0;
  size_t consumed = 99;
  std::vector<int32_t> codes;
};

Pushed push_many(const EngineHandle& engine, const char* type, const std::string& lines,
                 size_t codes_count) {
  Pushed pushed;
  pushed.codes.assign(codes_count, -1);
  pushed.code = posthaste_push_many(engine.get(), type, lines.data(), lines.size(),
                                    &pushed.consumed, pushed.codes.data(), codes_count);
  return pushed;
}

}  // namespace

TEST_CASE("Each bad payload has an error code of its own, and check gives the same with words",
          "[capi][event]") {
  const EngineHandle engine = started_engine();
  const ErrorHandle error = make_error();
  const struct {
    const char* type;
    std::string payload;
    int32_t code;
  } cases[] = {
      {"delivery", "{\"a\":1}", POSTHASTE_OK},
      {nullptr, "{\"type\":\"delivery\"}", POSTHASTE_OK},
      {"inband", "{\"type\":\"bounce\"}", POSTHASTE_OK},
      {"delivery", "{\"a\":", POSTHASTE_E_BAD_JSON},
      {"delivery", "", POSTHASTE_E_BAD_JSON},
      {"delivery", "{\"a\":\"\xff\"}", POSTHASTE_E_BAD_UTF8},
      {"delivery", "{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}",
       POSTHASTE_E_TOO_DEEP},
      {"delivery", "{\"type\":\"delivery\",\"type\":\"delivery\"}", POSTHASTE_E_DUPLICATE_KEY},
      {"delivery", "{\"timestamp\":[]}", POSTHASTE_E_BAD_FIELD},
      {"delivered", "{}", POSTHASTE_E_UNKNOWN_TYPE},
      {nullptr, "{}", POSTHASTE_E_UNKNOWN_TYPE},
      {"delivery", "{\"type\":\"bounce\"}", POSTHASTE_E_TYPE_MISMATCH},
      {"delivery", "{\"a\":\"" + std::string(1 << 20, 'x') + "\"}", POSTHASTE_E_TOO_LARGE},
  };
  for (const auto& one : cases) {
    INFO(one.payload.substr(0, 80));
    CHECK(push(engine, one.type, one.payload) == one.code);
    CHECK(posthaste_check(engine.get(), one.type, one.payload.data(), one.payload.size(),
                          error.get()) == one.code);
    CHECK(posthaste_error_code(error.get()) == one.code);
    CHECK((posthaste_error_message(error.get())[0] != '\0') == (one.code != POSTHASTE_OK));
  }
}

TEST_CASE("An enveloped record is checked against its class", "[capi][event]") {
  const EngineHandle engine = started_engine();
  const auto push_record = [&](const std::string& record) {
    return posthaste_push_enveloped(engine.get(), record.data(), record.size());
  };
  CHECK(push_record(R"({"msys":{"message_event":{"type":"delivery"}}})") == POSTHASTE_OK);
  CHECK(push_record(R"({"msys":{"track_event":{"type":"delivery"}}})") ==
        POSTHASTE_E_TYPE_MISMATCH);
  CHECK(push_record("{") == POSTHASTE_E_BAD_JSON);
}

TEST_CASE("Every line of push_many is judged alone", "[capi][event]") {
  const EngineHandle engine = started_engine();
  const std::string lines =
      "{\"a\":1}\n\n  \r\n{\"a\":\n{\"a\":2}\r\n{\"type\":\"open\"}\n{\"a\":3}";
  const Pushed pushed = push_many(engine, "delivery", lines, 5);
  CHECK(pushed.code == POSTHASTE_E_BAD_JSON);
  CHECK(pushed.consumed == lines.size());
  CHECK(pushed.codes == std::vector<int32_t>{POSTHASTE_OK, POSTHASTE_E_BAD_JSON, POSTHASTE_OK,
                                             POSTHASTE_E_TYPE_MISMATCH, POSTHASTE_OK});
}

TEST_CASE("push_many stops when the codes are full and goes on where it stopped", "[capi][event]") {
  const EngineHandle engine = started_engine();
  const std::string lines = "{\"a\":1}\n{\"a\":2}\n\n{\"a\":3}\n\n";
  std::string rest = lines;
  const Pushed first = push_many(engine, "delivery", rest, 2);
  CHECK(first.code == POSTHASTE_OK);
  CHECK(first.codes == std::vector<int32_t>{POSTHASTE_OK, POSTHASTE_OK});
  REQUIRE(first.consumed == lines.find("{\"a\":3}"));
  rest.erase(0, first.consumed);
  const Pushed second = push_many(engine, "delivery", rest, 1);
  CHECK(second.codes == std::vector<int32_t>{POSTHASTE_OK});
  CHECK(second.consumed == rest.size());
}

TEST_CASE("push_many needs neither codes nor the count of consumed bytes", "[capi][event]") {
  const EngineHandle engine = started_engine();
  const std::string lines = "{\"a\":1}\n{\"b\":2}";
  CHECK(posthaste_push_many(engine.get(), "delivery", lines.data(), lines.size(), nullptr, nullptr,
                            0) == POSTHASTE_OK);
  CHECK(posthaste_push_many(engine.get(), "delivery", lines.data(), lines.size(), nullptr, nullptr,
                            2) == POSTHASTE_E_INVALID);
  size_t consumed = 99;
  CHECK(posthaste_push_many(engine.get(), "delivery", "", 0, &consumed, nullptr, 0) ==
        POSTHASTE_OK);
  CHECK(consumed == 0);
}

TEST_CASE("push_many stops before a line that no retry of the line would mend", "[capi][event]") {
  const EngineHandle engine = make_engine();
  const Pushed pushed = push_many(engine, "delivery", "\n{\"a\":1}\n", 1);
  CHECK(pushed.code == POSTHASTE_E_STATE);
  CHECK(pushed.consumed == 1);
  CHECK(pushed.codes == std::vector<int32_t>{-1});
}

TEST_CASE("A host's own type is pushed like the others", "[capi][event]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  CHECK(posthaste_define_type(engine.get(), "own_type", "own_event", error.get()) == POSTHASTE_OK);
  CHECK(posthaste_define_type(engine.get(), "own_type", "own_event", error.get()) ==
        POSTHASTE_E_EXISTS);
  CHECK(posthaste_define_type(engine.get(), "inband", "own_event", error.get()) ==
        POSTHASTE_E_EXISTS);
  CHECK(posthaste_define_type(engine.get(), "Own Type", "own_event", error.get()) ==
        POSTHASTE_E_BAD_VALUE);
  CHECK(posthaste_define_type(engine.get(), "own_type", nullptr, error.get()) ==
        POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "event_class");
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  CHECK(posthaste_define_type(engine.get(), "late", "own_event", nullptr) == POSTHASTE_E_STATE);
  CHECK(push(engine, "own_type", "{}") == POSTHASTE_OK);
  const Owned<posthaste_event_t> event(posthaste_event_new("own_type"));
  CHECK(posthaste_push_event(engine.get(), event.get()) == POSTHASTE_OK);
}

TEST_CASE("Wants tells whether a push would reach anybody", "[capi][event]") {
  const EngineHandle engine = make_engine();
  CHECK(posthaste_wants(engine.get(), nullptr) == 0);
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  CHECK(posthaste_wants(engine.get(), nullptr) == 1);
  CHECK(posthaste_wants(engine.get(), "bounce") == 1);
  CHECK(posthaste_wants(engine.get(), "inband") == 1);
  CHECK(posthaste_wants(engine.get(), "open") == 0);
  CHECK(posthaste_wants(engine.get(), "unheard_of") == 0);
  REQUIRE(posthaste_remove(engine.get(), "hook", POSTHASTE_REMOVE_DRAIN, nullptr) == POSTHASTE_OK);
  CHECK(posthaste_wants(engine.get(), nullptr) == 0);
  CHECK(posthaste_wants(nullptr, nullptr) == 0);
}

TEST_CASE("An event that nobody wants is accepted and counted", "[capi][event]") {
  const EngineHandle engine = started_engine();
  CHECK(push(engine, "delivery", "{}") == POSTHASTE_OK);
  CHECK(posthaste_push_trusted(engine.get(), "delivery", "{}", 2) == POSTHASTE_OK);
  CHECK(push(engine, "delivery", "[") == POSTHASTE_E_BAD_JSON);
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_stats_json(engine.get(), &text) == POSTHASTE_OK);
  const auto stats = parse_value(take(text));
  REQUIRE(stats);
  const auto* events = stats->find("events");
  REQUIRE(events != nullptr);
  CHECK(*events->find("accepted")->as_int64() == 2);
  CHECK(*events->find("unwanted")->as_int64() == 2);
  CHECK(*events->find("refused")->as_int64() == 1);
}

TEST_CASE("Null where a push needs an object is an error", "[capi][event]") {
  const EngineHandle engine = started_engine();
  const ErrorHandle error = make_error();
  size_t consumed = 99;
  CHECK(posthaste_push(nullptr, "delivery", "{}", 2) == POSTHASTE_E_INVALID);
  CHECK(posthaste_push(engine.get(), "delivery", nullptr, 0) == POSTHASTE_E_INVALID);
  CHECK(posthaste_push_trusted(engine.get(), nullptr, "{}", 2) == POSTHASTE_E_INVALID);
  CHECK(posthaste_push_enveloped(engine.get(), nullptr, 2) == POSTHASTE_E_INVALID);
  CHECK(posthaste_push_many(engine.get(), "delivery", nullptr, 2, &consumed, nullptr, 0) ==
        POSTHASTE_E_INVALID);
  CHECK(consumed == 0);
  CHECK(posthaste_check(engine.get(), "delivery", nullptr, 2, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "payload");
}
