// The four hours of design 2a: when a batch's clock starts, stops, stands still, and ends.
#include <catch2/catch.hpp>

#include "unit/core/scheduler_harness.h"

using namespace posthaste::core;
using namespace posthaste::test;
using namespace std::chrono_literals;

TEST_CASE("A batch that only waits its turn at an answering endpoint does not age",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 40);
  for (size_t i = 0; i < 39; ++i) {
    CHECK(harness.attempt(*batches[i], kDelivered));
    harness.now += 10min;
    CHECK(harness.scheduler.expired(harness.now).empty());
  }
  CHECK(batches[39]->expires == kNever);
}

TEST_CASE("The clock starts at the first failed attempt", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  harness.now += 2h;
  CHECK(batch.expires == kNever);
  CHECK(harness.attempt(batch, kContent));
  CHECK(batch.expires == harness.now + 4h);
  const Instant expires = batch.expires;
  harness.now = batch.due;
  CHECK(harness.attempt(batch, kContent));
  CHECK(batch.expires == expires);
}

TEST_CASE("The clock starts when a batch has to wait because its endpoint is in trouble",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  harness.now += 1h;
  CHECK(harness.attempt(*batches[0], kMute));
  CHECK(batches[1]->expires == harness.now + 4h);
  harness.now += 30min;
  Batch& late = harness.add(endpoint);
  CHECK(late.expires == harness.now + 4h);
}

TEST_CASE("A batch is attempted until its four hours are over and then expires",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.attempt(batch, kContent));
  const Instant expires = batch.expires;
  CHECK(harness.scheduler.next_deadline(harness.now) == batch.due);
  while (batch.due < expires) {
    harness.now = batch.due;
    CHECK(harness.scheduler.expired(harness.now).empty());
    CHECK(harness.attempt(batch, kContent));
  }
  CHECK(harness.scheduler.next_deadline(harness.now) == expires);
  harness.now = expires - 1ns;
  CHECK(harness.scheduler.expired(harness.now).empty());
  harness.now = expires;
  CHECK(harness.scheduler.expired(harness.now) == std::vector<Batch*>{&batch});
  harness.finish_expired();
  CHECK(harness.scheduler.expired(harness.now).empty());
  CHECK(harness.scheduler.next_deadline(harness.now) == kNever);
  CHECK(endpoint.is_idle());
}

TEST_CASE("A batch in flight does not expire before its attempt ends", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.attempt(batch, kMute));
  harness.now = batch.expires - 1s;
  CHECK(harness.next() == &batch);
  harness.now += 6s;
  CHECK(harness.scheduler.expired(harness.now).empty());
  CHECK(harness.settle(batch, kMute).kind == Verdict::Kind::Expired);
  CHECK(harness.scheduler.batches().empty());
}

TEST_CASE("A last attempt that succeeds after the four hours is a delivery",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.attempt(batch, kMute));
  harness.now = batch.expires - 1s;
  CHECK(harness.next() == &batch);
  harness.now += 6s;
  CHECK(harness.settle(batch, kDelivered).kind == Verdict::Kind::Delivered);
}

TEST_CASE(
    "The clock stops when the endpoint recovers and the batch has no failed attempt of its own, "
    "and starts afresh next time",
    "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 3);
  CHECK(harness.attempt(*batches[0], kMute));
  CHECK(batches[2]->expires == harness.now + 4h);
  harness.now += 3h;
  CHECK(harness.attempt(*batches[0], kDelivered));
  CHECK(batches[1]->expires == kNever);
  CHECK(batches[2]->expires == kNever);

  harness.now += 2h;
  CHECK(harness.scheduler.expired(harness.now).empty());
  CHECK(harness.attempt(*batches[1], kMute));
  CHECK(batches[2]->expires == harness.now + 4h);
}

TEST_CASE(
    "The clock of a batch with a failed attempt of its own goes on when the endpoint recovers",
    "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(harness.attempt(*batches[0], kMute));
  const Instant expires = batches[0]->expires;
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[0], kMute));
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[1], kDelivered));
  CHECK_FALSE(endpoint.is_in_trouble);
  CHECK(batches[0]->expires == expires);
  harness.now = expires;
  CHECK(harness.scheduler.expired(harness.now).size() == 1);
}

TEST_CASE("Nothing goes out while a webhook is paused, and it goes on with resume",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  harness.scheduler.hold(endpoint, true, harness.now);
  CHECK(harness.next() == nullptr);
  harness.add(endpoint);
  CHECK(harness.next() == nullptr);
  CHECK(harness.scheduler.next_deadline(harness.now) == kNever);
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(harness.attempt(*batches[0], kDelivered));
  CHECK(harness.attempt(*batches[1], kDelivered));
}

TEST_CASE("The clock stands still while a webhook is paused and goes on with resume",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(harness.attempt(*batches[0], kContent));
  CHECK(harness.attempt(*batches[1], kMute));
  harness.now += 1h;
  harness.scheduler.hold(endpoint, true, harness.now);
  CHECK(harness.scheduler.next_deadline(harness.now) == kNever);
  harness.now += 100h;
  CHECK(harness.scheduler.expired(harness.now).empty());
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(batches[0]->expires == harness.now + 3h);
  CHECK(batches[1]->expires == harness.now + 3h);
  harness.now += 3h;
  CHECK(harness.scheduler.expired(harness.now).size() == 2);
}

TEST_CASE("Pausing twice is pausing once", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.attempt(batch, kMute));
  harness.now += 1h;
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.now += 1h;
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.now += 1h;
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(batch.expires == harness.now + 3h);
  harness.scheduler.hold(endpoint, false, harness.now + 1h);
  CHECK(batch.expires == harness.now + 3h);
}

TEST_CASE("The clock of a batch in trouble alone stands still while its webhook is paused",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.attempt(batch, kContent));
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.now += 10h;
  CHECK(harness.next() == nullptr);
  CHECK(harness.scheduler.expired(harness.now).empty());
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(batch.expires == harness.now + 4h);
  CHECK(harness.next() == &batch);
}

TEST_CASE("A batch whose attempt fails while its webhook is paused waits with a standing clock",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.next() == &batch);
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.settle(batch, kMute);
  harness.now += 10h;
  CHECK(harness.next() == nullptr);
  CHECK(harness.scheduler.expired(harness.now).empty());
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(batch.expires == harness.now + 4h);
  CHECK(harness.next() == &batch);
}

TEST_CASE("A batch sealed while its webhook is paused in trouble has its whole four hours left",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  CHECK(harness.attempt(harness.add(endpoint), kMute));
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.now += 1h;
  Batch& late = harness.add(endpoint);
  harness.now += 5h;
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(late.expires == harness.now + 4h);
}

TEST_CASE("A batch that was never attempted has no clock after a pause",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.now += 10h;
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(batch.expires == kNever);
  CHECK(harness.attempt(batch, kDelivered));
}
