#include "spool/range_code.h"

#include <catch2/catch.hpp>
#include <limits>

#include "core/random.h"

using namespace posthaste;
using namespace posthaste::spool;

using Ranges = std::vector<core::StreamRange>;

TEST_CASE("Ranges come back as they were encoded", "[spool][range_code]") {
  core::Random random(7);
  for (int round = 0; round < 200; ++round) {
    Ranges ranges;
    core::StreamPosition position = 1 + random.below(1u << 30);
    for (uint64_t i = random.below(50); i > 0; --i) {
      ranges.push_back({position, 1 + random.below(100'000)});
      position = ranges.back().end() + random.below(1000);
    }
    const auto decoded = decode_ranges(encode_ranges(ranges));
    REQUIRE(decoded);
    REQUIRE(*decoded == ranges);
  }
}

TEST_CASE("A sparse batch of ten thousand events has a row of some forty kilobytes",
          "[spool][range_code]") {
  Ranges ranges;
  for (uint64_t i = 0; i < 10'000; ++i) ranges.push_back({1'000'000 + i * 50'000, 500});
  CHECK(encode_ranges(ranges).size() < 52'000);
}

TEST_CASE("Bytes that are no ranges are told from ranges", "[spool][range_code]") {
  const std::string good = encode_ranges({{1'000'000, 300}, {2'000'000, 70'000}});
  CHECK(decode_ranges(good));
  for (size_t size = 1; size < good.size(); ++size) {
    const auto cut = decode_ranges(std::string_view(good).substr(0, size));
    CHECK((!cut || cut->size() == 1));
  }
  CHECK_FALSE(decode_ranges(std::string("\x05\x00", 2)));           // an empty range
  CHECK_FALSE(decode_ranges(std::string(11, '\xff')));              // a number without an end
  CHECK_FALSE(decode_ranges(std::string(9, '\xff') + "\x7f\x01"));  // beyond 64 bits
  CHECK_FALSE(decode_ranges(std::string(8, '\xff') + "\x7f\x02"));  // ends beyond the stream
  CHECK(decode_ranges("")->empty());
}

TEST_CASE("A slice of ranges holds the same bytes", "[spool][range_code]") {
  const Ranges ranges = {{100, 10}, {200, 5}, {300, 20}};
  CHECK(slice_ranges(ranges, 0, 35) == ranges);
  CHECK(slice_ranges(ranges, 3, 4) == Ranges{{103, 4}});
  CHECK(slice_ranges(ranges, 8, 10) == Ranges{{108, 2}, {200, 5}, {300, 3}});
  CHECK(slice_ranges(ranges, 15, 20) == Ranges{{300, 20}});
  CHECK(total_size(ranges) == 35);
}

TEST_CASE("Ranges of another batch, or with a flipped bit, are not taken", "[spool][range_code]") {
  const Ranges ranges = {{100, 10}, {200, 5}};
  const std::string sealed = seal_ranges(7, "an id", ranges);
  CHECK(open_ranges(7, "an id", sealed) == ranges);
  CHECK_FALSE(open_ranges(8, "an id", sealed));
  CHECK_FALSE(open_ranges(7, "an ie", sealed));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string flipped = sealed;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    CHECK_FALSE(open_ranges(7, "an id", flipped));
  }
  CHECK(open_ranges(7, "an id", seal_ranges(7, "an id", {}))->empty());
  CHECK_FALSE(open_ranges(7, "an id", ""));
}
