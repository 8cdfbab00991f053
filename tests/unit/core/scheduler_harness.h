// A scheduler with endpoints and batches made by hand, and time that the test moves. For the tests
// of RetryScheduler.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/retry_scheduler.h"

namespace posthaste::test {

// Threads: one at a time. Invariants: backoff without jitter, so that due times are exact.
struct SchedulerHarness {
  explicit SchedulerHarness(uint32_t connections_max = 256) : scheduler(connections_max, random) {
    settings.retry_jitter = core::RetryJitter::None;
  }

  core::Endpoint& endpoint() {
    core::Endpoint& made = endpoints.emplace_back();
    made.settings = &settings;
    return made;
  }
  core::Batch& add(core::Endpoint& endpoint) {
    auto batch = std::make_unique<core::Batch>();
    batch->id = std::to_string(++made_count);
    return scheduler.add(std::move(batch), endpoint, now);
  }
  std::vector<core::Batch*> add(core::Endpoint& endpoint, int count) {
    std::vector<core::Batch*> batches;
    for (int i = 0; i < count; ++i) batches.push_back(&add(endpoint));
    return batches;
  }
  core::Batch* next() { return scheduler.next(now).batch; }
  // The outcome of an attempt; what is over is finished.
  core::Verdict settle(core::Batch& batch, core::AttemptOutcome outcome) {
    const core::Verdict verdict = scheduler.settle(batch, {outcome}, now);
    if (verdict.kind != core::Verdict::Kind::Retry) scheduler.finish(batch, now);
    return verdict;
  }
  // Attempts what may go out, which must be `batch`, with that outcome.
  bool attempt(core::Batch& batch, core::AttemptOutcome outcome) {
    if (next() != &batch) return false;
    settle(batch, outcome);
    return true;
  }
  void finish_expired() {
    for (core::Batch* batch : scheduler.expired(now)) scheduler.finish(*batch, now);
  }

  core::DeliverySettings settings;
  core::Random random{1};
  core::RetryScheduler scheduler;
  std::deque<core::Endpoint> endpoints;
  core::Instant now{std::chrono::seconds(1000)};
  int made_count = 0;
};

inline constexpr auto kDelivered = core::AttemptOutcome::Delivered;
inline constexpr auto kContent = core::AttemptOutcome::ContentFailure;
inline constexpr auto kMute = core::AttemptOutcome::MuteFailure;

}  // namespace posthaste::test
