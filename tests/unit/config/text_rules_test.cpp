#include "config/text_rules.h"

#include <catch2/catch.hpp>
#include <string>

using namespace posthaste::config;

TEST_CASE("A header name is a token of HTTP", "[config][text_rules]") {
  CHECK(is_header_name("X-Api-Key"));
  CHECK(is_header_name("x!#$%&'*+-.^_`|~9"));
  CHECK(is_header_name(std::string(256, 'x')));
  for (const char* name : {"", "X Key", "X:Key", "X\tKey", "X\r\nKey", "(x)", "a,b", "x\xc3\xbc"}) {
    INFO(name);
    CHECK_FALSE(is_header_name(name));
  }
  CHECK_FALSE(is_header_name(std::string(257, 'x')));
  CHECK_FALSE(is_header_name(std::string_view("x\0y", 3)));
}

TEST_CASE("A header value cannot end its line", "[config][text_rules]") {
  CHECK(is_header_value(""));
  CHECK(is_header_value("a b\tc; \"q\""));
  CHECK(is_header_value("gr\xc3\xbc\xc3\x9f"));
  for (const char* value : {"a\rb", "a\nb", "a\r\nX-Evil: 1", "\x01", "\x7f", "\xff"}) {
    CHECK_FALSE(is_header_value(value));
  }
  CHECK_FALSE(is_header_value(std::string_view("a\0b", 3)));
}

TEST_CASE("Headers that frame the request are reserved in any case", "[config][text_rules]") {
  for (const char* name : {"Host", "host", "CONTENT-TYPE", "Content-Length", "Transfer-Encoding",
                           "Connection", "Expect", "Upgrade", "TE", "Trailer", "User-Agent",
                           "X-MessageSystems-Batch-ID", "x-messagesystems-anything"}) {
    INFO(name);
    CHECK(is_reserved_header(name));
  }
  for (const char* name : {"Hosts", "X-Host", "Authorization", "X-MessageSystems", "X-Api-Key"}) {
    INFO(name);
    CHECK_FALSE(is_reserved_header(name));
  }
}

TEST_CASE("The token's header may be the original's or any that is not reserved",
          "[config][text_rules]") {
  CHECK(is_auth_header("X-MessageSystems-Webhook-Token"));
  CHECK(is_auth_header("Authorization"));
  CHECK(is_auth_header("X-Token"));
  CHECK_FALSE(is_auth_header("X-MessageSystems-Batch-ID"));
  CHECK_FALSE(is_auth_header("Host"));
  CHECK_FALSE(is_auth_header("no token"));
}
