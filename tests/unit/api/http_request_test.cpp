#include "api/http_request.h"

#include <catch2/catch.hpp>

using namespace posthaste::api;

namespace {

std::string key_in(const std::string& authorization) {
  HttpRequest request;
  request.headers = {{"authorization", authorization}};
  return api_key_of(request);
}

}  // namespace

TEST_CASE("A path is its segments, with or without a slash at the end", "[api][http_request]") {
  using Segments = std::vector<std::string>;
  CHECK(parse_target("/api/v1/webhooks")->segments == Segments{"api", "v1", "webhooks"});
  CHECK(parse_target("/api/v1/webhooks/")->segments == Segments{"api", "v1", "webhooks"});
  CHECK(parse_target("/a%2Fb/c%20d")->segments == Segments{"a/b", "c d"});
  CHECK(parse_target("/")->segments.empty());
  CHECK_FALSE(parse_target("api"));
  CHECK_FALSE(parse_target("http://host/api"));
}

TEST_CASE("A query is names and values, decoded, the first of a name counting",
          "[api][http_request]") {
  const auto target = parse_target("/a?x=1&y=a%2Cb+c&x=2&flag&=nothing#fragment");
  REQUIRE(target);
  CHECK(target->parameter("x") == "1");
  CHECK(target->parameter("y") == "a,b c");
  CHECK(target->parameter("flag") == "");
  CHECK_FALSE(target->parameter("z"));
}

TEST_CASE("Percent signs that are no escapes are refused", "[api][http_request]") {
  for (const char* target : {"/%", "/%4", "/%zz", "/a?x=%", "/a?%4=1", "/%4g"}) {
    CAPTURE(target);
    CHECK_FALSE(parse_target(target));
  }
}

TEST_CASE("A key comes raw, as user name of Basic, or behind Bearer", "[api][http_request]") {
  CHECK(key_in("abcdef") == "abcdef");
  CHECK(key_in("Basic YWJjZGVmOg==") == "abcdef");
  CHECK(key_in("basic YWJjZGVmOnB3") == "abcdef");
  CHECK(key_in("Basic YWJjZGVm") == "abcdef");
  CHECK(key_in("Bearer abcdef") == "abcdef");
  CHECK(key_in("Basic !!!").empty());
  CHECK(key_in("").empty());
  CHECK(api_key_of(HttpRequest{}).empty());
}

TEST_CASE("Accept lets a type pass by the most specific range that fits", "[api][http_request]") {
  for (const char* accept : {"*/*", "application/json", "application/*", "text/html, */*;q=0.1",
                             "Application/JSON; charset=utf-8"}) {
    CAPTURE(accept);
    CHECK(is_acceptable(accept, "application/json"));
  }
  for (const char* accept :
       {"text/html", "application/xml", "*/*, application/json;q=0", "application/*;q=0.0"}) {
    CAPTURE(accept);
    CHECK_FALSE(is_acceptable(accept, "application/json"));
  }
}

TEST_CASE("A content type is compared without case and parameters", "[api][http_request]") {
  CHECK(is_content_type("application/json", "application/json"));
  CHECK(is_content_type("Application/JSON ; charset=utf-8", "application/json"));
  CHECK_FALSE(is_content_type("application/json-patch", "application/json"));
  CHECK_FALSE(is_content_type("", "application/json"));
}
