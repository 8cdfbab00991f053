// Random use of the scheduler against the invariants of its class comment, with fixed seeds.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "unit/core/scheduler_harness.h"

using namespace posthaste::core;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

class Model {
 public:
  explicit Model(uint64_t seed)
      : dice_(seed),
        connections_max_(1 + static_cast<uint32_t>(dice_.below(8))),
        harness_(connections_max_) {
    harness_.settings.request_max_in_flight = 1 + static_cast<uint32_t>(dice_.below(3));
    harness_.settings.retry_jitter = dice_.below(2) == 0 ? RetryJitter::None : RetryJitter::Equal;
    harness_.settings.retry_max_age = std::chrono::minutes(1 + dice_.below(60));
    const uint64_t endpoints_count = 1 + dice_.below(5);
    for (uint64_t i = 0; i < endpoints_count; ++i) endpoints_.push_back(&harness_.endpoint());
  }

  void step() {
    switch (dice_.below(8)) {
      case 0:
      case 1:
        added_.insert(harness_.add(any_endpoint()).sequence);
        break;
      case 2:
      case 3:
        start();
        break;
      case 4:
      case 5:
        settle_one(dice_.below(100));
        break;
      case 6:
        harness_.now += std::chrono::milliseconds(dice_.below(20'000));
        expire();
        break;
      default:
        rare();
        break;
    }
    check();
  }

  // Everything answers from now on: whatever waits is delivered or expires.
  void drain() {
    for (Endpoint* endpoint : endpoints_) harness_.scheduler.hold(*endpoint, false, harness_.now);
    for (int i = 0; i < 100'000 && !harness_.scheduler.batches().empty(); ++i) {
      start();
      if (!in_flight_.empty()) {
        settle_one(0);
        continue;
      }
      const Instant deadline = harness_.scheduler.next_deadline(harness_.now);
      REQUIRE(deadline != kNever);
      harness_.now = std::max(deadline, harness_.now);
      expire();
    }
    REQUIRE(harness_.scheduler.batches().empty());
    REQUIRE(harness_.scheduler.in_flight_count() == 0);
    CHECK(over_ == added_);
    for (const Endpoint* endpoint : endpoints_) CHECK(endpoint->is_idle());
  }

 private:
  Endpoint& any_endpoint() { return *endpoints_[dice_.below(endpoints_.size())]; }

  void start() {
    expire();
    while (Batch* batch = harness_.next()) {
      const Endpoint& endpoint = *batch->endpoint;
      REQUIRE(batch->is_in_flight);
      REQUIRE_FALSE(endpoint.is_held);
      REQUIRE(batch->expires > harness_.now);
      if (batch->is_probe) {
        REQUIRE(endpoint.probe_due <= harness_.now);
      } else if (batch->failures_count == 0) {
        // Fresh batches of a healthy endpoint go in the order of sealing.
        REQUIRE(batch->sequence > last_fresh_[&endpoint]);
        last_fresh_[&endpoint] = batch->sequence;
      } else if (batch->content_failures_count > 0) {
        REQUIRE(batch->due <= harness_.now);
      }
      in_flight_.push_back(batch);
      check();
    }
  }

  void settle_one(uint64_t percent) {
    if (in_flight_.empty()) return;
    const size_t index = dice_.below(in_flight_.size());
    Batch& batch = *in_flight_[index];
    const uint64_t sequence = batch.sequence;
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(index));
    const AttemptOutcome outcome = percent < 50 ? kDelivered : percent < 75 ? kContent : kMute;
    const Verdict verdict = harness_.settle(batch, outcome);
    REQUIRE((outcome == kDelivered) == (verdict.kind == Verdict::Kind::Delivered));
    if (verdict.kind != Verdict::Kind::Retry) REQUIRE(over_.insert(sequence).second);
  }

  void expire() {
    for (Batch* batch : harness_.scheduler.expired(harness_.now)) {
      REQUIRE_FALSE(batch->is_in_flight);
      REQUIRE(over_.insert(batch->sequence).second);
      harness_.scheduler.finish(*batch, harness_.now);
    }
  }

  void rare() {
    Endpoint& endpoint = any_endpoint();
    const uint64_t choice = dice_.below(4);
    if (choice == 0) {
      harness_.scheduler.hold(endpoint, !endpoint.is_held, harness_.now);
    } else if (choice == 1) {
      Batch* const oldest = RetryScheduler::oldest_waiting(endpoint);
      if (!oldest) return;
      REQUIRE(over_.insert(oldest->sequence).second);
      harness_.scheduler.finish(*oldest, harness_.now);
    } else if (choice == 2 && !in_flight_.empty()) {
      Batch& batch = *in_flight_.back();
      in_flight_.pop_back();
      harness_.scheduler.cancel(batch, harness_.now);
      last_fresh_[batch.endpoint] = 0;
    }
  }

  void check() {
    REQUIRE(harness_.scheduler.in_flight_count() == in_flight_.size());
    REQUIRE(in_flight_.size() <= connections_max_);
    const auto probes = std::count_if(in_flight_.begin(), in_flight_.end(),
                                      [](const Batch* batch) { return batch->is_probe; });
    REQUIRE(static_cast<uint32_t>(probes) <= std::max(1u, connections_max_ / 2));
    for (const Endpoint* endpoint : endpoints_) {
      const auto own = std::count_if(in_flight_.begin(), in_flight_.end(), [&](const Batch* batch) {
        return batch->endpoint == endpoint;
      });
      REQUIRE(static_cast<uint32_t>(own) == endpoint->in_flight_count);
      REQUIRE(endpoint->in_flight_count <= harness_.settings.request_max_in_flight);
      if (endpoint->is_in_trouble) REQUIRE(endpoint->troubled.empty());
      for (const auto& [sequence, batch] : endpoint->queue) {
        // Clocks run while a batch waits for a reason, and stand still with its webhook.
        const bool has_reason = endpoint->is_in_trouble || batch->failures_count > 0;
        const bool is_running = batch->expires != kNever;
        const bool is_stopped = batch->expires_after_pause > Duration::zero();
        REQUIRE(has_reason == (is_running || is_stopped));
        REQUIRE((!is_running || !endpoint->is_held));
        REQUIRE((!is_stopped || endpoint->is_held));
      }
    }
  }

  Random dice_;
  uint32_t connections_max_;
  SchedulerHarness harness_;
  std::vector<Endpoint*> endpoints_;
  std::vector<Batch*> in_flight_;
  std::map<const Endpoint*, uint64_t> last_fresh_;
  std::set<uint64_t> added_;
  std::set<uint64_t> over_;
};

}  // namespace

TEST_CASE("The scheduler keeps its invariants and ends every batch once, whatever happens",
          "[core][retry_scheduler]") {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    Model model(seed);
    for (int i = 0; i < 400; ++i) model.step();
    model.drain();
  }
}
