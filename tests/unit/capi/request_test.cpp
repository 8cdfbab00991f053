// Requests and responses as code beside the library reads and makes them.
#include "owned.h"

using namespace posthaste::testing;

namespace {

using RequestHandle = Owned<posthaste_request_t>;
using ResponseHandle = Owned<posthaste_response_t>;

}  // namespace

TEST_CASE("A request gives back what it was made with and given", "[capi]") {
  const RequestHandle request(posthaste_request_new("POST", "/t/abc?x=1"));
  CHECK(posthaste_request_peer(request.get()) == std::string());
  REQUIRE(posthaste_request_set_peer(request.get(), "192.0.2.1") == POSTHASTE_OK);
  REQUIRE(posthaste_request_add_header(request.get(), "User-Agent", "a") == POSTHASTE_OK);
  REQUIRE(posthaste_request_add_header(request.get(), "user-agent", "b") == POSTHASTE_OK);
  REQUIRE(posthaste_request_set_body(request.get(), "x\0y", 3) == POSTHASTE_OK);
  CHECK(posthaste_request_method(request.get()) == std::string("POST"));
  CHECK(posthaste_request_target(request.get()) == std::string("/t/abc?x=1"));
  CHECK(posthaste_request_peer(request.get()) == std::string("192.0.2.1"));
  REQUIRE(posthaste_request_header_count(request.get()) == 2);
  CHECK(posthaste_request_header_name(request.get(), 1) == std::string("user-agent"));
  CHECK(posthaste_request_header_value(request.get(), 1) == std::string("b"));
  CHECK(posthaste_request_header_name(request.get(), 2) == nullptr);
  size_t size = 0;
  const char* const body = posthaste_request_body(request.get(), &size);
  CHECK(std::string(body, size) == std::string("x\0y", 3));
}

TEST_CASE("A response that a host makes has what the host gave it", "[capi]") {
  const ResponseHandle response(posthaste_response_new(302));
  REQUIRE(posthaste_response_add_header(response.get(), "Location", "https://a.test/") ==
          POSTHASTE_OK);
  REQUIRE(posthaste_response_set_body(response.get(), "moved", 5) == POSTHASTE_OK);
  CHECK(posthaste_response_status(response.get()) == 302);
  REQUIRE(posthaste_response_header_count(response.get()) == 1);
  CHECK(posthaste_response_header_value(response.get(), 0) == std::string("https://a.test/"));
  size_t size = 0;
  CHECK(posthaste_response_body(response.get(), &size) == std::string("moved"));
  CHECK(size == 5);
}

TEST_CASE("A response refuses a status and header fields that HTTP does not allow", "[capi]") {
  CHECK(posthaste_response_new(199) == nullptr);
  CHECK(posthaste_response_new(600) == nullptr);
  const ResponseHandle response(posthaste_response_new(200));
  for (const char* name : {"", "a b", "a:", "a\r\n", "\xc3\xa9"}) {
    CAPTURE(name);
    CHECK(posthaste_response_add_header(response.get(), name, "x") == POSTHASTE_E_BAD_HEADER);
  }
  for (const char* value : {"a\r\nSet-Cookie: b", "a\nb", "a\x7f"}) {
    CHECK(posthaste_response_add_header(response.get(), "X-A", value) == POSTHASTE_E_BAD_HEADER);
  }
  CHECK(posthaste_response_header_count(response.get()) == 0);
  CHECK(posthaste_response_add_header(response.get(), "X-A", "tab\tand \xc3\xa9") == POSTHASTE_OK);
}

TEST_CASE("A text that a host makes is a copy of its bytes", "[capi]") {
  char bytes[] = "a\0b";
  const Owned<posthaste_text_t> text(posthaste_text_new(bytes, 3));
  bytes[0] = 'z';
  CHECK(std::string(posthaste_text_data(text.get()), posthaste_text_size(text.get())) ==
        std::string("a\0b", 3));
}

TEST_CASE("An event's JSON is what a push of it sends, or its first error", "[capi]") {
  posthaste_event_t* const event = posthaste_event_new("click");
  posthaste_event_set(event, "subject", "a \"b\"");
  posthaste_event_set_int(event, "msg_size", 7);
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_event_json(event, &text, nullptr) == POSTHASTE_OK);
  CHECK(std::string(posthaste_text_data(text)) ==
        R"({"type":"click","subject":"a \"b\"","msg_size":"7"})");
  posthaste_text_free(text);
  posthaste_event_set_json(event, "rcpt_meta", "[", 1);
  CHECK(posthaste_event_json(event, &text, nullptr) == POSTHASTE_E_BAD_JSON);
  CHECK(text == nullptr);
  posthaste_event_free(event);
}
