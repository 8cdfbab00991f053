// The numbers of parts (core/batch.h).
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "core/batch.h"

using namespace posthaste::core;

namespace {

struct Part {
  uint32_t first;
  uint32_t count;
};

// Takes everything apart, down to single events.
void halve(uint64_t family, const Part& part, std::set<uint64_t>& seen,
           std::vector<uint64_t>& order) {
  const uint64_t sequence = sequence_of_part(family, part.first, part.count);
  CHECK(seen.insert(sequence).second);
  CHECK(is_part(sequence));
  CHECK(family_of(sequence) == family);
  CHECK(first_event_of(sequence, part.count) == part.first);
  if (part.count == 1) {
    order.push_back(sequence);
    return;
  }
  const uint32_t half = part.count / 2;
  halve(family, {part.first, half}, seen, order);
  halve(family, {part.first + half, part.count - half}, seen, order);
}

}  // namespace

TEST_CASE("No number of a part comes twice, and parts are in the order of their events",
          "[core][batch]") {
  for (const uint32_t count : {2u, 3u, 7u, 64u, 1000u}) {
    const uint64_t family = 5 * kSequenceStride;
    std::set<uint64_t> seen{family};
    std::vector<uint64_t> order;
    halve(family, {0, count / 2}, seen, order);
    halve(family, {count / 2, count - count / 2}, seen, order);
    CHECK(order.size() == count);
    CHECK(std::is_sorted(order.begin(), order.end()));
  }
}

TEST_CASE("The largest batch that can be configured has room for the numbers of its parts",
          "[core][batch]") {
  const uint64_t last = sequence_of_part(kSequenceStride, 999'999, 1);
  CHECK(family_of(last) == kSequenceStride);
  CHECK(sequence_after(last) == 2 * kSequenceStride);
  CHECK(first_event_of(last, 1) == 999'999);
}

TEST_CASE("A whole batch is its own family and no part", "[core][batch]") {
  CHECK_FALSE(is_part(3 * kSequenceStride));
  CHECK(family_of(3 * kSequenceStride) == 3 * kSequenceStride);
  CHECK(first_event_of(3 * kSequenceStride, 17) == 0);
  CHECK(sequence_after(0) == kSequenceStride);
}
