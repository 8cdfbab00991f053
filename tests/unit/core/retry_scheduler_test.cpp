#include "core/retry_scheduler.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "unit/core/scheduler_harness.h"

using namespace posthaste::core;
using namespace posthaste::test;
using namespace std::chrono_literals;

TEST_CASE("A healthy endpoint's batches go in the order of sealing", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 5);
  for (Batch* batch : batches) CHECK(harness.attempt(*batch, kDelivered));
  CHECK(harness.next() == nullptr);
  CHECK(endpoint.is_idle());
  CHECK(harness.scheduler.batches().empty());
}

TEST_CASE("Never more than max in flight of an endpoint", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.settings.request_max_in_flight = 3;
  const auto batches = harness.add(endpoint, 5);
  for (size_t i = 0; i < 3; ++i) CHECK(harness.next() == batches[i]);
  CHECK(harness.next() == nullptr);
  harness.settle(*batches[1], kDelivered);
  CHECK(harness.next() == batches[3]);
  CHECK(harness.next() == nullptr);
}

TEST_CASE("A limit of requests in flight is that of now", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 3);
  CHECK(harness.next() == batches[0]);
  CHECK(harness.next() == nullptr);
  DeliverySettings wider = harness.settings;
  wider.request_max_in_flight = 2;
  endpoint.settings = &wider;
  harness.scheduler.settings_changed(endpoint, harness.now);
  CHECK(harness.next() == batches[1]);
  CHECK(harness.next() == nullptr);
}

TEST_CASE("Never more than the greatest number of connections", "[core][retry_scheduler]") {
  SchedulerHarness harness(4);
  std::vector<Batch*> running;
  for (int i = 0; i < 6; ++i) harness.add(harness.endpoint());
  while (Batch* batch = harness.next()) running.push_back(batch);
  CHECK(running.size() == 4);
  CHECK(harness.scheduler.in_flight_count() == 4);
  harness.scheduler.connections_changed(5);
  CHECK(harness.next() != nullptr);
  CHECK(harness.next() == nullptr);
  harness.settle(*running[0], kDelivered);
  CHECK(harness.next() != nullptr);
}

TEST_CASE("Endpoints take turns", "[core][retry_scheduler]") {
  SchedulerHarness harness(1);
  std::vector<Endpoint*> endpoints;
  for (int i = 0; i < 3; ++i) {
    endpoints.push_back(&harness.endpoint());
    harness.add(*endpoints.back(), 4);
  }
  for (int i = 0; i < 12; ++i) {
    Batch* const batch = harness.next();
    REQUIRE(batch);
    CHECK(batch->endpoint == endpoints[static_cast<size_t>(i % 3)]);
    harness.settle(*batch, kDelivered);
  }
}

TEST_CASE("Batches of an endpoint in trouble wait behind one probe that backs off",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.settings.request_max_in_flight = 4;
  const auto batches = harness.add(endpoint, 6);
  for (size_t i = 0; i < 4; ++i) CHECK(harness.next() == batches[i]);
  const Verdict verdict = harness.settle(*batches[0], kMute);
  CHECK(verdict.kind == Verdict::Kind::Retry);
  CHECK(verdict.endpoint_fell);
  CHECK(verdict.next_try == harness.now + 1s);
  CHECK_FALSE(harness.settle(*batches[1], kMute).endpoint_fell);
  harness.settle(*batches[2], kMute);
  harness.settle(*batches[3], kMute);
  CHECK(harness.next() == nullptr);

  // The failures of those that were on their way already do not lengthen the backoff.
  Duration delay = 1s;
  for (int i = 0; i < 12; ++i) {
    CHECK(harness.scheduler.next_deadline(harness.now) == harness.now + delay);
    harness.now += delay - 1ns;
    CHECK(harness.next() == nullptr);
    harness.now += 1ns;
    Batch* const probe = harness.next();
    REQUIRE(probe);
    CHECK(probe->is_probe);
    CHECK(harness.next() == nullptr);
    harness.settle(*probe, kMute);
    delay = std::min<Duration>(delay * 2, 5min);
  }
}

TEST_CASE("Probes go round robin over the three oldest batches", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 5);
  CHECK(harness.attempt(*batches[0], kMute));
  for (size_t i = 0; i < 9; ++i) {
    harness.now = endpoint.probe_due;
    INFO("probe " << i);
    CHECK(harness.attempt(*batches[i % 3], kMute));
  }
}

TEST_CASE("With fewer than three batches the probes take turns over those there are",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(harness.attempt(*batches[0], kMute));
  for (size_t i = 0; i < 6; ++i) {
    harness.now = endpoint.probe_due;
    CHECK(harness.attempt(*batches[i % 2], kMute));
  }
}

TEST_CASE("One poisonous batch cannot hold the rest of an endpoint in trouble",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 4);
  CHECK(harness.attempt(*batches[0], kMute));
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[0], kContent));
  harness.now = endpoint.probe_due;
  REQUIRE(harness.next() == batches[1]);
  CHECK(harness.settle(*batches[1], kDelivered).endpoint_recovered);
  CHECK(harness.attempt(*batches[2], kDelivered));
}

TEST_CASE("Any 2xx ends the trouble, and the rest drains in order", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 6);
  CHECK(harness.attempt(*batches[0], kMute));
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[0], kMute));
  harness.now = endpoint.probe_due;
  REQUIRE(harness.next() == batches[1]);
  const Verdict verdict = harness.settle(*batches[1], kDelivered);
  CHECK(verdict.endpoint_recovered);
  CHECK_FALSE(endpoint.is_in_trouble);
  for (const size_t i : {0u, 2u, 3u, 4u, 5u}) CHECK(harness.attempt(*batches[i], kDelivered));
  CHECK(endpoint.is_idle());
}

TEST_CASE("A success that was on its way when the endpoint fell ends the trouble, too",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  harness.settings.request_max_in_flight = 2;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 4);
  CHECK(harness.next() == batches[0]);
  CHECK(harness.next() == batches[1]);
  CHECK(harness.settle(*batches[0], kMute).endpoint_fell);
  CHECK(harness.settle(*batches[1], kDelivered).endpoint_recovered);
  CHECK(harness.next() == batches[0]);
  CHECK(harness.next() == batches[2]);
}

TEST_CASE("The backoff starts afresh with the next trouble", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 3);
  CHECK(harness.attempt(*batches[0], kMute));
  for (int i = 0; i < 5; ++i) {
    harness.now = endpoint.probe_due;
    harness.settle(*harness.next(), kMute);
  }
  harness.now = endpoint.probe_due;
  harness.settle(*harness.next(), kDelivered);
  Batch* const again = harness.next();
  REQUIRE(again);
  CHECK(harness.settle(*again, kMute).next_try == harness.now + 1s);
}

TEST_CASE("A batch in trouble alone backs off, and others pass it", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 3);
  REQUIRE(harness.next() == batches[0]);
  const Verdict verdict = harness.settle(*batches[0], kContent);
  CHECK(verdict.next_try == harness.now + 1s);
  CHECK_FALSE(verdict.endpoint_fell);
  CHECK(harness.attempt(*batches[1], kDelivered));
  CHECK(harness.attempt(*batches[2], kDelivered));
  CHECK(harness.next() == nullptr);

  Duration delay = 1s;
  for (int i = 0; i < 10; ++i) {
    CHECK(harness.scheduler.next_deadline(harness.now) == harness.now + delay);
    harness.now += delay - 1ns;
    CHECK(harness.next() == nullptr);
    harness.now += 1ns;
    CHECK(harness.attempt(*batches[0], kContent));
    delay = std::min<Duration>(delay * 2, 5min);
    // One that passes between the failures of a batch changes nothing for it.
    CHECK(harness.attempt(harness.add(endpoint), kDelivered));
  }
}

TEST_CASE("Fresh batches and those in trouble take turns", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 6);
  CHECK(harness.attempt(*batches[0], kContent));
  CHECK(harness.attempt(*batches[1], kContent));
  CHECK(harness.attempt(*batches[2], kDelivered));
  harness.now += 1s;
  CHECK(harness.attempt(*batches[0], kContent));
  CHECK(harness.attempt(*batches[3], kDelivered));
  CHECK(harness.attempt(*batches[1], kContent));
  CHECK(harness.attempt(*batches[4], kDelivered));
}

TEST_CASE("Batches in trouble that are due go by their due time", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(harness.attempt(*batches[0], kContent));
  harness.now += 500ms;
  CHECK(harness.attempt(*batches[1], kContent));
  harness.now += 1s;
  CHECK(harness.attempt(*batches[0], kDelivered));
  CHECK(harness.attempt(*batches[1], kDelivered));
}

TEST_CASE("Three different batches in a row with content failures are the endpoint's trouble",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 4);
  CHECK(harness.attempt(*batches[0], kContent));
  CHECK(harness.attempt(*batches[1], kContent));
  CHECK_FALSE(endpoint.is_in_trouble);
  REQUIRE(harness.next() == batches[2]);
  CHECK(harness.settle(*batches[2], kContent).endpoint_fell);
  CHECK(harness.next() == nullptr);
  CHECK(endpoint.queue.size() == 4);
  CHECK(endpoint.troubled.empty());
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[0], kContent));
}

TEST_CASE("The same batch failing three times is its own trouble", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  for (int i = 0; i < 10; ++i) {
    CHECK(harness.attempt(batch, kContent));
    CHECK_FALSE(endpoint.is_in_trouble);
    harness.now = batch.due;
  }
}

TEST_CASE("A batch that passes between content failures ends their row",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  for (int i = 0; i < 4; ++i) {
    CHECK(harness.attempt(harness.add(endpoint), kContent));
    CHECK(harness.attempt(harness.add(endpoint), kContent));
    CHECK(harness.attempt(harness.add(endpoint), kDelivered));
    CHECK_FALSE(endpoint.is_in_trouble);
  }
}

TEST_CASE(
    "After the trouble, batches that met a content failure back off alone and no longer count "
    "against the endpoint",
    "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto poison = harness.add(endpoint, 3);
  for (Batch* batch : poison) CHECK(harness.attempt(*batch, kContent));
  CHECK(endpoint.is_in_trouble);
  Batch* const good = &harness.add(endpoint);
  for (Batch* batch : poison) {
    harness.now = endpoint.probe_due;
    CHECK(harness.attempt(*batch, kContent));
  }
  // The oldest poison goes, so that the good one is among the three.
  harness.scheduler.finish(*poison[0], harness.now);
  while (endpoint.is_in_trouble) {
    harness.now = endpoint.probe_due;
    Batch* const probe = harness.next();
    REQUIRE(probe);
    harness.settle(*probe, probe == good ? kDelivered : kContent);
  }
  CHECK(endpoint.queue.empty());
  CHECK(endpoint.troubled.size() == 2);

  // A third one fails: with those two it would be a row, if they counted.
  CHECK(harness.attempt(harness.add(endpoint), kContent));
  for (int i = 0; i < 6; ++i) {
    harness.now = harness.scheduler.next_deadline(harness.now);
    Batch* const batch = harness.next();
    REQUIRE(batch);
    CHECK_FALSE(harness.settle(*batch, kContent).endpoint_fell);
  }
  CHECK_FALSE(endpoint.is_in_trouble);
}

TEST_CASE("Batches in trouble join the queue in their old order when the endpoint falls",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 4);
  CHECK(harness.attempt(*batches[0], kContent));
  CHECK(harness.attempt(*batches[1], kMute));
  CHECK(endpoint.is_in_trouble);
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[0], kMute));
  harness.now = endpoint.probe_due;
  CHECK(harness.attempt(*batches[1], kMute));
}

TEST_CASE("At most half of the connections are for endpoints in trouble",
          "[core][retry_scheduler]") {
  SchedulerHarness harness(6);
  for (int i = 0; i < 10; ++i) harness.add(harness.endpoint());
  for (int i = 0; i < 10; ++i) harness.settle(*harness.next(), kMute);
  harness.now += 1s;
  std::vector<Batch*> probes;
  while (Batch* batch = harness.next()) probes.push_back(batch);
  CHECK(probes.size() == 3);
  for (int i = 0; i < 10; ++i) harness.add(harness.endpoint());
  std::vector<Batch*> fresh;
  while (Batch* batch = harness.next()) fresh.push_back(batch);
  CHECK(fresh.size() == 3);
  for (const Batch* batch : fresh) CHECK_FALSE(batch->is_probe);
  harness.settle(*probes[0], kMute);
  Batch* const probe = harness.next();
  REQUIRE(probe);
  CHECK(probe->is_probe);
}

TEST_CASE("One connection still serves endpoints in trouble", "[core][retry_scheduler]") {
  SchedulerHarness harness(1);
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  CHECK(harness.attempt(batch, kMute));
  harness.now = endpoint.probe_due;
  CHECK(harness.next() == &batch);
}

TEST_CASE("A dead endpoint does not delay another one", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& dead = harness.endpoint();
  Endpoint& well = harness.endpoint();
  harness.add(dead, 10);
  harness.settle(*harness.next(), kMute);
  for (int i = 0; i < 20; ++i) CHECK(harness.attempt(harness.add(well), kDelivered));
}

TEST_CASE("An endpoint that falls while it waits for a connection is probed in time",
          "[core][retry_scheduler]") {
  SchedulerHarness harness(2);
  harness.settings.request_max_in_flight = 2;
  Endpoint& falling = harness.endpoint();
  Batch& failing = harness.add(falling);
  Batch& passing = harness.add(harness.endpoint());
  CHECK(harness.next() == &failing);
  CHECK(harness.next() == &passing);
  // Both connections are taken while another endpoint and the falling one ask for more.
  Batch& other = harness.add(harness.endpoint());
  harness.add(falling);
  harness.settle(failing, kMute);
  CHECK(harness.next() == &other);
  CHECK(harness.next() == nullptr);
  harness.now = falling.probe_due;
  harness.settle(passing, kDelivered);
  CHECK(harness.next() == &failing);
}

TEST_CASE("An attempt that was broken off counts for nothing", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(harness.next() == batches[0]);
  harness.scheduler.cancel(*batches[0], harness.now);
  CHECK_FALSE(endpoint.is_in_trouble);
  CHECK(batches[0]->failures_count == 0);
  CHECK(harness.scheduler.in_flight_count() == 0);
  CHECK(harness.next() == batches[0]);
}

TEST_CASE("The oldest waiting batch is found among those in trouble, too",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  CHECK(RetryScheduler::oldest_waiting(endpoint) == nullptr);
  const auto batches = harness.add(endpoint, 3);
  CHECK(RetryScheduler::oldest_waiting(endpoint) == batches[0]);
  CHECK(harness.next() == batches[0]);
  CHECK(RetryScheduler::oldest_waiting(endpoint) == batches[1]);
  harness.settle(*batches[0], kContent);
  CHECK(RetryScheduler::oldest_waiting(endpoint) == batches[0]);
}

TEST_CASE("A batch is settled by its first outcome", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(endpoint.unsettled.size() == 2);
  CHECK(harness.next() == batches[0]);
  CHECK(endpoint.unsettled.size() == 2);
  harness.settle(*batches[0], kContent);
  CHECK(endpoint.unsettled == std::set<uint64_t>{batches[1]->sequence});
  CHECK(harness.attempt(*batches[1], kDelivered));
  CHECK(endpoint.unsettled.empty());
}

TEST_CASE("A forgotten endpoint is asked no more", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  CHECK(harness.attempt(harness.add(endpoint), kMute));
  harness.scheduler.finish(*endpoint.queue.begin()->second, harness.now);
  harness.scheduler.forget(endpoint);
  harness.endpoints.clear();
  harness.now += 1h;
  CHECK(harness.next() == nullptr);
  CHECK(harness.scheduler.next_deadline(harness.now) == kNever);
}

TEST_CASE("Retry now makes the probe due, and its failure lengthens the backoff as ever",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 2);
  CHECK(harness.attempt(*batches[0], kMute));
  CHECK(harness.next() == nullptr);
  harness.scheduler.retry_now(endpoint, harness.now);
  Batch* const probe = harness.next();
  REQUIRE(probe);
  CHECK(probe->is_probe);
  CHECK(harness.settle(*probe, kMute).next_try == harness.now + 2s);
}

TEST_CASE("Retry now makes every batch in trouble by itself due", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.settings.request_max_in_flight = 2;
  const auto batches = harness.add(endpoint, 2);
  for (Batch* batch : batches) CHECK(harness.attempt(*batch, kContent));
  CHECK(harness.next() == nullptr);
  harness.now += 10ms;
  harness.scheduler.retry_now(endpoint, harness.now);
  CHECK(std::set<Batch*>{harness.next(), harness.next()} ==
        std::set<Batch*>(batches.begin(), batches.end()));
}

TEST_CASE("Retry now sends nothing of a paused webhook, but all of it at the resume",
          "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  const auto batches = harness.add(endpoint, 1);
  CHECK(harness.attempt(*batches[0], kMute));
  harness.scheduler.hold(endpoint, true, harness.now);
  harness.scheduler.retry_now(endpoint, harness.now);
  CHECK(harness.next() == nullptr);
  harness.scheduler.hold(endpoint, false, harness.now);
  CHECK(harness.next() == batches[0]);
}
