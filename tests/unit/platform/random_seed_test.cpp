#include "platform/random_seed.h"

#include <catch2/catch.hpp>
#include <set>

TEST_CASE("Seeds differ from call to call and use all bits", "[platform][random_seed]") {
  std::set<uint64_t> seeds;
  uint64_t seen_ones = 0;
  uint64_t seen_zeros = 0;
  for (int i = 0; i < 200; ++i) {
    const uint64_t seed = posthaste::platform::random_seed();
    seeds.insert(seed);
    seen_ones |= seed;
    seen_zeros |= ~seed;
  }
  CHECK(seeds.size() == 200);
  CHECK(seen_ones == ~uint64_t{0});
  CHECK(seen_zeros == ~uint64_t{0});
}
