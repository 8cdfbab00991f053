#include "transport/target.h"

#include <catch2/catch.hpp>

namespace posthaste::transport {
namespace {

struct GoodTarget {
  std::string text;
  std::string url;
  Origin origin;
};

TEST_CASE("A target keeps its text and gets a comparable origin", "[transport][target]") {
  const GoodTarget good = GENERATE(
      GoodTarget{"http://example.com/hook", "http://example.com/hook", {"http", "example.com", 80}},
      GoodTarget{"HTTPS://Example.COM", "HTTPS://Example.COM", {"https", "example.com", 443}},
      GoodTarget{"https://example.com:8443/a/../b?x=%2F&y=1#part",
                 "https://example.com:8443/a/../b?x=%2F&y=1",
                 {"https", "example.com", 8443}},
      GoodTarget{"https://example.com?x", "https://example.com?x", {"https", "example.com", 443}},
      GoodTarget{"http://xn--bcher-kva.example/",
                 "http://xn--bcher-kva.example/",
                 {"http", "xn--bcher-kva.example", 80}},
      GoodTarget{"http://[::1]:1/", "http://[::1]:1/", {"http", "[::1]", 1}},
      GoodTarget{
          "http://127.0.0.1:65535/", "http://127.0.0.1:65535/", {"http", "127.0.0.1", 65535}},
      GoodTarget{"http://example.com/p@th", "http://example.com/p@th", {"http", "example.com", 80}},
      GoodTarget{"http://example.com/\xc3\xa4?\xc3\xb6",
                 "http://example.com/%c3%a4?%c3%b6",
                 {"http", "example.com", 80}});
  const auto target = parse_target(good.text);
  CAPTURE(good.text);
  REQUIRE(target.ok());
  CHECK(target->url == good.url);
  CHECK(target->origin == good.origin);
  CHECK_FALSE(target->credentials.has_value());
}

TEST_CASE("User and password leave the URL and come back decoded", "[transport][target]") {
  const auto target = parse_target("https://us%20er:p%40ss:w@example.com:444/h?q#f");
  REQUIRE(target.ok());
  CHECK(target->url == "https://example.com:444/h?q");
  REQUIRE(target->credentials.has_value());
  CHECK(target->credentials->user == "us er");
  CHECK(target->credentials->password == "p@ss:w");
  CHECK(target->origin == Origin{"https", "example.com", 444});

  // The last at sign ends the credentials, so the host is what follows it.
  const auto tricky = parse_target("http://good.example@evil.example/");
  REQUIRE(tricky.ok());
  CHECK(tricky->origin.host == "evil.example");
  CHECK(tricky->url == "http://evil.example/");
  CHECK(parse_target("http://user@example.com/")->credentials == BasicCredentials{"user", ""});
}

struct BadTarget {
  std::string text;
  std::string message;
};

TEST_CASE("A bad target is refused with what is wrong with it", "[transport][target]") {
  const BadTarget bad = GENERATE(
      BadTarget{"", "the target is empty"},
      BadTarget{"example.com/hook", "the target does not begin with http:// or https://"},
      BadTarget{"http:/example.com", "the target does not begin with http:// or https://"},
      BadTarget{"ftp://example.com/", "the target's scheme 'ftp' is not http or https"},
      BadTarget{"file:///etc/passwd", "the target's scheme 'file' is not http or https"},
      BadTarget{"http://", "the target has no host"},
      BadTarget{"http:///path", "the target has no host"},
      BadTarget{"http://user:secret@/path", "the target has no host"},
      BadTarget{"http://:80/", "the target has no host"},
      BadTarget{"http://example.com:0/", "the target's port is not a number from 1 to 65535"},
      BadTarget{"http://example.com:65536/", "the target's port is not a number from 1 to 65535"},
      BadTarget{"http://example.com:8o/", "the target's port is not a number from 1 to 65535"},
      BadTarget{"http://exam ple.com/", "the target contains a space"},
      BadTarget{"http://example.com/\r\nX: y", "the target contains a control character"},
      BadTarget{std::string("http://a/\0b", 11), "the target contains a control character"},
      BadTarget{"http://exa<mple.com/", "the target's host name is malformed"},
      BadTarget{"http://b\xc3\xbc"
                "cher.example/x",
                "the target's host name is not ASCII, write it as xn--..."},
      BadTarget{"http://b%c3%bccher.example/x",
                "the target's host name is not ASCII, write it as xn--..."},
      BadTarget{"http://[::zz]/", "the target's IPv6 address is malformed"},
      BadTarget{"http://[fe80::1%25eth0]/",
                "the target's IPv6 address has a zone, which is not supported"},
      BadTarget{"http://us:s%0aecret@a/", "the target's user name or password is malformed"},
      BadTarget{"http://us:s%zz@a/", "the target's user name or password is malformed"},
      BadTarget{"http://us:secret%4@a/", "the target's user name or password is malformed"},
      BadTarget{"http://u%3as:secret@a/", "the target's user name contains a colon"});
  const auto target = parse_target(bad.text);
  CAPTURE(bad.text);
  REQUIRE_FALSE(target.ok());
  CHECK(target.error().code == core::ErrorCode::BadTarget);
  CHECK(target.error().key == "target");
  CHECK(target.error().message == bad.message);
  CHECK(target.error().message.find("secret") == std::string::npos);
}

TEST_CASE("A target has at most 2,048 bytes", "[transport][target]") {
  std::string text = "http://example.com/";
  text.resize(kTargetBytesMax, 'x');
  CHECK(parse_target(text).ok());
  text.push_back('x');
  const auto target = parse_target(text);
  REQUIRE_FALSE(target.ok());
  CHECK(target.error().message == "the target has 2049 bytes, at most 2048 are allowed");
}

TEST_CASE("An origin reads like a URL without its own port", "[transport][target]") {
  CHECK(origin_text({"https", "example.com", 443}) == "https://example.com");
  CHECK(origin_text({"http", "example.com", 443}) == "http://example.com:443");
  CHECK(origin_text({"http", "[::1]", 80}) == "http://[::1]");
}

TEST_CASE("Address literals need no resolver", "[transport][target]") {
  CHECK(is_address_literal_url("http://127.0.0.1:8080/x"));
  CHECK(is_address_literal_url("https://[::1]/"));
  CHECK_FALSE(is_address_literal_url("http://example.com/"));
  CHECK_FALSE(is_address_literal_url("http://127.0.0.1.example.com/"));
  CHECK_FALSE(is_address_literal_url("http://127.0.0/"));
}

TEST_CASE("A printable URL has neither credentials nor control characters, and an end",
          "[transport][target]") {
  CHECK(printable_url("https://user:secret@example.com/a?b#c") == "https://example.com/a?b#c");
  CHECK(printable_url("//user:secret@example.com/") == "//example.com/");
  CHECK(printable_url("https://a@b@example.com/x@y") == "https://example.com/x@y");
  CHECK(printable_url("/login?next=a@b") == "/login?next=a@b");
  CHECK(printable_url("https://example.com/\r\nX: 1\x7f") == "https://example.com/??X: 1?");
  CHECK(printable_url(std::string(1000, 'a')).size() == 256);
}

}  // namespace
}  // namespace posthaste::transport
