// What batches pin and what they copy (design section 2, "Reference when dense, copy when sparse").
#include <catch2/catch.hpp>
#include <deque>
#include <memory>

#include "core/batcher.h"
#include "core/limits.h"
#include "unit/core/fake_block.h"

using namespace posthaste::core;
using namespace std::chrono_literals;
using posthaste::test::FakeBlock;

namespace {

constexpr Instant kNow{1000s};
constexpr EventTypeId kCommon = 1;
constexpr EventTypeId kRare = 2;

const std::string kRecord = std::string(499, 'x') + ",";

TypeSet only(EventTypeId type) {
  return TypeSet().set(type);
}

std::unique_ptr<FakeBlock> full_block(uint64_t sequence, int rare_at = -1) {
  auto block = std::make_unique<FakeBlock>(sequence);
  for (int i = 0; i < 2000; ++i) block->add(i == rare_at ? kRare : kCommon, kRecord, kNow);
  return block;
}

}  // namespace

TEST_CASE("A dense open batch refers to its segments and copies nothing", "[core][batcher]") {
  const auto block = full_block(1);
  const DeliverySettings settings;
  Batcher batcher;
  Subscriber subscriber;
  subscriber.settings = &settings;
  batcher.subscribe(subscriber, only(kCommon));
  batcher.route(*block, block->all());
  batcher.block_ended(*block, block->size_bytes());
  CHECK(block->references_count() == 1);
  CHECK(batcher.owned_bytes() == 0);
  batcher.seal(subscriber);
  CHECK(batcher.take_sealed().at(0).body.owned_bytes() == 0);
}

TEST_CASE("A sparse open batch copies its few records out when the segment ends",
          "[core][batcher]") {
  const auto block = full_block(1, 700);
  const DeliverySettings settings;
  Batcher batcher;
  Subscriber subscriber;
  subscriber.settings = &settings;
  batcher.subscribe(subscriber, only(kRare));
  batcher.route(*block, block->all());
  CHECK(block->references_count() == 1);
  batcher.block_ended(*block, block->size_bytes());
  CHECK_FALSE(block->is_used());
  CHECK(batcher.owned_bytes() == kRecord.size());
  CHECK(subscriber.open.events_count() == 1);
}

TEST_CASE("The share of a segment decides between slice and copy", "[core][batcher]") {
  const DeliverySettings settings;
  const uint32_t eighth = 2000 / kSparseShare;
  for (const uint32_t taken : {eighth - 1, eighth}) {
    FakeBlock block;
    Batcher batcher;
    Subscriber subscriber;
    subscriber.settings = &settings;
    batcher.subscribe(subscriber, only(kCommon));
    for (uint32_t i = 0; i < 2000; ++i) block.add(i < taken ? kCommon : kRare, kRecord, kNow);
    batcher.route(block, block.all());
    batcher.block_ended(block, block.size_bytes());
    CHECK(block.is_used() == (taken == eighth));
  }
}

TEST_CASE("A webhook that wants one event in a million never pins megabytes", "[core][batcher]") {
  DeliverySettings settings;
  settings.batch_max_age = 24h;
  Batcher batcher;
  Subscriber dense;
  Subscriber sparse;
  dense.settings = &settings;
  sparse.settings = &settings;
  batcher.subscribe(dense, only(kCommon));
  batcher.subscribe(sparse, only(kRare));
  for (uint64_t number = 1; number <= 500; ++number) {
    auto block = full_block(number, number % 100 == 1 ? 5 : -1);
    batcher.route(*block, block->all());
    batcher.block_ended(*block, block->size_bytes());
    CHECK(sparse.open.oldest_sequence() == ~uint64_t{0});
    batcher.seal(dense);
    (void)batcher.take_sealed();
    CHECK_FALSE(block->is_used());
  }
  CHECK(sparse.open.events_count() == 5);
  CHECK(batcher.owned_bytes() == 5 * kRecord.size());
}

TEST_CASE("Fan-out to a thousand webhooks costs slices, not bytes", "[core][batcher]") {
  const auto block = full_block(1);
  const DeliverySettings settings;
  Batcher batcher;
  std::deque<Subscriber> subscribers(1000);
  for (Subscriber& subscriber : subscribers) {
    subscriber.settings = &settings;
    batcher.subscribe(subscriber, only(kCommon));
  }
  batcher.route(*block, block->all());
  batcher.block_ended(*block, block->size_bytes());
  CHECK(batcher.owned_bytes() == 0);
  CHECK(block->references_count() == 1000);
  for (Subscriber& subscriber : subscribers) batcher.seal(subscriber);
  for (const Sealed& sealed : batcher.take_sealed()) CHECK(sealed.body.owned_bytes() == 0);
}

TEST_CASE("A sparse open batch keeps its slices when copies are not allowed", "[core][batcher]") {
  const auto block = full_block(1, 700);
  const DeliverySettings settings;
  uint64_t asked_bytes = 0;
  Batcher batcher([&](const Subscriber&, uint64_t size_bytes) {
    asked_bytes = size_bytes;
    return false;
  });
  Subscriber subscriber;
  subscriber.settings = &settings;
  batcher.subscribe(subscriber, only(kRare));
  batcher.route(*block, block->all());
  batcher.block_ended(*block, block->size_bytes());
  CHECK(asked_bytes == kRecord.size());
  CHECK(block->is_used());
  CHECK(batcher.owned_bytes() == 0);
}

TEST_CASE("A webhook that was sealed in the middle of a segment still lets it go",
          "[core][batcher]") {
  const auto block = full_block(1);
  DeliverySettings settings;
  settings.batch_max_events = 1990;
  Batcher batcher;
  Subscriber subscriber;
  subscriber.settings = &settings;
  batcher.subscribe(subscriber, only(kCommon));
  batcher.route(*block, block->all());
  CHECK(batcher.take_sealed().size() == 1);
  CHECK(subscriber.open.events_count() == 10);
  batcher.block_ended(*block, block->size_bytes());
  CHECK_FALSE(block->is_used());
  CHECK(batcher.owned_bytes() == 10 * kRecord.size());
}

TEST_CASE("Detaching an open batch frees its segments and keeps its events", "[core][batcher]") {
  const auto block = full_block(1);
  const DeliverySettings settings;
  Batcher batcher;
  Subscriber subscriber;
  subscriber.settings = &settings;
  batcher.subscribe(subscriber, only(kCommon));
  batcher.route(*block, block->all());
  batcher.detach(subscriber);
  CHECK_FALSE(block->is_used());
  CHECK(batcher.owned_bytes() == block->size_bytes());
  batcher.seal(subscriber);
  CHECK(batcher.owned_bytes() == 0);
  CHECK(batcher.take_sealed().at(0).body.owned_bytes() == block->size_bytes());
}
