#include "spool/operation_queue.h"

#include <catch2/catch.hpp>

#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

Finish delivered(uint64_t sequence) {
  return {sequence, {}};
}

template <typename Kind>
size_t count_of(const OperationQueue::Taken& taken) {
  size_t count = 0;
  for (const auto& [number, operation] : taken.operations) {
    if (std::holds_alternative<Kind>(operation)) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("Several outcomes of one batch between two commits are written once",
          "[spool][operation_queue]") {
  OperationQueue queue;
  RetryState retry;
  const uint64_t first = queue.push(Attempted{5, retry});
  queue.push(Attempted{6, retry});
  retry.attempts_count = 9;
  CHECK(queue.push(Attempted{5, retry}) == first);
  const auto taken = queue.take();
  REQUIRE(count_of<Attempted>(taken) == 2);
  CHECK(std::get<Attempted>(taken.operations.at(first)).retry.attempts_count == 9);
}

TEST_CASE("What comes after an operation was taken does not change it",
          "[spool][operation_queue]") {
  OperationQueue queue;
  RetryState retry;
  const uint64_t first = queue.push(Attempted{5, retry});
  auto taken = queue.take();
  retry.attempts_count = 2;
  const uint64_t second = queue.push(Attempted{5, retry});
  CHECK(second > first);
  SECTION("the commit works") {
    queue.done(taken);
    CHECK(queue.take().operations.count(second) == 1);
  }
  SECTION("the commit fails") {
    queue.put_back(std::move(taken));
    const auto again = queue.take();
    REQUIRE(again.operations.size() == 2);
    CHECK(again.operations.begin()->first == first);
    CHECK(again.last_number == second);
  }
}

TEST_CASE("A batch that is over before it was written leaves its cursor and its loss only",
          "[spool][operation_queue]") {
  OperationQueue queue;
  const uint64_t seal = queue.push(Seal{make_batch(1, {{100, 50}})});
  queue.push(Attempted{1, {}});
  const uint64_t cursor = queue.push(delivered(1));
  CHECK(cursor > seal);
  queue.push(Seal{make_batch(2, {{150, 50}})});
  queue.push(Finish{2, dropped({"w", 2, 1, 1})});
  const auto taken = queue.take();
  REQUIRE(taken.operations.size() == 2);
  const auto& advance = std::get<Advance>(taken.operations.at(cursor));
  CHECK(advance.sealed_to == 200);
  CHECK(advance.sequence == 2);
  CHECK(count_of<AddLoss>(taken) == 1);
}

TEST_CASE("While rows cannot be written the queue does not grow with batches that come and go",
          "[spool][operation_queue]") {
  OperationQueue queue;
  uint64_t most = 0;
  for (uint64_t i = 1; i <= 10'000; ++i) {
    queue.push(Seal{make_batch(i, {{i * 100, 100}})});
    queue.push(Attempted{i, {}});
    queue.push(SetLow{i * 100});
    queue.push(delivered(i));
    if (i % 100 == 0) queue.put_back(queue.take());
    most = std::max(most, queue.queued_bytes());
  }
  CHECK(most < 10'000);
  CHECK(queue.take().operations.size() == 2);
}

TEST_CASE("A dead letter needs its row even when that was not written yet",
          "[spool][operation_queue]") {
  OperationQueue queue;
  queue.push(Seal{make_batch(1, {{100, 50}})});
  queue.push(Finish{1, dead_lettered(at(1s))});
  CHECK(queue.take().operations.size() == 2);
}

TEST_CASE("Nothing of a group reaches the disk before all of it", "[spool][operation_queue]") {
  OperationQueue queue;
  const uint64_t low = queue.push(SetLow{10});
  queue.begin_group();
  queue.push(Seal{make_batch(1, {{100, 50}})});
  // Behind the seal, so it must not take the place of the low that goes first.
  CHECK(queue.push(SetLow{150}) > low);
  CHECK(queue.has_work());
  auto taken = queue.take();
  REQUIRE(taken.operations.size() == 1);
  CHECK(std::get<SetLow>(taken.operations.at(low)).low == 10);
  CHECK(taken.last_number == low);
  queue.done(taken);
  CHECK_FALSE(queue.has_work());
  CHECK_FALSE(queue.is_urgent());
  CHECK(queue.take().operations.empty());
  queue.push(SetRemoved{1});
  queue.end_group();
  CHECK(queue.is_urgent());
  CHECK(queue.take().operations.size() == 3);
}

TEST_CASE("Only what somebody waits for is urgent", "[spool][operation_queue]") {
  OperationQueue queue;
  queue.push(Attempted{1, {}});
  queue.push(delivered(1));
  queue.push(SetLow{1});
  queue.push(LossesReported{{"w", 1, 1, 1}});
  CHECK(queue.has_work());
  CHECK_FALSE(queue.is_urgent());
  queue.push(Seal{make_batch(1, {{100, 50}})});
  CHECK(queue.is_urgent());
  auto taken = queue.take();
  CHECK_FALSE(queue.is_urgent());
  queue.put_back(std::move(taken));
  CHECK(queue.is_urgent());
  queue.done(queue.take());
  CHECK(queue.queued_bytes() == 0);
}
