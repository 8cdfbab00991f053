#include <cmath>

#include "owned.h"

using namespace posthaste::testing;

namespace {

using EventHandle = Owned<posthaste_event_t>;

EventHandle make_event(const char* type = "delivery") {
  return EventHandle(posthaste_event_new(type));
}

// What a push would take.
std::string payload_of(const EventHandle& event) {
  std::string_view payload;
  CHECK(event->builder.finish(payload) == posthaste::core::ErrorCode::Ok);
  return std::string(payload);
}

}  // namespace

TEST_CASE("Each field is written in its wire type whatever setter was used", "[capi][builder]") {
  const EventHandle event = make_event("inband");
  CHECK(posthaste_event_set(event.get(), "rcpt_to", "a\"b@c.test") == POSTHASTE_OK);
  CHECK(posthaste_event_set_int(event.get(), "msg_size", 1337) == POSTHASTE_OK);
  CHECK(posthaste_event_set_double(event.get(), "timestamp", 1460989507.75) == POSTHASTE_OK);
  CHECK(posthaste_event_set_bool(event.get(), "own_flag", 5) == POSTHASTE_OK);
  CHECK(posthaste_event_set_text(event.get(), "own_text", "a\0b", 3) == POSTHASTE_OK);
  CHECK(posthaste_event_set_json(event.get(), "rcpt_meta", "{\"k\": 1}", 8) == POSTHASTE_OK);
  CHECK(payload_of(event) == R"({"type":"bounce","rcpt_to":"a\"b@c.test","msg_size":"1337",)"
                             R"("timestamp":"1460989507","own_flag":true,"own_text":"a\u0000b",)"
                             R"("rcpt_meta":{"k": 1}})");
}

TEST_CASE("Nested values are built by begin and end", "[capi][builder]") {
  const EventHandle event = make_event("own_type");
  CHECK(posthaste_event_begin_object(event.get(), "outer") == POSTHASTE_OK);
  CHECK(posthaste_event_begin_array(event.get(), "list") == POSTHASTE_OK);
  CHECK(posthaste_event_set_int(event.get(), nullptr, 1) == POSTHASTE_OK);
  CHECK(posthaste_event_set(event.get(), nullptr, "two") == POSTHASTE_OK);
  CHECK(posthaste_event_check(event.get(), nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_end(event.get()) == POSTHASTE_OK);
  CHECK(posthaste_event_end(event.get()) == POSTHASTE_OK);
  CHECK(posthaste_event_check(event.get(), nullptr) == POSTHASTE_OK);
  CHECK(payload_of(event) == R"({"type":"own_type","outer":{"list":[1,"two"]}})");
}

TEST_CASE("The first error of a builder sticks until reset", "[capi][builder]") {
  const EventHandle event = make_event();
  const ErrorHandle error = make_error();
  CHECK(posthaste_event_set(event.get(), "rcpt_to", "a@b.test") == POSTHASTE_OK);
  CHECK(posthaste_event_set(event.get(), "rcpt_to", "c@d.test") == POSTHASTE_E_DUPLICATE_KEY);
  CHECK(posthaste_event_set_double(event.get(), "x", NAN) == POSTHASTE_E_DUPLICATE_KEY);
  CHECK(posthaste_event_set(event.get(), "y", nullptr) == POSTHASTE_E_DUPLICATE_KEY);
  CHECK(posthaste_event_check(event.get(), error.get()) == POSTHASTE_E_DUPLICATE_KEY);
  CHECK(std::string(posthaste_error_key(error.get())) == "rcpt_to");
  const EngineHandle engine = make_engine();
  CHECK(posthaste_push_event(engine.get(), event.get()) == POSTHASTE_E_DUPLICATE_KEY);
  CHECK(posthaste_event_reset(event.get(), "open") == POSTHASTE_OK);
  CHECK(posthaste_event_check(event.get(), error.get()) == POSTHASTE_OK);
  CHECK(payload_of(event) == R"({"type":"open"})");
}

TEST_CASE("A null value sticks as an error, so that no payload goes out without the field",
          "[capi][builder]") {
  const EventHandle event = make_event();
  const ErrorHandle error = make_error();
  CHECK(posthaste_event_set(event.get(), "rcpt_to", nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_set(event.get(), "subject", "hello") == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_mark(event.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_check(event.get(), error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "value");
  const EngineHandle engine = make_engine();
  CHECK(posthaste_push_event(engine.get(), event.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_rewind(event.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_reset(event.get(), nullptr) == POSTHASTE_OK);
  CHECK(posthaste_event_set(event.get(), "subject", "hello") == POSTHASTE_OK);
  CHECK(payload_of(event) == R"({"type":"delivery","subject":"hello"})");
}

TEST_CASE("Rewind goes back to the mark any number of times and clears later errors",
          "[capi][builder]") {
  const EventHandle event = make_event();
  CHECK(posthaste_event_rewind(event.get()) == POSTHASTE_E_INVALID);
  REQUIRE(posthaste_event_reset(event.get(), "injection") == POSTHASTE_OK);
  REQUIRE(posthaste_event_set(event.get(), "message_id", "m1") == POSTHASTE_OK);
  REQUIRE(posthaste_event_mark(event.get()) == POSTHASTE_OK);
  REQUIRE(posthaste_event_set(event.get(), "rcpt_to", "a@b.test") == POSTHASTE_OK);
  CHECK(payload_of(event) == R"({"type":"injection","message_id":"m1","rcpt_to":"a@b.test"})");
  CHECK(posthaste_event_set(event.get(), "subject", nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_rewind(event.get()) == POSTHASTE_OK);
  CHECK(posthaste_event_set_json(event.get(), "rcpt_meta", "{", 1) == POSTHASTE_E_BAD_JSON);
  CHECK(posthaste_event_rewind(event.get()) == POSTHASTE_OK);
  REQUIRE(posthaste_event_set(event.get(), "rcpt_to", "c@d.test") == POSTHASTE_OK);
  CHECK(payload_of(event) == R"({"type":"injection","message_id":"m1","rcpt_to":"c@d.test"})");
}

TEST_CASE("Null where a builder is needed is an error", "[capi][builder]") {
  const ErrorHandle error = make_error();
  const EngineHandle engine = make_engine();
  CHECK(posthaste_event_new(nullptr) == nullptr);
  CHECK(posthaste_event_reset(nullptr, "open") == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_set(nullptr, "a", "b") == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_set_int(nullptr, "a", 1) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_end(nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_mark(nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_rewind(nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_event_check(nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "event");
  CHECK(posthaste_push_event(engine.get(), nullptr) == POSTHASTE_E_INVALID);
}
