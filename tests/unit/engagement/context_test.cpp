#include "engagement/context.h"

#include <catch2/catch.hpp>
#include <memory>

using namespace posthaste::engagement;
using posthaste::core::ErrorCode;
using posthaste::core::EventCatalogue;

namespace {

struct Free {
  void operator()(posthaste_event_t* event) const { posthaste_event_free(event); }
};

// What an event of the type has of a context, without its type.
std::string fields_of(const char* context, const char* type) {
  const EventCatalogue catalogue;
  const std::unique_ptr<posthaste_event_t, Free> event(posthaste_event_new(type));
  set_context(context, catalogue.type_info(catalogue.find(type).id), event.get());
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_event_json(event.get(), &text, nullptr) == POSTHASTE_OK);
  const std::string json = posthaste_text_data(text);
  posthaste_text_free(text);
  return json.substr(json.find(type) + std::string(type).size() + 1);
}

posthaste::core::Result<Context> parse(const char* json, const Tracking* tracking = nullptr) {
  return Context::parse(json, tracking, EventCatalogue());
}

}  // namespace

TEST_CASE("A context keeps the fields of engagement events in their wire types",
          "[engagement][context]") {
  const auto context = parse(
      R"({"type":"injection","event_id":"1","timestamp":"2","message_id":"m","msg_size":12,)"
      R"("rcpt_meta":{"a":1},"reason":"x","user_agent":"x","ip_address":"1.2.3.4","subject":"",)"
      R"("campaign_id":null,"mo_own":[1],"rcpt_to":"a@b.test"})");
  REQUIRE(context);
  CHECK(
      context->full ==
      R"({"message_id":"m","msg_size":"12","rcpt_meta":{"a":1},"mo_own":[1],"rcpt_to":"a@b.test"})");
  CHECK(context->essential == R"({"message_id":"m","rcpt_to":"a@b.test"})");
  CHECK(parse("{}")->full == "{}");
}

TEST_CASE("A context says what is tracked unless it says so itself", "[engagement][context]") {
  const Tracking tracking{true, false, true};
  CHECK(parse("{}", &tracking)->full ==
        R"({"open_tracking":true,"click_tracking":false,"initial_pixel":true})");
  CHECK(parse(R"({"click_tracking":true})", &tracking)->full ==
        R"({"click_tracking":true,"open_tracking":true,"initial_pixel":true})");
}

TEST_CASE("A context that is no object of event fields is refused", "[engagement][context]") {
  for (const char* json : {"", "[]", "1", "{", R"({"a":1,"a":2})", "{}{}"}) {
    CAPTURE(json);
    CHECK_FALSE(parse(json));
  }
  CHECK(parse(R"({"rcpt_meta":"text"})").code() == ErrorCode::BadField);
  CHECK(parse(R"({"subject":["x"]})").code() == ErrorCode::BadField);
  const std::string large = R"({"subject":")" + std::string(20'000, 'x') + "\"}";
  CHECK_FALSE(parse(large.c_str()));
}

TEST_CASE("An event gets those fields of a context that its type has", "[engagement][context]") {
  const char* const context =
      R"({"message_id":"m","node_name":"n","delv_method":"esmtp","recv_method":"esmtp","mo_own":1})";
  CHECK(fields_of(context, "click") ==
        R"(,"message_id":"m","node_name":"n","delv_method":"esmtp","mo_own":1})");
  CHECK(fields_of(context, "initial_open") ==
        R"(,"message_id":"m","delv_method":"esmtp","mo_own":1})");
  CHECK(fields_of(context, "list_unsubscribe") ==
        R"(,"message_id":"m","node_name":"n","recv_method":"esmtp","mo_own":1})");
  // A link that somebody with the key made by hand.
  CHECK(
      fields_of(R"({"type":"bounce","event_id":"e","timestamp":"1","geo_ip":{},"message_id":"m"})",
                "open") == R"(,"message_id":"m"})");
}

TEST_CASE("What follows from a context's fields is added where it is missing",
          "[engagement][context]") {
  CHECK(fields_of(R"({"rcpt_to":"a@b.test","friendly_from":"c@d.test","msg_from":"e@f.test"})",
                  "link_unsubscribe") ==
        R"(,"rcpt_to":"a@b.test","friendly_from":"c@d.test","msg_from":"e@f.test",)"
        R"("recipient_domain":"b.test","sending_domain":"d.test","mailfrom":"e@f.test"})");
  CHECK(fields_of(R"({"rcpt_to":"a@b.test","recipient_domain":"x.test"})", "open") ==
        R"(,"rcpt_to":"a@b.test","recipient_domain":"x.test"})");
  CHECK(fields_of(R"({"rcpt_to":"nobody","msg_from":"e@f.test"})", "open") ==
        R"(,"rcpt_to":"nobody","msg_from":"e@f.test"})");
}
