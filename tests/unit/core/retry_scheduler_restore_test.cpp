// Batches from before a restart (design 2a, "The four hours").
#include <catch2/catch.hpp>

#include "unit/core/scheduler_harness.h"

using namespace posthaste::core;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

// As it was kept: so many failures, and so long until its clock runs out.
Batch& restore(SchedulerHarness& harness, Endpoint& endpoint, uint64_t sequence,
               uint32_t failures_count, Duration left) {
  auto batch = std::make_unique<Batch>();
  batch->id = std::to_string(sequence);
  batch->sequence = sequence * kSequenceStride;
  batch->failures_count = failures_count;
  batch->attempts_count = failures_count;
  batch->expires = harness.now + left;
  return harness.scheduler.restore(std::move(batch), endpoint, harness.now);
}

}  // namespace

TEST_CASE("Restored batches go in the order of sealing, and new ones behind them",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& first = restore(harness, endpoint, 40, 1, 1h);
  Batch& second = restore(harness, endpoint, 41, 0, 1h);
  Batch& fresh = harness.add(endpoint);
  CHECK(fresh.sequence == 42 * kSequenceStride);
  CHECK(harness.attempt(first, kDelivered));
  CHECK(harness.attempt(second, kDelivered));
  CHECK(harness.attempt(fresh, kDelivered));
}

TEST_CASE("After a restart nothing of an endpoint expires before its first outcome",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& overdue = restore(harness, endpoint, 1, 1, -1h);
  Batch& other = restore(harness, endpoint, 2, 1, -1h);
  CHECK(harness.scheduler.expired(harness.now + 100h).empty());
  REQUIRE(harness.next() == &overdue);
  CHECK(harness.settle(overdue, kMute).kind == Verdict::Kind::Expired);
  CHECK(harness.scheduler.expired(harness.now) == std::vector<Batch*>{&other});
}

TEST_CASE("When the first outcome after a restart is a 2xx each overdue batch gets one attempt",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& first = restore(harness, endpoint, 1, 1, -1h);
  Batch& overdue = restore(harness, endpoint, 2, 1, -1h);
  Batch& waited = restore(harness, endpoint, 3, 0, -1h);
  Batch& young = restore(harness, endpoint, 4, 1, 1h);
  CHECK(harness.attempt(first, kDelivered));
  CHECK(harness.scheduler.expired(harness.now + 59min).empty());
  CHECK(harness.scheduler.expired(harness.now + 1h) == std::vector<Batch*>{&young});
  // It only waited for its endpoint, which is well: its clock stands.
  CHECK(waited.expires == kNever);
  REQUIRE(harness.next() == &overdue);
  CHECK(harness.settle(overdue, kContent).kind == Verdict::Kind::Expired);
  CHECK(harness.attempt(waited, kDelivered));
}

TEST_CASE("A restored batch in trouble by itself waits until it is due and lets others pass",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  auto owned = std::make_unique<Batch>();
  owned->sequence = kSequenceStride;
  owned->failures_count = owned->content_failures_count = 1;
  owned->due = harness.now + 10s;
  owned->expires = harness.now + 1h;
  Batch& troubled = harness.scheduler.restore(std::move(owned), endpoint, harness.now);
  Batch& other = restore(harness, endpoint, 2, 0, 1h);
  CHECK(harness.attempt(other, kDelivered));
  CHECK(harness.next() == nullptr);
  CHECK(harness.scheduler.next_deadline(harness.now) == harness.now + 10s);
  harness.now += 10s;
  CHECK(harness.attempt(troubled, kDelivered));
}
