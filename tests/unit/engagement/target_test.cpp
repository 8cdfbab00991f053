#include "engagement/target.h"

#include <catch2/catch.hpp>

using namespace posthaste::engagement;

TEST_CASE("A target is an absolute http or https URL with a host", "[engagement][target]") {
  for (const char* url :
       {"http://a", "https://a.test/", "HTTPS://A.test/x?y#z", "http://a.test/\xc3\xbc",
        "http://a.test/a b", "http://user@a.test:8080/\\x", "http://[::1]/"}) {
    CAPTURE(url);
    CHECK(is_target(url));
  }
  for (const char* url :
       {"", "http://", "http:///x", "http:\\\\a", "http://?x", "http:a.test", "//a.test/", "/x",
        "mailto:a@b.test", "javascript:alert(1)", "data:text/html,x", "ftp://a.test/", "#top",
        "http://a.test/\r\nSet-Cookie: x", "http://a.test/\x7f", "http://a.test/\xff",
        " http://a.test/", "tel:1", "file:///etc/passwd"}) {
    CAPTURE(url);
    CHECK_FALSE(is_target(url));
  }
  CHECK_FALSE(is_target(std::string("http://a\0b", 10)));
}

TEST_CASE("An href is read as a browser reads it", "[engagement][target]") {
  const std::pair<const char*, const char*> cases[] = {
      {"http://a.test/?a=1&amp;b=2", "http://a.test/?a=1&b=2"},
      {"http://a.test/?a=1&b=2&copy=3", "http://a.test/?a=1&b=2&copy=3"},
      {"http://a.test/?a&amp&b&amp=c", "http://a.test/?a&&b&amp=c"},
      {"http://a.test/?a&lt", "http://a.test/?a<"},
      {"http://a.test/?&#65;&#x42;&#X43&#68", "http://a.test/?ABCD"},
      {"http://a.test/?&#xe9;&#8364;&#x1F600;",
       "http://a.test/?\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
      {"  \t http://a.test/x\n ", "http://a.test/x"},
      {"http://a.test/a\r\n\tb", "http://a.test/ab"},
      {"http://a.test/&#13;&#10;X:y", "http://a.test/X:y"},
      {"http://a.test/?&;&&#;&#x;&", "http://a.test/?&;&&#;&#x;&"},
      {"&#104;ttp://a.test/&quot;&apos;", "http://a.test/\"'"}};
  for (const auto& [href, target] : cases) {
    CAPTURE(href);
    CHECK(target_of_href(href) == std::string(target));
  }
}

TEST_CASE("An href whose reading is not sure is no target", "[engagement][target]") {
  for (const char* href :
       {"http://a.test/&euro;", "http://a.test/&#128;", "http://a.test/&#0;",
        "http://a.test/&#xd800;", "http://a.test/&#x110000;", "http://a.test/&#99999999999999;",
        "http://a.test/\xe9", "mailto:a@b.test", "#top", "", "  ", "java&#10;script:x"}) {
    CAPTURE(href);
    CHECK_FALSE(target_of_href(href));
  }
}

TEST_CASE("A Location header has no byte that could end it", "[engagement][target]") {
  CHECK(location_of("http://a.test/?a=1&b=%20#c") == "http://a.test/?a=1&b=%20#c");
  CHECK(location_of("http://a.test/a b\"<>\xc3\xbc\r\n") ==
        "http://a.test/a%20b%22%3C%3E%C3%BC%0D%0A");
}
