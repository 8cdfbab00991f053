#include "json/utf8.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <string>

namespace posthaste::json {

namespace {

// The plain reading of Unicode's definition: decode, then compare with the shortest form and the
// allowed range.
bool is_well_formed_slowly(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = [&](size_t i) {
      return static_cast<uint32_t>(static_cast<unsigned char>(text[i]));
    };
    const uint32_t lead = byte(at);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const size_t size = lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (size == 0 || text.size() - at < size) return false;
    uint32_t code_point = lead & (0x7fu >> size);
    for (size_t i = 1; i < size; ++i) {
      if (byte(at + i) >> 6 != 2) return false;
      code_point = code_point << 6 | (byte(at + i) & 0x3f);
    }
    const uint32_t smallest = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
    if (code_point < smallest || code_point > 0x10ffff ||
        (code_point >= 0xd800 && code_point < 0xe000)) {
      return false;
    }
    at += size;
  }
  return true;
}

}  // namespace

TEST_CASE("Every sequence of one to three bytes is judged as Unicode defines it", "[json][utf8]") {
  for (uint32_t value = 0; value < 1u << 24; value += 1 + (value > 0xffff ? 6 : 0)) {
    const char bytes[3] = {static_cast<char>(value), static_cast<char>(value >> 8),
                           static_cast<char>(value >> 16)};
    const std::string_view text(bytes, value < 0x100 ? 1 : value < 0x10000 ? 2 : 3);
    if (is_valid_utf8(text) != is_well_formed_slowly(text)) FAIL("judged wrongly: " << value);
  }
}

TEST_CASE("Every sequence that begins with a four-byte lead is judged as Unicode defines it",
          "[json][utf8]") {
  for (unsigned lead = 0xf0; lead <= 0xff; ++lead) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const unsigned third : {0x00u, 0x7fu, 0x80u, 0xbfu, 0xc0u}) {
        for (const unsigned fourth : {0x00u, 0x7fu, 0x80u, 0xbfu, 0xc0u}) {
          const std::string text = {static_cast<char>(lead), static_cast<char>(second),
                                    static_cast<char>(third), static_cast<char>(fourth)};
          if (is_valid_utf8(text) != is_well_formed_slowly(text))
            FAIL("judged wrongly: " << lead << second);
        }
      }
    }
  }
}

TEST_CASE("An ill-formed byte is found at every place of a long text", "[json][utf8]") {
  const std::string good =
      "0123456789abcdef \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 0123456789abcdef";
  REQUIRE(is_valid_utf8(good));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = '\xff';
    REQUIRE_FALSE(is_valid_utf8(bad));
  }
}

TEST_CASE("Repair puts U+FFFD for each maximal subpart", "[json][utf8]") {
  const std::string fffd(kReplacementCharacter);
  REQUIRE(repair_utf8("plain \xc3\xa9") == "plain \xc3\xa9");
  REQUIRE(repair_utf8("") == "");
  REQUIRE(repair_utf8("a\x80z") == "a" + fffd + "z");
  REQUIRE(repair_utf8("\xc0\xaf") == fffd + fffd);
  REQUIRE(repair_utf8("\xe0\x80\xaf") == fffd + fffd + fffd);
  REQUIRE(repair_utf8("\xed\xa0\x80") == fffd + fffd + fffd);
  REQUIRE(repair_utf8("\xf4\x90\x80\x80") == fffd + fffd + fffd + fffd);
  REQUIRE(repair_utf8("\xe2\x82") == fffd);
  REQUIRE(repair_utf8("\xf0\x9f\x98z") == fffd + "z");
  REQUIRE(repair_utf8("\xf0\x9f\xe2\x82\xac") == fffd + "\xe2\x82\xac");
  // The example of the Unicode standard, table 3-8.
  REQUIRE(repair_utf8("a\xf1\x80\x80\xe1\x80\xc2"
                      "b\x80"
                      "c\x80\xbf"
                      "d") == "a" + fffd + fffd + fffd + "b" + fffd + "c" + fffd + fffd + "d");
}

TEST_CASE("Repaired text is always well-formed and well-formed text is never changed",
          "[json][utf8]") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 24, ' ');
    for (char& byte : text)
      byte = static_cast<char>(random() % 3 == 0 ? 'a' : 0x80 + random() % 0x80);
    const std::string repaired = repair_utf8(text);
    REQUIRE(is_well_formed_slowly(repaired));
    if (is_well_formed_slowly(text)) REQUIRE(repaired == text);
  }
}

}  // namespace posthaste::json
