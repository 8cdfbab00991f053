// Batches in the model: what each must hold, when it may be tried, and when it is over.
#include <algorithm>

#include "core/limits.h"
#include "simulation/ledger.h"
#include "support/sim_records.h"

namespace posthaste::simulation {

using core::Duration;
using core::Instant;
using namespace std::chrono_literals;

namespace {

// Whose trouble an attempt's end is: design 2a, "Whose trouble", as a list.
enum class Whose { Nobody, Batches, Endpoints };
Whose whose_trouble(const transport::Completion& completion) {
  static constexpr int kOfTheEndpoint[] = {401, 403, 404, 405, 408, 410, 429};
  const int status = completion.status;
  if (status == 0) {
    const bool is_broken = completion.upload_began && !completion.timed_out;
    return is_broken ? Whose::Batches : Whose::Endpoints;
  }
  if (status / 100 == 2) return Whose::Nobody;
  if (status / 100 == 4) {
    const bool is_endpoints = std::find(std::begin(kOfTheEndpoint), std::end(kOfTheEndpoint),
                                        status) != std::end(kOfTheEndpoint);
    return is_endpoints ? Whose::Endpoints : Whose::Batches;
  }
  return status == 500 ? Whose::Batches : Whose::Endpoints;
}

// The bounds of the delay after the n-th failure.
struct Delay {
  Duration least;
  Duration most;
};
Delay delay_of(const core::DeliverySettings& settings, uint32_t failures_count) {
  const auto& ladder = settings.retry_schedule;
  if (!ladder.empty()) {
    const Duration step = ladder[std::min<size_t>(failures_count, ladder.size()) - 1];
    return {step, step};
  }
  Duration delay = settings.retry_base;
  for (uint32_t i = 1; i < failures_count && delay < settings.retry_max; ++i) delay *= 2;
  delay = std::min(delay, settings.retry_max);
  return {settings.retry_jitter == core::RetryJitter::None ? delay : delay / 2, delay};
}

std::string batch_id_of(const transport::Request& request) {
  for (const transport::HeaderField& header : request.headers) {
    if (header.name == "X-MessageSystems-Batch-ID") return header.value;
  }
  return {};
}

}  // namespace

// Every batch can be seen here before it ends: what ends a batch is announced before.
void Ledger::scan_sealed() {
  scan_parts();
  const auto& all = engine_->delivery().scheduler().batches();
  for (auto place = all.upper_bound(last_sequence_); place != all.end();) {
    const uint64_t family = core::family_of(place->first);
    std::vector<const core::Batch*> pieces;
    for (; place != all.end() && core::family_of(place->first) == family; ++place) {
      pieces.push_back(place->second.get());
    }
    last_sequence_ = core::sequence_after(family) - 1;
    add_batch(pieces);
    if (violation_) return;
  }
}

Ledger::Webhook* Ledger::webhook_of(const core::Batch& batch) {
  const auto place = generation_by_settings_.find(batch.endpoint->settings);
  return place == generation_by_settings_.end() ? nullptr : &webhooks_.at(place->second);
}

// Several pieces: it was too large for what its endpoint is known to take, and was taken apart in
// the step that sealed it.
void Ledger::add_batch(const std::vector<const core::Batch*>& pieces) {
  const core::Batch& sealed = *pieces.front();
  const bool is_whole = !core::is_part(sealed.sequence);
  Webhook* const webhook = webhook_of(sealed);
  if (!webhook) return fail("one_place", "batch {} belongs to no webhook", sealed.id);
  Batch batch;
  batch.id = is_whole ? sealed.id : "the whole of " + sealed.id;
  batch.sequence = core::family_of(sealed.sequence);
  batch.webhook = webhook;
  batch.first = webhook->batched;
  batch.size_bytes = 1;
  for (const core::Batch* piece : pieces) {
    batch.count += piece->body.events_count();
    batch.size_bytes += piece->body.records_bytes();
  }
  if (batch.count == 0 || batch.first + batch.count > webhook->stream.size()) {
    return fail("one_place", "batch {} has {} events where {} wait", batch.id, batch.count,
                webhook->stream.size() - batch.first);
  }
  webhook->batched += batch.count;
  const core::Webhook& last = *webhook->versions[webhook->stream[webhook->batched - 1].version];
  batch.endpoint = &webhook->endpoints.at(last.target_revision);
  if (is_whole) check_content(sealed, batch);
  check_limits(batch, *webhook);
  adopt_clock(batch, sealed);
  trace_.line("{} sealed {} {} {}+{} {}", engine_->clock().elapsed().count(), last.id, batch.id,
              batch.first, batch.count, batch.size_bytes);
  ++counts_["batch sealed"];
  ++webhook->sealed_batches;
  ++webhook->live_batches;
  const auto [place, is_new] = batches_.emplace(batch.id, batch);
  if (!is_new) return fail("one_place", "two batches have the id {}", batch.id);
  live_[batch.sequence] = &place->second;
  batch.endpoint->waiting[batch.sequence] = &place->second;
  if (!is_whole) replace(place->second, pieces);
}

void Ledger::check_limits(const Batch& batch, const Webhook& webhook) {
  const Entry& last = webhook.stream[batch.first + batch.count - 1];
  const core::DeliverySettings& limits = webhook.versions[last.version]->settings;
  if (batch.count > limits.batch_max_events) {
    fail("limits", "batch {} has {} events of {}", batch.id, batch.count, limits.batch_max_events);
  }
  if (batch.count > 1 && batch.size_bytes > limits.batch_max_bytes) {
    fail("limits", "batch {} has {} bytes of {}", batch.id, batch.size_bytes,
         limits.batch_max_bytes);
  }
  const auto cut = webhook.cuts.upper_bound(batch.first);
  if (cut != webhook.cuts.end() && *cut < batch.first + batch.count) {
    fail("limits", "batch {} reaches over a change, a flush or the close", batch.id);
  }
  if (!has_reason(batch, webhook)) {
    fail("limits", "batch {} was sealed with {} events for no reason", batch.id, batch.count);
  }
}

// Count, age, bytes, or a change behind its last event.
bool Ledger::has_reason(const Batch& batch, const Webhook& webhook) const {
  const size_t end = batch.first + batch.count;
  if (webhook.cuts.contains(end)) return true;
  const Instant first = events_[webhook.stream[batch.first].number].pushed;
  const size_t first_version = webhook.stream[batch.first].version;
  for (size_t i = first_version; i < webhook.versions.size(); ++i) {
    if (first + webhook.versions[i]->settings.batch_max_age <= engine_->clock().now()) return true;
  }
  const size_t last_version = webhook.stream[end - 1].version;
  if (batch.count >= webhook.versions[last_version]->settings.batch_max_events) return true;
  const uint64_t next_bytes =
      end < webhook.stream.size() ? events_[webhook.stream[end].number].size_bytes : 0;
  for (const Limit& limit : webhook.learned) {
    if (batch.count >= limit.events || batch.size_bytes + next_bytes > limit.bytes) return true;
  }
  if (end == webhook.stream.size()) return false;
  const Event& next = events_[webhook.stream[end].number];
  const core::DeliverySettings& limits = webhook.versions[webhook.stream[end].version]->settings;
  return batch.count >= limits.batch_max_events ||
         batch.size_bytes + next.size_bytes > limits.batch_max_bytes ||
         next.pushed - first >= limits.batch_max_age;
}

std::string Ledger::text_of(const Batch& batch) const {
  std::string text = "[";
  text.reserve(batch.size_bytes);
  for (size_t i = batch.first; i < batch.first + batch.count; ++i) {
    const uint64_t number = batch.webhook->stream[i].number;
    const Event& event = events_[number];
    test::append_sim_record(engine_->catalogue(), event.type, number, event.size_bytes, text);
  }
  text.back() = ']';
  return text;
}

void Ledger::check_content(const core::Batch& sealed, const Batch& batch) {
  std::string text(sealed.body.size_bytes(), '\0');
  text.resize(sealed.body.read(0, text.data(), text.size()));
  if (text != text_of(batch)) {
    fail("one_place", "batch {} does not hold the next {} events of its webhook", batch.id,
         batch.count);
  }
}

// A clock that starts with the sealing: it depends on versions that may have changed within this
// very step, so the engine's choice is taken if it is one of the possible.
void Ledger::adopt_clock(Batch& batch, const core::Batch& sealed) {
  batch.expires = sealed.expires;
  batch.left = sealed.expires_after_pause;
  const bool runs = batch.expires != core::kNever || batch.left > Duration::zero();
  if (runs != (batch.endpoint->is_in_trouble || batch.webhook->is_stopped())) {
    fail("expiry", "the clock of new batch {} is wrong: endpoint in trouble {}", batch.id,
         batch.endpoint->is_in_trouble);
  }
  if (!runs) return;
  const Duration length =
      batch.left > Duration::zero() ? batch.left : batch.expires - engine_->clock().now();
  for (const core::WebhookPtr& version : batch.webhook->versions) {
    if (version->settings.retry_max_age == length) return;
  }
  fail("expiry", "the clock of new batch {} starts with {} ns", batch.id, length.count());
}

Ledger::Batch* Ledger::find_batch(const std::string& id, const char* what) {
  const auto place = batches_.find(id);
  if (place == batches_.end()) {
    fail("one_place", "batch {} is {} and was never sealed", id, what);
    return nullptr;
  }
  if (!place->second.is_over) return &place->second;
  fail("one_place", "batch {} is {} after its end", id, what);
  return nullptr;
}

void Ledger::on_begin(const test::SimExchange& exchange) {
  sync_controls();
  scan_sealed();
  tokens_.settle(engine_->clock().now());
  scan_begun();
  ++counts_[std::string("fault ") + test::sim_fault_name(exchange.answer.fault)];
  if (is_token_request(exchange.request)) {
    trace_.line("{} asks {}", engine_->clock().elapsed().count(), exchange.request.url);
    if (const auto finding = tokens_.on_begin(exchange, engine_->clock().now())) {
      fail("token", "{}", *finding);
    }
    return;
  }
  if (exchange.request.keep_response) {
    trace_.line("{} verifying {}", engine_->clock().elapsed().count(), exchange.request.url);
    if (++verifications_count_ > settings_.verify_max_in_flight) {
      fail("in_flight", "{} test POSTs at the same time", verifications_count_);
    }
    return;
  }
  const std::string id = batch_id_of(exchange.request);
  Batch* const batch = find_batch(id, "sent");
  if (!batch) return;
  trace_.line("{} begins {} {}", engine_->clock().elapsed().count(), id, exchange.request.url);
  if (exchange.request.url != batch->endpoint->url) {
    fail("target", "batch {} goes to {} instead of {}", id, exchange.request.url,
         batch->endpoint->url);
  }
  if (batch->is_sent || !batch->is_in_flight) fail("in_flight", "{} is sent twice at a time", id);
  batch->is_sent = true;
  check_request(*batch, exchange.request);
  batch->completion.reset();
}

void Ledger::check_begin(const Batch& batch) {
  const core::DeliverySettings& settings = batch.webhook->current().settings;
  const Endpoint& endpoint = *batch.endpoint;
  if (batch.webhook->is_held()) fail("pause", "batch {} is sent while it is paused", batch.id);
  if (batch.webhook->is_stopped()) fail("pause", "batch {} is sent while disabled", batch.id);
  if (batch.must_split) fail("split", "batch {} is sent whole", batch.id);
  if (endpoint.limit.holds(engine_->clock().now()) && batch.count > 1 &&
      !endpoint.limit.fits(batch)) {
    fail("limits", "batch {} is larger than {} was seen to take", batch.id, endpoint.url);
  }
  if (engine_->clock().now() < batch.webhook->rate_next) {
    fail("rate", "batch {} is sent before the rate allows it", batch.id);
  }
  if (endpoint.running_count >= settings.request_max_in_flight) {
    fail("in_flight", "{} requests run to {} already, of {}", endpoint.running_count, endpoint.url,
         settings.request_max_in_flight);
  }
  if (running_count_ >= settings_.connections_max) {
    fail("in_flight", "{} requests run already, of {}", running_count_, settings_.connections_max);
  }
  if (engine_->clock().now() >= batch.expires) {
    fail("expiry", "batch {} is tried {} ns after its end", batch.id,
         (engine_->clock().now() - batch.expires).count());
  }
}

// Order and due times.
void Ledger::check_turn(const Batch& batch) {
  const Endpoint& endpoint = *batch.endpoint;
  const auto place = endpoint.waiting.find(batch.sequence);
  if (place == endpoint.waiting.end()) return fail("one_place", "{} did not wait", batch.id);
  if (endpoint.is_in_trouble) return check_turn_in_trouble(batch);
  if (batch.is_suspect) return check_turn_of_family(batch);
  for (auto earlier = endpoint.waiting.begin(); earlier != place; ++earlier) {
    if (earlier->second->is_suspect) continue;
    fail("order", "batch {} overtakes {}", batch.id, earlier->second->id);
  }
}

void Ledger::on_end(const test::SimExchange& exchange) {
  if (is_token_request(exchange.request)) return tokens_.on_end(exchange);
  const int32_t status = exchange.completion.status;
  if (!exchange.is_cancelled && (status == 400 || status == 401)) {
    tokens_.on_refused(token_of(exchange.request));
  }
  if (exchange.request.keep_response) {
    --verifications_count_;
    return check_test_post(exchange);
  }
  const auto place = batches_.find(batch_id_of(exchange.request));
  if (place == batches_.end()) return;
  Batch& batch = place->second;
  batch.is_sent = false;
  check_body(batch, exchange);
  if (exchange.is_cancelled) {
    ++counts_["attempt cancelled"];
    return take_back(batch);
  }
  batch.completion = exchange.completion;
}

// Its attempt is over.
void Ledger::land(Batch& batch) {
  --batch.endpoint->running_count;
  --running_count_;
  if (batch.is_probe) --probes_count_;
  batch.is_in_flight = false;
  land_in_family(batch);
}

// Likewise, and counts for nothing.
void Ledger::take_back(Batch& batch) {
  land(batch);
  batch.endpoint->waiting[batch.sequence] = &batch;
  if (batch.endpoint->is_in_trouble || batch.webhook->is_stopped()) start_clock(batch);
  if (batch.webhook->is_held()) freeze_clock(batch);
}

void Ledger::on_settled(const spool::AttemptRecord& attempt) {
  // Others that were settled in this step may have been taken apart since.
  scan_parts();
  Batch* const batch = find_batch(attempt.batch_id, "settled");
  if (!batch) return;
  tokens_.settle(engine_->clock().now());
  if (attempt.network_name == "EAUTH") settle_without_end(*batch, attempt);
  if (!batch->completion) return fail("one_place", "{} settled without an end", batch->id);
  const transport::Completion completion = *std::exchange(batch->completion, std::nullopt);
  if (completion.status != attempt.status || attempt.events_count != batch->count) {
    fail("reports", "the log of attempts is wrong about batch {}", batch->id);
  }
  trace_.line("{} settled {} {} {}", engine_->clock().elapsed().count(), batch->id,
              completion.status, completion.network_name);
  ++batch->webhook->attempts;
  ++counts_[completion.status == 0 ? "end " + completion.network_name
                                   : fmt::format("end {}xx", completion.status / 100)];
  check_renewal(*batch, completion);
  if (is_coding_refused(*batch, completion)) {
    ++counts_["coding refused"];
    ++expected_attempt_reports_;
    batch->refuses_coding = true;
    return take_back(*batch);
  }
  settle(*batch, completion);
  // Corrected credentials came too late for this attempt.
  const core::Webhook& begun = *batch->webhook->versions[batch->begun_version];
  const bool is_refused = completion.status == 401 || completion.status == 403;
  if (is_refused && begun.origin == batch->webhook->current().origin) {
    correct_credentials(*batch->webhook, begun);
  }
  const bool is_delivered = batch->is_over;
  if (attempt.is_delivered != is_delivered) {
    fail("one_place", "batch {} with status {} is taken for {}", batch->id, completion.status,
         attempt.is_delivered ? "delivered" : "failed");
  }
}

void Ledger::settle(Batch& batch, const transport::Completion& completion) {
  Endpoint& endpoint = *batch.endpoint;
  land(batch);
  batch.is_settled = true;
  batch.is_too_large = completion.status == 413;
  const Whose whose = whose_trouble(completion);
  if (whose != Whose::Nobody) {
    ++counts_[whose == Whose::Batches ? "outcome content failure" : "outcome mute failure"];
    fail_attempt(batch, whose == Whose::Batches, completion);
    return;
  }
  endpoint.slow_count = 0;
  if (endpoint.limit.is_on_trial) {
    const bool helped = batch.is_part() && endpoint.limit.fits(batch);
    ++counts_[helped ? "limit learned from time-outs" : "limit not kept"];
    if (!helped) endpoint.limit = {};
    endpoint.limit.is_on_trial = false;
    endpoint.limit.until = engine_->clock().now() + core::kLearnedLimitAge;
    if (helped) batch.webhook->learned.push_back(endpoint.limit);
  }
  if (const auto family = endpoint.families.find(batch.family());
      family != endpoint.families.end()) {
    family->second.failures_count = 0;
    family->second.not_before = family->second.not_after = engine_->clock().now();
  }
  ++counts_["outcome delivered"];
  ++expected_attempt_reports_;
  endpoint.content_failures.clear();
  batch.webhook->delivered_events += batch.count;
  ++batch.webhook->delivered_batches;
  finish(batch);
  if (endpoint.is_in_trouble) recover(endpoint);
}

void Ledger::fail_attempt(Batch& batch, bool is_content, const transport::Completion& completion) {
  Endpoint& endpoint = *batch.endpoint;
  const Instant now = engine_->clock().now();
  const core::DeliverySettings& settings = batch.webhook->current().settings;
  ++batch.failures_count;
  start_clock(batch);
  if (is_content) {
    ++batch.content_failures_count;
    batch.is_suspect = true;
    if (batch.counts_against_endpoint && !endpoint.is_in_trouble) {
      endpoint.content_failures.insert(batch.family());
    }
  }
  learn(batch, completion);
  if (!endpoint.is_in_trouble &&
      (!is_content || endpoint.content_failures.size() >= core::kContentFailuresInARow)) {
    ++counts_[is_content ? "endpoint fell by content" : "endpoint fell"];
    endpoint.is_in_trouble = true;
    endpoint.failures_count = 1;
    endpoint.content_failures.clear();
    endpoint.has_guessed = false;
    std::erase_if(endpoint.families,
                  [](const auto& entry) { return entry.second.running_count == 0; });
    const Delay delay = delay_of(settings, 1);
    endpoint.not_before = now + delay.least;
    endpoint.not_after = now + delay.most;
    for (const auto& [sequence, waiting] : endpoint.waiting) start_clock(*waiting);
  } else if (batch.is_probe) {
    ++counts_["probe failed"];
    ++endpoint.failures_count;
    const Delay delay = delay_of(settings, endpoint.failures_count);
    endpoint.not_before = now + delay.least;
    endpoint.not_after = now + delay.most;
  }
  if (endpoint.is_in_trouble) {
    ask_for_time(endpoint, batch, completion);
  } else {
    ++counts_["batch in trouble"];
    fail_family(batch);
  }
  const bool was_probe = std::exchange(batch.is_probe, false);
  endpoint.waiting[batch.sequence] = &batch;
  const bool is_dropped = now >= batch.expires && !batch.webhook->is_held();
  const bool is_refused = batch.is_too_large && batch.count == 1;
  if (!is_dropped && !is_refused &&
      !(batch.webhook->is_removal_applied && batch.webhook->drops_queued)) {
    ++expected_attempt_reports_;
    const bool has_failed_enough =
        is_content && (batch.is_part() || batch.content_failures_count >= 3);
    const bool was_probed = was_probe && batch.content_failures_count > 0;
    batch.must_split = batch.count > 1 && (batch.is_too_large || has_failed_enough || was_probed);
    if (batch.must_split) ++counts_["batch split"];
  }
  if (batch.webhook->is_held()) freeze_clock(batch);
}

// The batch, and what it is part of, wait as long as the failures since the last success say.
void Ledger::fail_family(const Batch& batch) {
  Family& family = batch.endpoint->families[batch.family()];
  ++family.failures_count;
  const Delay delay = delay_of(batch.webhook->current().settings, family.failures_count);
  family.not_before = std::max(family.not_before, engine_->clock().now() + delay.least);
  family.not_after = std::max(family.not_after, engine_->clock().now() + delay.most);
}

// Retry-After of 429 and 503, in seconds: the simulation's receivers write no dates.
void Ledger::ask_for_time(Endpoint& endpoint, const Batch& batch,
                          const transport::Completion& completion) {
  const std::string& text = completion.retry_after;
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number || (completion.status != 429 && completion.status != 503)) return;
  ++counts_["endpoint asked for time"];
  const Duration asked = std::min<Duration>(std::chrono::seconds(std::stoll(text)),
                                            batch.webhook->current().settings.retry_max_age);
  const Instant then = engine_->clock().now() + asked;
  endpoint.not_before = std::max(endpoint.not_before, then);
  endpoint.not_after = std::max(endpoint.not_after, then);
}

void Ledger::start_clock(Batch& batch) {
  if (batch.expires != core::kNever || batch.left > Duration::zero()) return;
  const Duration length = batch.webhook->current().settings.retry_max_age;
  batch.expires = engine_->clock().now() + length;
  if (batch.webhook->is_held() && !batch.is_in_flight) freeze_clock(batch);
}

void Ledger::freeze_clock(Batch& batch) {
  if (batch.expires == core::kNever) return;
  batch.left = std::max(batch.expires - engine_->clock().now(), Duration(1));
  batch.expires = core::kNever;
}

void Ledger::recover(Endpoint& endpoint) {
  ++counts_["endpoint recovered"];
  endpoint.is_in_trouble = false;
  endpoint.failures_count = 0;
  const Instant now = engine_->clock().now();
  for (const auto& [sequence, batch] : endpoint.waiting) {
    if (batch->failures_count == 0 && !batch->keeps_clock && !batch->webhook->is_stopped()) {
      batch->expires = core::kNever;
      batch->left = Duration::zero();
    }
    if (!batch->is_suspect) continue;
    batch->counts_against_endpoint = false;
    Family& family = endpoint.families[batch->family()];
    family.failures_count = std::max(family.failures_count, batch->content_failures_count);
    const Delay delay =
        batch->content_failures_count == 0
            ? Delay{Duration::zero(), Duration::zero()}
            : delay_of(batch->webhook->current().settings, batch->content_failures_count);
    family.not_before = std::max(family.not_before, now + delay.least);
    family.not_after = std::max(family.not_after, now + delay.most);
  }
}

void Ledger::finish(Batch& batch) {
  batch.is_over = true;
  --batch.webhook->live_batches;
  batch.endpoint->waiting.erase(batch.sequence);
  // With the last of a family that is in trouble its failures are forgotten.
  const auto family = batch.endpoint->families.find(batch.family());
  if (family != batch.endpoint->families.end() && family->second.running_count == 0 &&
      !best_of(*batch.endpoint, batch.family(), true)) {
    batch.endpoint->families.erase(family);
  }
  live_.erase(batch.sequence);
}

void Ledger::on_drop(const test::SimDrop& drop) {
  sync_controls();
  scan_sealed();
  Batch* const batch = find_batch(drop.batch_id, "dropped");
  if (!batch) return;
  trace_.line("{} dropped {} {} {}", engine_->clock().elapsed().count(), drop.batch_id,
              drop.events_count, drop.reason);
  ++counts_["drop " + drop.reason];
  if (drop.events_count != batch->count) {
    fail("reports", "the drop of batch {} tells {} events of {}", batch->id, drop.events_count,
         batch->count);
  }
  // What waits for its coding or for a token at the close was never sent.
  if (batch->is_in_flight && is_closing_ && !batch->is_sent && !batch->completion) {
    ++counts_["attempt given up unsent"];
    take_back(*batch);
  }
  if (batch->is_in_flight) fail("one_place", "batch {} is dropped in flight", batch->id);
  check_drop(*batch, drop.reason);
  finish(*batch);
}

void Ledger::check_drop(const Batch& batch, const std::string& reason) {
  Webhook& webhook = *batch.webhook;
  const Instant now = engine_->clock().now();
  auto kind = engine::DropReason::Closed;
  if (reason == "expired") {
    kind = engine::DropReason::Expired;
    if (now < batch.expires) fail("expiry", "batch {} expires early", batch.id);
  } else if (reason == "quota") {
    kind = engine::DropReason::Quota;
    if (!may_lose(webhook)) {
      fail("slow_loses_nothing", "batch {} of webhook {}, which is merely slow, is dropped",
           batch.id, webhook.current().id);
    }
  } else if (reason == "refused") {
    kind = engine::DropReason::Refused;
    if (batch.count != 1 || !batch.is_too_large) {
      fail("one_place", "batch {} of {} events was not refused alone", batch.id, batch.count);
    }
  } else if (reason == "removed") {
    kind = engine::DropReason::Removed;
    if (!webhook.is_removal_applied || !webhook.drops_queued) {
      fail("one_place", "batch {} is dropped with a webhook that was not removed", batch.id);
    }
  } else {
    closed_drops_ += batch.count;
    if (!is_closing_) fail("one_place", "batch {} is dropped before the close", batch.id);
  }
  webhook.dropped_events[static_cast<size_t>(kind)] += batch.count;
  ++webhook.dropped_batches;
}

// In trouble, paused, or beside another webhook that keeps up (design 2c).
bool Ledger::may_lose(const Webhook& webhook) const {
  if (webhook.current().is_paused || webhook.current().is_disabled) return true;
  for (const auto& [revision, endpoint] : webhook.endpoints) {
    if (endpoint.is_in_trouble) return true;
    for (const auto& [sequence, batch] : endpoint.waiting) {
      if (batch->is_suspect) return true;
    }
  }
  return std::any_of(webhooks_.begin(), webhooks_.end(), [&](const auto& entry) {
    const Webhook& other = entry.second;
    return &other != &webhook && !other.is_removal_applied && core::takes_events(other.current());
  });
}

}  // namespace posthaste::simulation
