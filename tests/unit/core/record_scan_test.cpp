#include "core/record_scan.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using posthaste::core::RecordScan;

namespace {

RecordScan scan(const std::string& text, size_t piece) {
  RecordScan result;
  for (size_t i = 0; i < text.size(); i += piece) result.feed(text.substr(i, piece));
  return result;
}

}  // namespace

TEST_CASE("A record scan finds where each record begins, however the body is cut into pieces",
          "[core][record_scan]") {
  const std::string first = R"({"msys":{"x":{"a":"}],{[\"\\","b":[1,{"c":"\\"}]}}})";
  const std::string body = "[" + first + R"(,{"n": 2 },{}])";
  const std::vector<uint64_t> expected = {1, 2 + first.size(), 3 + first.size() + 9,
                                          body.size() - 1};
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    const RecordScan result = scan(body, piece);
    CHECK(result.is_complete());
    CHECK(result.offsets() == expected);
  }
}

TEST_CASE("A record scan says no to what is no array of objects", "[core][record_scan]") {
  for (const char* text : {"", "[", "[{}", "[{},]", "{}", "[1]", "[{} ]", "[{},{}]x", "[{}{}]",
                           R"([{"a":"])", R"([{"a":"\"}])"}) {
    INFO(text);
    CHECK_FALSE(scan(text, 3).is_complete());
  }
}
