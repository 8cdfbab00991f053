#include "transport/proxy.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

using namespace posthaste::transport;

namespace {

// The variables of the present test case.
std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> all;
  return all;
}

const char* lookup(const char* name) {
  const auto found = variables().find(name);
  return found == variables().end() ? nullptr : found->second.c_str();
}

std::string from_environment(std::string_view url, std::string no_proxy = {}) {
  ConnectionOptions options;
  options.proxy = kEnvironmentProxy;
  options.no_proxy = std::move(no_proxy);
  return proxy_of(options, url, lookup);
}

}  // namespace

TEST_CASE("The environment's proxies are read only when asked for", "[transport][proxy]") {
  variables() = {{"http_proxy", "http://one:1"}, {"https_proxy", "http://two:2"}};
  CHECK(proxy_of({}, "http://a.test/", lookup).empty());
  CHECK(from_environment("http://a.test/") == "http://one:1");
  CHECK(from_environment("https://a.test/") == "http://two:2");
  ConnectionOptions options;
  options.proxy = "socks5://own:3";
  CHECK(proxy_of(options, "http://a.test/", lookup) == "socks5://own:3");
}

TEST_CASE("Variables in capitals count for https and for all, not for http", "[transport][proxy]") {
  variables() = {{"HTTP_PROXY", "http://forged:1"}};
  CHECK(from_environment("http://a.test/").empty());
  variables() = {{"HTTPS_PROXY", "http://two:2"}};
  CHECK(from_environment("https://a.test/") == "http://two:2");
  CHECK(from_environment("http://a.test/").empty());
  variables() = {{"ALL_PROXY", "http://all:4"}, {"https_proxy", ""}};
  CHECK(from_environment("https://a.test/") == "http://all:4");
  CHECK(from_environment("http://a.test/") == "http://all:4");
}

TEST_CASE("The key's no-proxy list takes the place of the environment's", "[transport][proxy]") {
  variables() = {{"http_proxy", "http://one:1"}, {"no_proxy", "a.test"}};
  CHECK(from_environment("http://a.test/").empty());
  CHECK(from_environment("http://b.test/") == "http://one:1");
  CHECK(from_environment("http://a.test/", "b.test") == "http://one:1");
  CHECK(from_environment("http://b.test:8080/x", "b.test").empty());
  ConnectionOptions options;
  options.proxy = "http://own:3";
  CHECK(proxy_of(options, "http://a.test/", lookup) == "http://own:3");
}

TEST_CASE("A no-proxy list names hosts with all names below them, addresses and networks",
          "[transport][proxy]") {
  CHECK(is_excluded("example.com", "example.com"));
  CHECK(is_excluded("WWW.Example.com.", "other, example.COM"));
  CHECK(is_excluded("www.example.com", ".example.com"));
  CHECK(is_excluded("example.com", ".example.com"));
  CHECK_FALSE(is_excluded("badexample.com", "example.com"));
  CHECK_FALSE(is_excluded("example.com", "www.example.com"));
  CHECK_FALSE(is_excluded("example.com", ""));
  CHECK_FALSE(is_excluded("example.com", " ,, ."));
  CHECK(is_excluded("anything.test", "*"));
  CHECK(is_excluded("10.1.2.3", "192.0.2.1 10.0.0.0/8"));
  CHECK(is_excluded("::1", "[::1]"));
  CHECK(is_excluded("::1", "0:0:0:0:0:0:0:1"));
  CHECK_FALSE(is_excluded("10.1.2.3", "11.0.0.0/8,2.3"));
}
