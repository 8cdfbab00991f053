#include "engagement/settings.h"

#include <catch2/catch.hpp>

using namespace posthaste::engagement;
using posthaste::core::ErrorCode;

namespace {

constexpr char kKey[] = "0123456789abcdefghij";

}  // namespace

TEST_CASE("Links need an address and keys", "[engagement][settings]") {
  Conf conf;
  CHECK(conf.finalize().code() == ErrorCode::MissingField);
  REQUIRE(conf.set("url", "https://links.test/mail//"));
  CHECK(conf.finalize().error().key == "keys");
  REQUIRE(conf.set("keys", std::string(kKey) + " , " + kKey + "2"));
  const auto settings = conf.finalize();
  REQUIRE(settings);
  CHECK(settings->url == "https://links.test/mail");
  CHECK(settings->keys == std::vector<std::string>{kKey, std::string(kKey) + "2"});
  CHECK(settings->url_length_max == 2000);
  CHECK(settings->seen_count_max == 131072);
}

TEST_CASE("Keys of links are never read back or told", "[engagement][settings]") {
  Conf conf;
  CHECK(conf.get("keys") == std::string());
  REQUIRE(conf.set("keys", kKey));
  CHECK(conf.get("keys") == std::string("****"));
  const auto refused = conf.set("keys", "secret too short");
  CHECK(refused.code() == ErrorCode::BadValue);
  CHECK(refused.error().message.find("secret") == std::string::npos);
}

TEST_CASE("Values that links cannot have are refused with their key", "[engagement][settings]") {
  const std::pair<const char*, std::string> cases[] = {{"url", "links.test"},
                                                       {"url", "ftp://links.test"},
                                                       {"url", "https://links.test/?a"},
                                                       {"url", "https://links.test/#a"},
                                                       {"url", "https://links.test/\"x"},
                                                       {"url", "https://links.test/ x"},
                                                       {"url", "https://links.test/\xc3\xa9"},
                                                       {"url", "https://" + std::string(300, 'a')},
                                                       {"keys", std::string(257, 'k')},
                                                       {"keys", "0123456789 0123456789"},
                                                       {"keys", "a,b,c,d,e,f,g,h,i"},
                                                       {"proxies", "localhost"},
                                                       {"url.max_length", "100"},
                                                       {"url.max_length", "x"},
                                                       {"seen.max", "0"}};
  for (const auto& [key, value] : cases) {
    CAPTURE(key, value);
    Conf conf;
    const auto done = conf.set(key, value);
    CHECK(done.code() == ErrorCode::BadValue);
    CHECK(done.error().key == key);
  }
  Conf conf;
  CHECK(conf.set("no.such", "1").code() == ErrorCode::UnknownKey);
  CHECK(conf.get("no.such") == nullptr);
}

TEST_CASE("A key of links without a value goes back to its default", "[engagement][settings]") {
  Conf conf;
  REQUIRE(conf.set("seen.max", "4096"));
  CHECK(conf.get("seen.max") == std::string("4096"));
  REQUIRE(conf.set("seen.max", std::nullopt));
  CHECK(conf.get("seen.max") == std::string("131072"));
}
