#include "config/value_text.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace posthaste::config;

TEST_CASE("A duration is digits and a unit", "[config][value_text]") {
  CHECK(parse_ms("500ms") == 500u);
  CHECK(parse_ms("30s") == 30'000u);
  CHECK(parse_ms("5m") == 300'000u);
  CHECK(parse_ms("5min") == 300'000u);
  CHECK(parse_ms("4h") == 14'400'000u);
  CHECK(parse_ms("1d") == 86'400'000u);
  CHECK(parse_ms("1.5h") == 5'400'000u);
  CHECK(parse_ms("0.001s") == 1u);
  CHECK(parse_ms("007s") == 7000u);
  CHECK(parse_ms("0") == 0u);
  CHECK(parse_ms("0s") == 0u);
}

TEST_CASE("A duration without a unit or with anything else in it is nothing",
          "[config][value_text]") {
  for (const char* text : {"",           "30",    "1",       "s",    "ms",   "-1s",       "+1s",
                           " 1s",        "1s ",   "1 s",     "1S",   "1MS",  "1sec",      "1.s",
                           ".5s",        "1..5s", "1.5.5s",  "1,5s", "1e3s", "0x1s",      "1h30m",
                           "1.0000001s", "0.5ms", "1.0001s", "00",   "\xff", "1\xc2\xb5s"}) {
    INFO(text);
    CHECK_FALSE(parse_ms(text));
  }
  CHECK_FALSE(parse_ms("18446744073709551616ms"));
  CHECK_FALSE(parse_ms("18446744073709551615s"));
  CHECK_FALSE(parse_ms("99999999999999999999999999999999d"));
  CHECK_FALSE(parse_ms(std::string_view("1\0s", 3)));
}

TEST_CASE("A duration is written in the largest unit that takes it whole", "[config][value_text]") {
  CHECK(format_ms(0) == "0s");
  CHECK(format_ms(1) == "1ms");
  CHECK(format_ms(1500) == "1500ms");
  CHECK(format_ms(30'000) == "30s");
  CHECK(format_ms(60'000) == "1m");
  CHECK(format_ms(90 * 60'000) == "90m");
  CHECK(format_ms(86'400'000) == "1d");
}

TEST_CASE("A size is digits and a binary unit", "[config][value_text]") {
  CHECK(parse_bytes("512B") == 512u);
  CHECK(parse_bytes("1KiB") == 1024u);
  CHECK(parse_bytes("1.5MiB") == 1'572'864u);
  CHECK(parse_bytes("64MiB") == 67'108'864u);
  CHECK(parse_bytes("1GiB") == 1'073'741'824u);
  CHECK(parse_bytes("2TiB") == 2'199'023'255'552u);
  CHECK(parse_bytes("0") == 0u);
  for (const char* text :
       {"", "64", "64M", "64MB", "64mib", "64 MiB", "-1MiB", "0.3KiB", "1.5B", "16777217TiB"}) {
    INFO(text);
    CHECK_FALSE(parse_bytes(text));
  }
}

TEST_CASE("A size is written in the largest unit that takes it whole", "[config][value_text]") {
  CHECK(format_bytes(0) == "0B");
  CHECK(format_bytes(1000) == "1000B");
  CHECK(format_bytes(1536) == "1536B");
  CHECK(format_bytes(64u << 20) == "64MiB");
  CHECK(format_bytes(uint64_t{1} << 40) == "1TiB");
}

TEST_CASE("Every duration and size reads back as it was written", "[config][value_text]") {
  for (uint64_t value = 1; value < (uint64_t{1} << 41); value = value * 3 + 1) {
    CHECK(parse_ms(format_ms(value)) == value);
    CHECK(parse_bytes(format_bytes(value)) == value);
  }
}

TEST_CASE("A count is decimal digits alone", "[config][value_text]") {
  CHECK(parse_count("0") == 0u);
  CHECK(parse_count("10000") == 10'000u);
  CHECK(parse_count("18446744073709551615") == std::numeric_limits<uint64_t>::max());
  for (const char* text :
       {"", "-1", "+1", "1.0", "1e3", "10k", " 1", "1 ", "0x10", "1,000", "18446744073709551616"}) {
    INFO(text);
    CHECK_FALSE(parse_count(text));
  }
}

TEST_CASE("A truth value has four spellings each way", "[config][value_text]") {
  for (const char* text : {"on", "true", "yes", "1"}) CHECK(parse_boolean(text) == true);
  for (const char* text : {"off", "false", "no", "0"}) CHECK(parse_boolean(text) == false);
  for (const char* text : {"", "On", "TRUE", "y", "2", "enabled"}) CHECK_FALSE(parse_boolean(text));
}

TEST_CASE("A list is split at commas and its items are trimmed", "[config][value_text]") {
  using Items = std::vector<std::string_view>;
  CHECK(split_list("a,b") == Items{"a", "b"});
  CHECK(split_list(" a b ,\tc ") == Items{"a b", "c"});
  CHECK(split_list("") == Items{""});
  CHECK(split_list("a,,b,") == Items{"a", "", "b", ""});
  CHECK(split_list("  ") == Items{""});
}

TEST_CASE("A quoted text has no control character, is UTF-8 and is short", "[config][value_text]") {
  CHECK(quote("") == "\"\"");
  CHECK(quote("a\nb\x7f") == "\"a?b?\"");
  CHECK(quote("gr\xc3\xbc\xc3\x9f\x65\xff") == "\"gr\xc3\xbc\xc3\x9f\x65?\"");
  CHECK(quote(std::string(64, 'x')) == "\"" + std::string(64, 'x') + "\"");
  CHECK(quote(std::string(65, 'x')) == "\"" + std::string(64, 'x') + "...\"");
}
