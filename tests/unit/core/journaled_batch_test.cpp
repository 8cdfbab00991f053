// What durable mode asks of batches and batcher: places in the journal beside the bytes.
#include <catch2/catch.hpp>
#include <deque>
#include <string>

#include "core/batch_body.h"
#include "core/batcher.h"
#include "unit/core/fake_block.h"

using namespace posthaste::core;
using namespace std::chrono_literals;
using posthaste::test::FakeBlock;

namespace {

constexpr Instant kNow{1000s};
constexpr uint64_t kSize = 8;  // of each record

void add_records(FakeBlock& block, int count, EventTypeId type = 0) {
  for (int i = 0; i < count; ++i) block.add(type, "{\"m\":1},", kNow);
}

struct Harness {
  FakeBlock block;
  DeliverySettings settings;
  Batcher batcher;
  std::deque<Subscriber> subscribers;

  Subscriber& add(size_t type) {
    Subscriber& subscriber = subscribers.emplace_back();
    subscriber.settings = &settings;
    TypeSet types;
    types.set(type);
    batcher.subscribe(subscriber, types);
    return subscriber;
  }
};

}  // namespace

TEST_CASE("A batch knows its places in the journal, neighbours joined", "[core][batch_body]") {
  FakeBlock block;
  add_records(block, 10);
  BatchBody body;
  body.append(block, {0, 2, 100});
  body.append(block, {2, 1, 100 + 2 * kSize});
  body.append(block, {5, 2, 100 + 5 * kSize});
  CHECK(body.is_journaled());
  CHECK(body.ranges() == std::vector<StreamRange>{{100, 3 * kSize}, {100 + 5 * kSize, 2 * kSize}});
}

TEST_CASE("A batch with one record that is not in the journal is not journaled",
          "[core][batch_body]") {
  FakeBlock block;
  add_records(block, 3);
  BatchBody body;
  body.append(block, {0, 2, 100});
  body.append(block, {2, 1, 0});
  CHECK_FALSE(body.is_journaled());
}

TEST_CASE("A batch that lets its bytes go keeps size, count and places, and takes more",
          "[core][batch_body]") {
  FakeBlock block;
  add_records(block, 3);
  BatchBody body;
  body.append(block, {0, 2, 100});
  body.release();
  CHECK(block.references_count() == 0);
  body.append(block, {2, 1, 100 + 2 * kSize});
  CHECK(block.references_count() == 0);
  CHECK(body.is_released());
  CHECK(body.owned_bytes() == 0);
  CHECK(body.oldest_sequence() == ~uint64_t{0});
  CHECK(body.events_count() == 3);
  CHECK(body.size_bytes() == 3 * kSize + 1);
  CHECK(body.ranges() == std::vector<StreamRange>{{100, 3 * kSize}});
}

TEST_CASE("Recovery routes each webhook from its own cursor", "[core][batcher]") {
  Harness harness;
  Subscriber& early = harness.add(0);
  Subscriber& late = harness.add(0);
  late.takes_from = 100 + 4 * kSize;
  add_records(harness.block, 6);
  harness.batcher.route(harness.block, {0, 3, 100});
  harness.batcher.route(harness.block, {3, 3, 100 + 3 * kSize});
  CHECK(early.open.events_count() == 6);
  CHECK(late.open.ranges() == std::vector<StreamRange>{{100 + 4 * kSize, 2 * kSize}});
}

TEST_CASE("The low position is that of the first record of any open batch", "[core][batcher]") {
  Harness harness;
  Subscriber& first = harness.add(0);
  harness.add(1);
  add_records(harness.block, 2, 1);
  add_records(harness.block, 2, 0);
  add_records(harness.block, 1, 7);
  CHECK(harness.batcher.low_position(100) == 100);
  harness.batcher.route(harness.block, {0, 5, 100});
  const StreamPosition routed = 100 + 5 * kSize;
  CHECK(harness.batcher.low_position(routed) == 100);
  harness.batcher.seal(harness.subscribers[1]);
  CHECK(harness.batcher.low_position(routed) == 100 + 2 * kSize);
  harness.batcher.seal(first);
  CHECK(harness.batcher.low_position(routed) == routed);
}

TEST_CASE("Records of a type that nobody defines any more concern nobody", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(0);
  add_records(harness.block, 2, kUnknownEventType);
  harness.batcher.route(harness.block, {0, 2, 100});
  CHECK(subscriber.open.events_count() == 0);
  CHECK(harness.batcher.unwanted_count() == 2);
}
