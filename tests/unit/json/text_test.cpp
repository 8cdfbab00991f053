#include "json/text.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "json/event_scan.h"

namespace posthaste::json {

TEST_CASE("Strings are escaped as JSON demands and no further", "[json][text]") {
  const auto escaped = [](std::string_view text) {
    std::string out;
    append_string(out, text);
    return out;
  };
  REQUIRE(escaped("") == R"("")");
  REQUIRE(escaped("a/b<\x7f>") == "\"a/b<\x7f>\"");
  REQUIRE(escaped("\"\\\b\f\n\r\t") == R"("\"\\\b\f\n\r\t")");
  REQUIRE(escaped(std::string_view("\0\x01\x1f", 3)) == R"("\u0000\u0001\u001f")");
  REQUIRE(escaped("\xe2\x82\xac") == "\"\xe2\x82\xac\"");
  REQUIRE(escaped("a\xff\"") == "\"a\xef\xbf\xbd\\\"\"");
}

TEST_CASE("What was escaped decodes to itself and passes the check", "[json][text]") {
  for (int lead = 0; lead < 256; ++lead) {
    const std::string text = {'x', static_cast<char>(lead), 'y'};
    std::string json;
    append_string(json, text);
    MemberSpan value;
    ScanFault fault;
    REQUIRE(check_value(json, {}, value, fault) == core::ErrorCode::Ok);
    std::array<char, 8> buffer;
    const size_t size = decode_string(value.inside(), buffer);
    const std::string expected = lead < 0x80 ? text : "x\xef\xbf\xbdy";
    REQUIRE(std::string_view(buffer.data(), size) == expected);
  }
}

TEST_CASE("Escapes decode to their characters", "[json][text]") {
  std::array<char, 32> buffer;
  const size_t size = decode_string(R"(\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\uD83D\uDE00)", buffer);
  REQUIRE(std::string_view(buffer.data(), size) ==
          "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  std::array<char, 3> small;
  REQUIRE(decode_string("abcd", small) == kDoesNotFit);
  REQUIRE(decode_string(R"(\uD83D\uDE00)", small) == kDoesNotFit);
  REQUIRE(decode_string(R"(\u0061bc)", small) == 3);
}

TEST_CASE("Doubles are written in their shortest form, which is JSON", "[json][text]") {
  const auto text = [](double value) {
    std::string out;
    append_double(out, value);
    MemberSpan span;
    ScanFault fault;
    REQUIRE(check_value(out, {}, span, fault) == core::ErrorCode::Ok);
    return out;
  };
  REQUIRE(text(0.5) == "0.5");
  REQUIRE(text(-3) == "-3");
  REQUIRE(std::stod(text(0.1)) == 0.1);
  REQUIRE(std::stod(text(1e22)) == 1e22);
  REQUIRE(std::stod(text(std::numeric_limits<double>::max())) ==
          std::numeric_limits<double>::max());
  REQUIRE(std::stod(text(-std::numeric_limits<double>::min())) ==
          -std::numeric_limits<double>::min());
}

}  // namespace posthaste::json
