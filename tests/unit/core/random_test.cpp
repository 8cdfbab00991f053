#include "core/random.h"

#include <array>
#include <catch2/catch.hpp>
#include <set>

using namespace posthaste::core;

TEST_CASE("Random repeats from its seed", "[core][random]") {
  Random first(42);
  Random second(42);
  Random other(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = first.next();
    CHECK(value == second.next());
    differs = differs || value != other.next();
  }
  CHECK(differs);
}

TEST_CASE("Random is SplitMix64", "[core][random]") {
  // The first outputs of the published generator for seed 0.
  Random random(0);
  CHECK(random.next() == 0xe220a8397b1dcdafu);
  CHECK(random.next() == 0x6e789e6aa1b965f4u);
  CHECK(random.next() == 0x06c45d188009454fu);
}

TEST_CASE("Random numbers below a bound take every value and no other", "[core][random]") {
  Random random(1);
  std::array<int, 10> counts{};
  for (int i = 0; i < 10'000; ++i) ++counts.at(random.below(10));
  for (const int count : counts) {
    CHECK(count > 800);
    CHECK(count < 1200);
  }
  CHECK(random.below(1) == 0);
}

TEST_CASE("Neighbouring seeds give unrelated numbers", "[core][random]") {
  std::set<uint64_t> firsts;
  for (uint64_t seed = 0; seed < 1000; ++seed) firsts.insert(Random(seed).next());
  CHECK(firsts.size() == 1000);
}
