// What must hold after every step, and at the end.
#include <algorithm>
#include <numeric>

#include "simulation/ledger.h"

namespace posthaste::simulation {

using core::Duration;
using core::Instant;

namespace {

// A control that found no room takes a segment of its own, with one entry.
constexpr uint64_t kControlBytes = sizeof(core::RecordEntry);

// Beyond this many batches all of them are looked at now and then only.
constexpr size_t kLookEachStep = 300;

}  // namespace

void Ledger::after_step() {
  sync_controls();
  scan_sealed();
  tokens_.settle(engine_->clock().now());
  scan_begun();
  const Instant now = engine_->clock().now();
  if (!engine_->is_closed() && looks_at_all()) {
    for (const auto& [sequence, batch] : live_) {
      if (batch->completion && !may_stay_unsettled(*batch)) {
        fail("one_place", "the end of batch {} was not settled", batch->id);
      }
      if (awaits_nobody(*batch)) fail("idle", "batch {} waits for nobody", batch->id);
      if (batch->must_split) fail("split", "batch {} stays whole", batch->id);
      if (batch->is_in_flight || now < batch->expires) continue;
      fail("expiry", "batch {} waits {} ns after its end", batch->id,
           (now - batch->expires).count());
    }
  }
  for (auto& [generation, webhook] : webhooks_) check_webhook(generation, webhook);
  for (const auto& [generation, webhook] : webhooks_) {
    if (engine_->is_closed() || webhook.is_held() || webhook.is_stopped()) continue;
    for (const auto& [revision, endpoint] : webhook.endpoints) check_idle(webhook, endpoint);
  }
  check_sums();
  check_memory();
  check_flushes();
}

bool Ledger::looks_at_all() const {
  return live_.size() <= kLookEachStep || engine_->steps_count() % 64 == 0;
}

void Ledger::check_webhook(uint64_t generation, Webhook& webhook) {
  if (!webhook.counters) webhook.counters = engine_->counters_of(generation);
  if (!webhook.counters) return;
  const metrics::WebhookCounters& counters = *webhook.counters;
  const uint64_t dropped =
      std::accumulate(webhook.dropped_events.begin(), webhook.dropped_events.end(), uint64_t{0});
  const std::string& id = webhook.latest().id;
  const bool is_exact = counters.events_delivered.get() == webhook.delivered_events &&
                        counters.batches_delivered.get() == webhook.delivered_batches &&
                        counters.batches_sealed.get() == webhook.sealed_batches &&
                        counters.batches_dropped.get() == webhook.dropped_batches &&
                        counters.attempts.get() == webhook.attempts &&
                        counters.waiting_batches.get() == webhook.live_batches &&
                        counters.events_dropped_expired.get() == webhook.dropped_events[1] &&
                        counters.events_dropped_quota.get() == webhook.dropped_events[2] &&
                        counters.events_dropped_removed.get() == webhook.dropped_events[3] &&
                        counters.events_dropped_closed.get() == webhook.dropped_events[4] &&
                        counters.events_dropped_refused.get() == webhook.dropped_events[11];
  if (!is_exact) fail("counters", "the counters of webhook {} are not what happened", id);
  const uint64_t routed = counters.events_routed.get();
  const uint64_t waiting = counters.waiting_events.get();
  const uint64_t open = counters.open_events.get();
  // Only before its last batch is over is everything published; afterwards the record is gone.
  if (webhook.is_removal_applied && webhook.live_batches == 0) return;
  if (routed != webhook.delivered_events + dropped + waiting + open) {
    fail("counters", "webhook {}: {} routed, but {} delivered, {} dropped, {} waiting, {} open", id,
         routed, webhook.delivered_events, dropped, waiting, open);
  }
  if (routed != webhook.batched + open || routed > webhook.stream.size()) {
    fail("one_place", "webhook {}: {} routed, {} in batches, {} open of {}", id, routed,
         webhook.batched, open, webhook.stream.size());
  }
  if (!engine_->has_read_everything()) return;
  if (routed != webhook.stream.size()) {
    fail("one_place", "webhook {} has {} events of {}", id, routed, webhook.stream.size());
  }
  check_open(webhook);
}

void Ledger::check_open(const Webhook& webhook) {
  if (webhook.batched >= webhook.stream.size()) return;
  const core::DeliverySettings& settings = webhook.current().settings;
  const Event& first = events_[webhook.stream[webhook.batched].number];
  const Instant now = engine_->clock().now();
  if (now - first.pushed >= settings.batch_max_age) {
    fail("limits", "an open batch of webhook {} is {} ns old", webhook.current().id,
         (now - first.pushed).count());
  }
  const auto cut = webhook.cuts.upper_bound(webhook.batched);
  if (cut != webhook.cuts.end()) {
    fail("limits", "an open batch of webhook {} stays after a change, a flush or the close",
         webhook.current().id);
  }
}

// What may go out goes out.
void Ledger::check_idle(const Webhook& webhook, const Endpoint& endpoint) {
  if (endpoint.waiting.empty() || running_count_ >= settings_.connections_max) return;
  const Instant now = engine_->clock().now();
  if (now < webhook.rate_next) return;
  if (endpoint.is_in_trouble) {
    const bool may_probe = probes_count_ < std::max(1u, settings_.connections_max / 2);
    if (endpoint.running_count > 0 || !may_probe || now < endpoint.not_after) return;
    fail("idle", "{} is not probed though it is time", endpoint.url);
    return;
  }
  if (endpoint.running_count >= webhook.current().settings.request_max_in_flight) return;
  for (const auto& [sequence, batch] : endpoint.waiting) {
    if (batch->is_suspect) {
      const auto family = endpoint.families.find(batch->family());
      if (family == endpoint.families.end() || family->second.running_count > 0) continue;
      if (now < family->second.not_after) continue;
    }
    fail("idle", "batch {} does not go out though it may", batch->id);
  }
}

// Each batch of the engine is one of the model, and the other way round; its memory is charged.
void Ledger::check_sums() {
  const auto& all = engine_->delivery().scheduler().batches();
  if (all.size() != live_.size()) {
    fail("one_place", "the engine has {} batches, not {}", all.size(), live_.size());
    return;
  }
  if (!looks_at_all()) return;
  for (auto& [generation, webhook] : webhooks_) webhook.owned_bytes = 0;
  for (const auto& [sequence, batch] : all) {
    const auto place = live_.find(sequence);
    if (place == live_.end() || place->second->id != batch->id) {
      return fail("one_place", "batch {} should be over", batch->id);
    }
    const Batch& known = *place->second;
    known.webhook->owned_bytes += batch->body.owned_bytes();
    if (batch->is_in_flight && batch->body.is_detached()) ++counts_["detached in flight"];
    if (batch->is_in_flight != known.is_in_flight ||
        batch->endpoint->is_in_trouble != known.endpoint->is_in_trouble ||
        batch->endpoint->is_held != known.webhook->is_held()) {
      fail("state", "batch {} or its endpoint is in another state than it should be", batch->id);
    }
  }
  for (const auto& [generation, webhook] : webhooks_) {
    if (!webhook.counters || webhook.live_batches == 0) continue;
    if (webhook.counters->waiting_memory_bytes.get() == webhook.owned_bytes) continue;
    fail("memory", "webhook {} has {} bytes and is charged with {}", webhook.current().id,
         webhook.owned_bytes, webhook.counters->waiting_memory_bytes.get());
  }
}

void Ledger::check_memory() {
  const uint64_t intake = engine_->intake().used_bytes();
  const uint64_t pending = posted_.size() - applied_count_;
  if (intake > settings_.intake_max_bytes + kControlBytes * (pending + 1)) {
    fail("memory", "the intake takes {} bytes of {}", intake, settings_.intake_max_bytes);
  }
  const uint64_t open = engine_->delivery().batcher().owned_bytes();
  const uint64_t waiting = engine_->counters().waiting_memory_bytes.get();
  if (waiting <= settings_.waiting_max_bytes) waiting_limit_ = settings_.waiting_max_bytes;
  if (waiting > waiting_limit_) {
    fail("memory", "waiting batches take {} bytes of {}", waiting, waiting_limit_);
  }
  for (auto& [generation, webhook] : webhooks_) {
    if (!webhook.counters) continue;
    const uint64_t charged = webhook.counters->waiting_memory_bytes.get();
    const uint64_t quota = webhook.current().settings.max_waiting_bytes;
    if (charged + open <= quota) webhook.quota = quota;
    if (charged > webhook.quota) {
      fail("memory", "waiting batches of webhook {} take {} bytes of {}", webhook.current().id,
           charged, webhook.quota);
    }
  }
  // Beyond its limit the queue of reports keeps one drop of each reason, and nothing else here.
  const uint64_t reports = engine_->reports().used_bytes();
  if (reports > settings_.report_max_bytes) {
    fail("memory", "reports take {} bytes of {}", reports, settings_.report_max_bytes);
  }
}

void Ledger::check_flushes() {
  for (size_t i = 0; i < flushes_.size(); ++i) {
    const Flush& flush = flushes_[i];
    if (flush.is_done && flush.positions.empty()) continue;
    bool is_settled = flush.is_taken;
    for (const auto& [sequence, batch] : live_) {
      if (batch->is_settled || batch->endpoint->is_in_trouble) continue;
      if (batch->webhook->is_held() || batch->webhook->is_stopped()) continue;
      const auto place = flush.positions.find(batch->webhook->latest().generation);
      if (place == flush.positions.end() || batch->first >= place->second) continue;
      is_settled = false;
      break;
    }
    // What is done stays done, though its endpoint may recover with batches not yet tried.
    if (is_settled && !flush.is_done) fail("flush", "flush {} should be done", i);
    if (flush.is_done) {
      if (!is_settled) fail("flush", "flush {} was done early", i);
      flushes_[i].positions.clear();
    }
  }
}

bool Ledger::is_drained() const {
  if (!live_.empty() || !engine_->has_read_everything()) return false;
  return std::all_of(webhooks_.begin(), webhooks_.end(), [](const auto& entry) {
    return entry.second.batched == entry.second.stream.size();
  });
}

void Ledger::check_end(bool gave_up) {
  if (!is_drained() && !live_.empty()) {
    const Batch& first = *live_.begin()->second;
    const core::Webhook& webhook = first.webhook->current();
    fail("drain",
         "{} batches are left, {} of webhook {} first: paused {}, disabled {}, in trouble {}, "
         "suspect {}, failed {} times",
         live_.size(), first.id, webhook.id, webhook.is_paused, webhook.is_disabled,
         first.endpoint->is_in_trouble, first.is_suspect, first.failures_count);
  }
  if (!is_drained()) fail("drain", "{} batches are left", live_.size());
  if (running_count_ + verifications_count_ > 0) fail("drain", "requests still run");
  if (!gave_up && closed_drops_ > 0) fail("drain", "{} events were given up", closed_drops_);
  if (engine_->delivery().given_up_events_count() != closed_drops_) {
    fail("reports", "{} events were given up, not {}", closed_drops_,
         engine_->delivery().given_up_events_count());
  }
  for (size_t i = 0; i < flushes_.size(); ++i) {
    if (!flushes_[i].is_done) fail("flush", "flush {} never ended", i);
  }
  check_reports();
}

void Ledger::check_reports() {
  if (engine_->reports().used_bytes() != 0)
    fail("memory", "an empty queue of reports takes memory");
  if (!has_all_kinds_) return;
  std::array<uint64_t, engine::kDropReasonsCount> dropped{};
  uint64_t batches = 0;
  for (const auto& [generation, webhook] : webhooks_) {
    for (size_t i = 0; i < dropped.size(); ++i) dropped[i] += webhook.dropped_events[i];
    batches += webhook.dropped_batches;
  }
  if (dropped != polled_drops_ || batches != polled_drop_batches_) {
    fail("reports", "{} batches were dropped, {} reported, or their events differ", batches,
         polled_drop_batches_);
  }
  const bool is_complete =
      polled_overflow_ == 0
          ? polled_attempt_reports_ == expected_attempt_reports_
          : polled_attempt_reports_ < expected_attempt_reports_ + 1 &&
                polled_attempt_reports_ + polled_overflow_ >= expected_attempt_reports_;
  if (!is_complete) {
    fail("reports", "{} attempts to report, {} reported and {} lost", expected_attempt_reports_,
         polled_attempt_reports_, polled_overflow_);
  }
}

}  // namespace posthaste::simulation
