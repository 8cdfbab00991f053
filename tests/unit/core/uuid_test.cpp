#include "core/uuid.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <utility>

using namespace posthaste::core;

namespace {

bool has_uuid_form(const std::string& text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-'
                : std::string_view("0123456789abcdef").find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

// The 60-bit time of a version 1 UUID.
uint64_t ticks_of(const std::string& text) {
  const std::string hex = text.substr(15, 3) + text.substr(9, 4) + text.substr(0, 8);
  return std::stoull(hex, nullptr, 16);
}

}  // namespace

TEST_CASE("A version 1 UUID is laid out as in RFC 9562", "[core][uuid]") {
  // Appendix A.1: 2022-02-22 19:22:22 UTC.
  Random random(1);
  UuidSource source(random);
  const std::string uuid = source.next(WallTime(std::chrono::seconds(1'645'557'742)));
  CHECK(has_uuid_form(uuid));
  CHECK(uuid.substr(0, 19) == "c232ab00-9414-11ec-");
  CHECK(std::string_view("89ab").find(uuid[19]) != std::string_view::npos);
}

TEST_CASE("The node of a version 1 UUID is random and says so", "[core][uuid]") {
  std::set<std::string> nodes;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    UuidSource source(random);
    const std::string node = source.next(WallTime{}).substr(24);
    // Section 6.10: the least significant bit of the first octet is set.
    CHECK((std::stoul(node.substr(0, 2), nullptr, 16) & 1u) == 1u);
    nodes.insert(node);
  }
  CHECK(nodes.size() == 100);
}

TEST_CASE("Version 1 UUIDs of one source grow, whatever the clock does", "[core][uuid]") {
  Random random(2);
  UuidSource source(random);
  const WallTime start(std::chrono::seconds(1'772'323'200));
  uint64_t last = 0;
  for (int i = 0; i < 10'000; ++i) {
    // Stands still, jumps ahead, and is set back.
    const WallTime now = start + std::chrono::seconds(i % 7 == 3 ? 100 : i % 5 == 2 ? -3600 : 0);
    const std::string uuid = source.next(now);
    REQUIRE(has_uuid_form(uuid));
    REQUIRE(uuid[14] == '1');
    const uint64_t ticks = ticks_of(uuid);
    REQUIRE(ticks > last);
    last = ticks;
  }
}

TEST_CASE("A time before 1970 still gives a version 1 UUID", "[core][uuid]") {
  Random random(3);
  UuidSource source(random);
  const std::string uuid = source.next(WallTime(-std::chrono::hours(24)));
  CHECK(has_uuid_form(uuid));
  CHECK(ticks_of(uuid) == 0x01b21dd213814000u);
}

TEST_CASE("The UUID of a name is version 5 in Posthaste's name space", "[core][uuid]") {
  // Made once by another implementation (Python's uuid.uuid5) from the same name space. The sizes
  // stand on both sides of SHA-1's block and padding borders.
  const std::pair<std::string, const char*> names[] = {
      {"", "f660ba49-6524-5ae8-92aa-237e5858f5d0"},
      {"a", "52b49db4-a3ef-5c7b-b523-5f4a1be453ea"},
      {"Mail events\n0", "28801912-8651-5363-9f2a-74683ef53f1a"},
      {"https://example.com/hook\n1", "d111a66f-54a0-5187-b434-2e23c0edd7b4"},
      {"\xc3\xbc", "28c48d8d-06c0-5c45-956b-53add57bf272"},
      {std::string(39, 'x'), "3f4a6140-3b51-5582-a487-208ca9a28fc1"},
      {std::string(40, 'x'), "d9696983-da65-5110-a19d-ecf3fc57314d"},
      {std::string(47, 'x'), "0d893b07-a001-5314-bc8f-d2906ea49f50"},
      {std::string(48, 'x'), "6bcf8c4e-beb2-5196-b873-e2d28655cbea"},
      {std::string(49, 'x'), "4845215f-ae46-5f2f-b179-50aeb5668cef"},
      {std::string(112, 'x'), "696d547f-cd45-5a7f-a826-170975e9299b"},
      {std::string(1000, 'x'), "9fc199c6-d449-5fb7-874c-23db5273281d"},
  };
  for (const auto& [name, expected] : names) {
    INFO(name);
    CHECK(uuid_of_name(name) == expected);
  }
}
