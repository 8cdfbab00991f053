#include "engine/base64.h"

#include <catch2/catch.hpp>
#include <utility>

using posthaste::engine::base64;

TEST_CASE("Base64 is that of RFC 4648", "[engine][base64]") {
  // Section 10.
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, expected] : vectors) CHECK(base64(text) == expected);
}

TEST_CASE("Base64 of credentials is that of RFC 7617", "[engine][base64]") {
  CHECK(base64("Aladdin:open sesame") == "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(base64("test:123\xc2\xa3") == "dGVzdDoxMjPCow==");
}

TEST_CASE("Base64 takes every byte", "[engine][base64]") {
  CHECK(base64(std::string_view("\x00\xff\xfe\x7f\x80\x01", 6)) == "AP/+f4AB");
  CHECK(base64("\xfb\xff\xbf") == "+/+/");
}
