#include "transport/header_rules.h"

#include <catch2/catch.hpp>

namespace posthaste::transport {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string message_of(const Headers& headers, const HeaderContext& context = {}) {
  const auto checked = check_custom_headers(headers, context);
  if (checked.ok()) return "";
  CHECK(checked.error().code == core::ErrorCode::BadHeader);
  return checked.error().message;
}

TEST_CASE("Custom headers are a few tokens with one-line values", "[transport][header_rules]") {
  CHECK(message_of({}).empty());
  CHECK(message_of({{"X-Api-Key", "abcd"}, {"!#$%&'*+-.^_`|~9", ""}, {"X-Latin", "\xe4"}}).empty());
  CHECK(message_of({{"", "x"}}) == "a header has no name");
  CHECK(message_of({{"X Y", "x"}}) == "header name 'X Y' has a character that is not allowed");
  CHECK(message_of({{"X:", "x"}}) == "header name 'X:' has a character that is not allowed");
  CHECK(message_of({{"X\r\nY", "x"}}) == "header name 'X??Y' has a character that is not allowed");
  CHECK(message_of({{std::string("X\0", 2), "x"}}) ==
        "header name 'X?' has a character that is not allowed");
}

TEST_CASE("A header value cannot end its line, and is never repeated in the message",
          "[transport][header_rules]") {
  for (const std::string end : {"\r", "\n", "\r\nX-Other: 1", "\t", "\x7f"}) {
    const std::string message = message_of({{"X-Key", "secret" + end}});
    CHECK(message == "the value of header 'X-Key' contains a control character");
  }
  CHECK(message_of({{"X-Key", std::string("a\0b", 3)}}) ==
        "the value of header 'X-Key' contains a control character");
}

TEST_CASE("At most five custom headers of less than 3,000 bytes", "[transport][header_rules]") {
  Headers headers;
  for (int i = 0; i < 5; ++i) headers.emplace_back("X-" + std::to_string(i), "v");
  CHECK(message_of(headers).empty());
  headers.emplace_back("X-5", "v");
  CHECK(message_of(headers) == "6 custom headers, at most 5 are allowed");

  headers = {{"X-A", std::string(1497, 'a')}, {"X-B", std::string(1496, 'b')}};
  CHECK(message_of(headers).empty());
  headers[1].second.push_back('b');
  CHECK(message_of(headers) == "custom headers have 3000 bytes together, the limit is 2999");
}

TEST_CASE("Names that the protocol or the library needs are reserved",
          "[transport][header_rules]") {
  for (const std::string name :
       {"Host", "content-type", "CONTENT-LENGTH", "Transfer-Encoding", "Connection", "Expect",
        "Upgrade", "TE", "Trailer", "User-Agent", "X-MessageSystems-Batch-ID",
        "x-messagesystems-anything", "X-MessageSystems-"}) {
    CHECK(message_of({{name, "x"}}) == "header '" + name + "' is reserved and cannot be used");
  }
  CHECK(message_of({{"X-MessageSystem", "x"}}).empty());
}

TEST_CASE("Authorization and the token's header are reserved where they are used",
          "[transport][header_rules]") {
  const Headers authorization = {{"authorization", "x"}};
  CHECK(message_of(authorization).empty());
  CHECK(message_of(authorization, {"", true}) ==
        "header 'authorization' is reserved and cannot be used");
  CHECK(message_of({{"x-token", "x"}}, {"X-Token", false}) ==
        "header 'x-token' is reserved and cannot be used");
}

TEST_CASE("A header is given once, in any case of letters", "[transport][header_rules]") {
  CHECK(message_of({{"X-Key", "1"}, {"x-key", "2"}}) == "header 'x-key' is given twice");
  CHECK(check_custom_headers({{"X-Key", "1"}, {"x-key", "2"}}, {}).error().key == "x-key");
}

}  // namespace
}  // namespace posthaste::transport
