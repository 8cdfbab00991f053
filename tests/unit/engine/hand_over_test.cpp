#include "engine/hand_over.h"

#include <catch2/catch.hpp>

#include "unit/core/fake_block.h"

using namespace posthaste;
using engine::EventRange;
using engine::HandOver;

TEST_CASE("Ranges are handed over in order, and a block's reference goes with its end",
          "[engine][hand_over]") {
  test::FakeBlock block;
  for (int i = 0; i < 3; ++i) block.add(0, "{},");
  block.retain();
  HandOver hand_over;
  hand_over.put({{&block, {0, 1, 10}, false}});
  hand_over.put({{&block, {1, 2, 13}, true}});
  CHECK(hand_over.waiting_bytes() == 9);
  CHECK_FALSE(hand_over.prepare_wait(true));
  EventRange range;
  REQUIRE(hand_over.read(range));
  CHECK(range.run.position == 10);
  hand_over.consumed(range);
  CHECK(block.references_count() == 1);
  REQUIRE(hand_over.read(range));
  CHECK(range.run.count == 2);
  hand_over.consumed(range);
  CHECK(block.references_count() == 0);
  CHECK(hand_over.waiting_bytes() == 0);
  CHECK_FALSE(hand_over.read(range));
  CHECK(hand_over.prepare_wait(true));
}

TEST_CASE("It is drained when nothing follows and everything was read", "[engine][hand_over]") {
  test::FakeBlock block;
  block.add(0, "{},");
  block.retain();
  HandOver hand_over;
  hand_over.put({{&block, {0, 1, 10}, true}});
  CHECK_FALSE(hand_over.is_drained());
  hand_over.finish();
  CHECK_FALSE(hand_over.is_drained());
  EventRange range;
  REQUIRE(hand_over.read(range));
  CHECK_FALSE(hand_over.is_drained());
  hand_over.consumed(range);
  CHECK(hand_over.is_drained());
}
