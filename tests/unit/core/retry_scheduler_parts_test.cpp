// Poison isolation, learned limits, Retry-After and rates (design 2a): what the scheduler decides.
// The batches here have sizes and no bytes.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include "unit/core/scheduler_harness.h"

using namespace posthaste::core;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t kEventBytes = 500;

// A receiver that judges events, and a host that does what the scheduler asks.
struct PoisonHarness : SchedulerHarness {
  Batch& add_batch(Endpoint& endpoint, uint32_t events_count) {
    auto batch = std::make_unique<Batch>();
    batch->body = BatchBody::released(events_count * kEventBytes + 1, events_count);
    return scheduler.add(std::move(batch), endpoint, now);
  }
  uint32_t first_of(const Batch& batch) const {
    return first_event_of(batch.sequence, batch.body.events_count());
  }
  // Gives way to its halves; ToLimit of the delivery step comes from repeating it.
  void halve(Batch& batch) {
    Endpoint& endpoint = *batch.endpoint;
    const uint32_t count = batch.body.events_count();
    const uint32_t first = first_of(batch);
    const uint64_t family = family_of(batch.sequence);
    const std::unique_ptr<Batch> whole = scheduler.finish(batch, now);
    for (const auto& [at, size] :
         {std::pair{first, count / 2}, std::pair{first + count / 2, count - count / 2}}) {
      auto part = std::make_unique<Batch>();
      part->sequence = sequence_of_part(family, at, size);
      part->body = BatchBody::released(size * kEventBytes + 1, size);
      part->counts_against_endpoint = whole->counts_against_endpoint;
      part->is_suspect = whole->is_suspect;
      part->is_settled = whole->is_settled;
      part->is_of_failed = whole->has_failed();
      part->due = whole->due;
      part->family_failures_count = whole->family_failures_count;
      part->expires = whole->expires;
      scheduler.add(std::move(part), endpoint, now);
    }
  }
  // Sends what may go out until nothing waits or `until`; each request is judged.
  void run(Instant until, const std::function<AttemptResult(const Batch&)>& judge) {
    for (;;) {
      finish_expired();
      const Turn turn = scheduler.next(now);
      if (turn.is_to_split) {
        halve(*turn.batch);
        continue;
      }
      if (!turn.batch) {
        const Instant deadline = scheduler.next_deadline(now);
        if (deadline > until) return;
        now = std::max(now, deadline);
        continue;
      }
      Batch& batch = *turn.batch;
      requests.push_back({now, first_of(batch), batch.body.events_count()});
      const AttemptResult result = judge(batch);
      const Verdict verdict = scheduler.settle(batch, result, now);
      last = verdict;
      if (verdict.kind == Verdict::Kind::Delivered) {
        for (uint32_t i = 0; i < batch.body.events_count(); ++i) {
          delivered.insert({family_of(batch.sequence), first_of(batch) + i});
        }
      }
      if (verdict.kind == Verdict::Kind::Refused) ++refused_count;
      if (verdict.kind != Verdict::Kind::Retry) {
        scheduler.finish(batch, now);
      } else if (verdict.is_to_split) {
        halve(batch);
      }
    }
  }

  struct Request {
    Instant at{};
    uint32_t first = 0;
    uint32_t count = 0;
  };
  std::vector<Request> requests;
  std::multiset<std::pair<uint64_t, uint32_t>> delivered;
  size_t refused_count = 0;
  Verdict last;
};

AttemptResult too_large_result() {
  AttemptResult result{kContent};
  result.is_too_large = true;
  return result;
}

std::function<AttemptResult(const Batch&)> refuses(const std::set<uint32_t>& poison) {
  return [poison](const Batch& batch) -> AttemptResult {
    const uint32_t first = first_event_of(batch.sequence, batch.body.events_count());
    const auto bad = poison.lower_bound(first);
    const bool is_bad = bad != poison.end() && *bad < first + batch.body.events_count();
    return {is_bad ? kContent : kDelivered};
  };
}

}  // namespace

TEST_CASE("A whole batch is bisected at its third content failure, a part at its first",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  harness.add_batch(harness.endpoint(), 8);
  harness.run(harness.now + 1h, refuses({5}));
  std::vector<std::pair<uint32_t, uint32_t>> first_six;
  for (size_t i = 0; i < 6; ++i) {
    first_six.emplace_back(harness.requests.at(i).first, harness.requests.at(i).count);
  }
  const std::vector<std::pair<uint32_t, uint32_t>> expected = {{0, 8}, {0, 8}, {0, 8},
                                                               {0, 4}, {4, 4}, {4, 2}};
  CHECK(first_six == expected);
  CHECK(harness.delivered.size() == 7);
}

TEST_CASE("k poison events among n cost about 2 k log2 n requests", "[core][retry_scheduler]") {
  for (const std::set<uint32_t>& poison :
       {std::set<uint32_t>{0}, std::set<uint32_t>{9999}, std::set<uint32_t>{17, 4242, 9001},
        std::set<uint32_t>{100, 101, 102, 103, 5000, 7777}}) {
    PoisonHarness harness;
    harness.add_batch(harness.endpoint(), 10'000);
    // Long enough to find them all, and for a few further attempts of those that were found.
    harness.run(harness.now + 10min, refuses(poison));
    CHECK(harness.delivered.size() == 10'000 - poison.size());
    for (const uint32_t event : poison)
      CHECK(harness.delivered.count({kSequenceStride, event}) == 0);
    size_t isolating = 0;
    std::set<uint32_t> alone;
    for (const auto& request : harness.requests) {
      if (request.count == 1 && !alone.insert(request.first).second) continue;
      ++isolating;
    }
    const double bound = 2.0 * static_cast<double>(poison.size()) * std::ceil(std::log2(10'000.0));
    INFO(poison.size() << " poison events, " << isolating << " requests");
    CHECK(static_cast<double>(isolating) <= bound + 3);
  }
}

TEST_CASE("An event that is refused alone goes on retrying aside until its parent's clock ends",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.add_batch(endpoint, 4);
  const Instant start = harness.now;
  harness.run(start + 1h, refuses({2}));
  CHECK(harness.delivered.size() == 3);
  harness.add_batch(endpoint, 4);
  harness.run(start + 2h, [&](const Batch& batch) {
    return family_of(batch.sequence) == kSequenceStride ? AttemptResult{kContent}
                                                        : AttemptResult{kDelivered};
  });
  CHECK(harness.delivered.size() == 7);
  const size_t before = harness.requests.size();
  harness.run(start + 4h - 1ns, refuses({2}));
  CHECK(harness.requests.size() > before + 10);
  CHECK(harness.scheduler.batches().size() == 1);
  harness.run(start + 4h, refuses({2}));
  CHECK(harness.scheduler.batches().empty());
}

TEST_CASE("A lone batch that is refused whole and in parts is tried no more often than one batch",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  harness.add_batch(harness.endpoint(), 10'000);
  PoisonHarness single;
  single.add_batch(single.endpoint(), 1);
  const auto refuse = [](const Batch&) { return AttemptResult{kContent}; };
  harness.run(harness.now + 4h, refuse);
  single.run(single.now + 4h, refuse);
  CHECK(harness.requests.size() <= single.requests.size() + 1);
  CHECK(harness.scheduler.batches().empty());
}

TEST_CASE("Parts of one parent count as one against the endpoint", "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.add_batch(endpoint, 1000);
  harness.run(harness.now + 10min, [](const Batch&) { return AttemptResult{kContent}; });
  CHECK_FALSE(endpoint.is_in_trouble);
}

TEST_CASE(
    "Probes of a batch that met a content failure are halves from the second round on, the "
    "failed half's sibling first, then quarters",
    "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  for (int i = 0; i < 3; ++i) harness.add_batch(endpoint, 8);
  harness.run(harness.now + 1h, [](const Batch&) { return AttemptResult{kContent}; });
  std::vector<std::pair<uint32_t, uint32_t>> of_first;
  for (size_t i = 3; i < harness.requests.size() && of_first.size() < 7; i += 3) {
    of_first.emplace_back(harness.requests[i].first, harness.requests[i].count);
  }
  const std::vector<std::pair<uint32_t, uint32_t>> expected = {{0, 8}, {0, 4}, {4, 4}, {0, 2},
                                                               {2, 2}, {4, 2}, {6, 2}};
  CHECK(of_first == expected);
  CHECK(endpoint.is_in_trouble);
}

TEST_CASE("Any 2xx of a part ends the trouble, and suspects are in trouble by themselves then",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  // One bad event in every batch.
  for (int i = 0; i < 6; ++i) harness.add_batch(endpoint, 1000);
  harness.run(harness.now + 1h, refuses({321}));
  CHECK(harness.delivered.size() == 6 * 999);
  CHECK_FALSE(endpoint.is_in_trouble);
}

TEST_CASE("413 halves a batch at once and teaches a limit, alone it ends an event",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  for (int i = 0; i < 3; ++i) harness.add_batch(endpoint, 1000);
  const Instant start = harness.now;
  const auto too_large = [](const Batch& batch) -> AttemptResult {
    if (batch.body.size_bytes() <= 150'000) return {kDelivered};
    return too_large_result();
  };
  harness.run(start + 1min, too_large);
  CHECK(harness.delivered.size() == 3000);
  CHECK(endpoint.limit.events_max == 250);
  CHECK(endpoint.limit.bytes_max <= 150'000);
  // Only the first batch and its first half were ever refused.
  size_t refusals = 0;
  for (const auto& request : harness.requests) refusals += request.count > 299 ? 1 : 0;
  CHECK(refusals == 2);
  CHECK_FALSE(endpoint.is_in_trouble);

  harness.add_batch(endpoint, 1);
  harness.run(harness.now + 1min, [](const Batch&) { return too_large_result(); });
  CHECK(harness.refused_count == 1);
  CHECK(harness.scheduler.batches().empty());
}

TEST_CASE("A learned limit is forgotten after a day", "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.add_batch(endpoint, 100);
  harness.run(harness.now + 1min, [](const Batch& batch) -> AttemptResult {
    if (batch.body.events_count() <= 50) return {kDelivered};
    return too_large_result();
  });
  CHECK(endpoint.limit.events_max == 50);
  harness.now = endpoint.limit.until - 1ns;
  harness.requests.clear();
  harness.add_batch(endpoint, 100);
  harness.run(harness.now, refuses({}));
  CHECK(harness.requests.size() == 2);
  harness.now = endpoint.limit.until;
  harness.requests.clear();
  harness.add_batch(endpoint, 100);
  harness.run(harness.now, refuses({}));
  CHECK(harness.requests.size() == 1);
}

TEST_CASE(
    "Three time-outs in a row after the connection stood halve the batches, and stay if the "
    "smaller one passes",
    "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  for (int i = 0; i < 3; ++i) harness.add_batch(endpoint, 10'000);
  // A receiver that needs 1 ms an event, and 6 s to answer in.
  harness.run(harness.now + 10min, [](const Batch& batch) -> AttemptResult {
    if (batch.body.events_count() < 6000) return {kDelivered};
    AttemptResult result{kMute};
    result.is_slow = true;
    return result;
  });
  CHECK(harness.delivered.size() == 30'000);
  CHECK(endpoint.limit.events_max == 5000);
  CHECK_FALSE(endpoint.limit.is_on_trial);
  size_t slow = 0;
  for (const auto& request : harness.requests) slow += request.count >= 6000 ? 1 : 0;
  CHECK(slow == 3);
}

TEST_CASE(
    "A limit that time-outs suggest is tried once per trouble and not kept when it does not "
    "help",
    "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  for (int i = 0; i < 3; ++i) harness.add_batch(endpoint, 10'000);
  bool hangs = true;
  const auto judge = [&](const Batch&) -> AttemptResult {
    if (!hangs) return {kDelivered};
    AttemptResult result{kMute};
    result.is_slow = true;
    return result;
  };
  harness.run(harness.now + 1h, judge);
  CHECK(endpoint.limit.events_max == 0);
  // Of three batches one was halved, once.
  CHECK(harness.scheduler.batches().size() == 4);
  hangs = false;
  harness.run(harness.now + 1h, judge);
  CHECK(endpoint.limit.events_max == 0);
  CHECK(harness.delivered.size() == 30'000);
}

TEST_CASE("No limit is guessed for batches of a hundred events or less",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  harness.add_batch(endpoint, 100);
  harness.run(harness.now + 1h, [](const Batch&) {
    AttemptResult result{kMute};
    result.is_slow = true;
    return result;
  });
  CHECK(harness.scheduler.batches().size() == 1);
}

TEST_CASE("Retry-After only delays, and never beyond retry.max_age", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  const auto fail = [&](Duration retry_after) {
    AttemptResult result{kMute};
    result.is_throttling = true;
    result.retry_after = retry_after;
    REQUIRE(harness.next() == &batch);
    return harness.scheduler.settle(batch, result, harness.now);
  };
  CHECK(fail(90s).next_try == harness.now + 90s);
  CHECK(endpoint.health() == EndpointHealth::Throttled);
  harness.now += 90s - 1ns;
  CHECK(harness.next() == nullptr);
  harness.now += 1ns;
  // The second probe would wait for 2 s, which a shorter wish does not change.
  CHECK(fail(1s).next_try == harness.now + 2s);
  harness.now += 2s;
  CHECK(fail(1000h).next_try == harness.now + 4h);
}

TEST_CASE("Requests of a webhook keep to its rates over all its endpoints",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  RateClock rate;
  Endpoint& first = harness.endpoint();
  Endpoint& second = harness.endpoint();
  first.rate = second.rate = &rate;
  harness.settings.rate_requests_per_second = 4;
  for (int i = 0; i < 4; ++i) {
    harness.add_batch(first, 10);
    harness.add_batch(second, 10);
  }
  const Instant start = harness.now;
  harness.run(start + 1h, refuses({}));
  REQUIRE(harness.requests.size() == 8);
  for (size_t i = 0; i < 8; ++i) {
    CHECK(harness.requests[i].at == start + static_cast<int64_t>(i) * 250ms);
  }

  harness.settings.rate_events_per_second = 1000;
  harness.requests.clear();
  harness.add_batch(first, 5000);
  harness.add_batch(first, 10);
  const Instant again = harness.now += 1s;
  harness.run(harness.now + 1h, refuses({}));
  REQUIRE(harness.requests.size() == 2);
  CHECK(harness.requests[1].at == again + 5s);
}

TEST_CASE("Batches that we could not read are neither the endpoint's trouble nor taken apart",
          "[core][retry_scheduler]") {
  PoisonHarness harness;
  Endpoint& endpoint = harness.endpoint();
  for (int i = 0; i < 5; ++i) harness.add_batch(endpoint, 8);
  harness.run(harness.now + 1h, [](const Batch&) {
    AttemptResult result{kContent};
    result.is_ours = true;
    return result;
  });
  CHECK_FALSE(endpoint.is_in_trouble);
  CHECK(harness.scheduler.batches().size() == 5);
  CHECK(harness.requests.size() > 50);
}

TEST_CASE("A stopped endpoint sends nothing while its clocks run", "[core][retry_scheduler]") {
  SchedulerHarness harness;
  Endpoint& endpoint = harness.endpoint();
  Batch& batch = harness.add(endpoint);
  REQUIRE(harness.attempt(batch, kMute));
  harness.scheduler.stop(endpoint, true, harness.now);
  harness.now += 4h - 1ns;
  CHECK(harness.next() == nullptr);
  CHECK(harness.scheduler.expired(harness.now).empty());
  harness.now += 1ns;
  CHECK(harness.scheduler.expired(harness.now).size() == 1);
}
