// Batches that are taken apart, in the model: their parts, whose turn it is among them, and what an
// endpoint was seen to take.
#include <algorithm>

#include "core/limits.h"
#include "simulation/ledger.h"

namespace posthaste::simulation {

using core::Instant;

// Batches that gave way to parts since the last look.
void Ledger::scan_parts() {
  const bool is_split = std::any_of(webhooks_.begin(), webhooks_.end(), [&](auto& entry) {
    Webhook& webhook = entry.second;
    if (!webhook.counters) webhook.counters = engine_->counters_of(entry.first);
    return webhook.counters && webhook.counters->batches_split.get() != webhook.split_batches;
  });
  if (!is_split) return;
  const auto& all = engine_->delivery().scheduler().batches();
  std::vector<Batch*> gone;
  for (const auto& [sequence, batch] : live_) {
    if (!all.contains(sequence)) gone.push_back(batch);
  }
  for (Batch* whole : gone) {
    std::vector<const core::Batch*> parts;
    for (auto place = all.lower_bound(whole->family());
         place != all.end() && core::family_of(place->first) == whole->family(); ++place) {
      if (live_.contains(place->first)) continue;
      const uint32_t at = core::first_event_of(place->first, place->second->body.events_count());
      const uint32_t first =
          core::first_event_of(whole->sequence, static_cast<uint32_t>(whole->count));
      if (at >= first && at < first + whole->count) parts.push_back(place->second.get());
    }
    replace(*whole, parts);
    if (violation_) return;
  }
  for (auto& [generation, webhook] : webhooks_) {
    if (webhook.counters) webhook.split_batches = webhook.counters->batches_split.get();
  }
}

// Of one batch: the parts hold all of its events, in their order, and go on as it would have.
void Ledger::replace(Batch& whole, const std::vector<const core::Batch*>& parts) {
  check_split(whole);
  Endpoint& endpoint = *whole.endpoint;
  Webhook& webhook = *whole.webhook;
  size_t first = whole.first;
  for (const core::Batch* part : parts) {
    Batch batch;
    batch.id = part->id;
    batch.sequence = part->sequence;
    batch.webhook = whole.webhook;
    batch.endpoint = whole.endpoint;
    batch.first = first;
    batch.count = part->body.events_count();
    batch.size_bytes = part->body.size_bytes();
    batch.is_settled = whole.is_settled;
    batch.counts_against_endpoint = whole.counts_against_endpoint;
    batch.is_suspect = whole.is_suspect;
    batch.refuses_coding = whole.refuses_coding;
    batch.keeps_clock = whole.keeps_clock || whole.failures_count > 0;
    batch.expires = whole.expires;
    batch.left = whole.left;
    first += batch.count;
    if (first > whole.first + whole.count) break;
    check_content(*part, batch);
    trace_.line("part {} of {}: {}+{}", batch.id, whole.id, batch.first, batch.count);
    ++counts_["part made"];
    const auto [place, is_new] = batches_.emplace(batch.id, batch);
    if (!is_new) return fail("one_place", "two batches have the id {}", batch.id);
    live_[batch.sequence] = &place->second;
    endpoint.waiting[batch.sequence] = &place->second;
    ++webhook.live_batches;
  }
  if (first != whole.first + whole.count || parts.size() < 2) {
    return fail("one_place", "the {} parts of batch {} do not hold its {} events", parts.size(),
                whole.id, whole.count);
  }
  whole.must_split = false;
  whole.is_over = true;
  --webhook.live_batches;
  endpoint.waiting.erase(whole.sequence);
  live_.erase(whole.sequence);
}

void Ledger::check_split(const Batch& whole) {
  const Limit& limit = whole.endpoint->limit;
  const bool is_large = limit.holds(engine_->clock().now()) && !limit.fits(whole);
  if (whole.is_in_flight) fail("split", "batch {} is taken apart in flight", whole.id);
  if (!whole.must_split && !is_large)
    fail("split", "batch {} is taken apart for no reason", whole.id);
}

void Ledger::check_turn_in_trouble(const Batch& batch) {
  const Endpoint& endpoint = *batch.endpoint;
  if (engine_->clock().now() < endpoint.not_before) {
    fail("due", "a probe of {} comes early", endpoint.url);
  }
  if (endpoint.running_count > 0) fail("in_flight", "a second probe of {}", endpoint.url);
  if (probes_count_ >= std::max(1u, settings_.connections_max / 2)) {
    fail("in_flight", "{} probes run already", probes_count_);
  }
  std::set<uint64_t> hopeful;
  for (const auto& [sequence, waiting] : endpoint.waiting) {
    if (!waiting->is_spent()) hopeful.insert(waiting->family());
  }
  std::set<uint64_t> older;
  for (const auto& [sequence, waiting] : endpoint.waiting) {
    if (waiting->family() >= batch.family()) break;
    if (hopeful.empty() || hopeful.contains(waiting->family())) older.insert(waiting->family());
  }
  if (!hopeful.empty() && !hopeful.contains(batch.family())) {
    fail("order", "batch {} was refused alone, and others were not", batch.id);
  }
  if (older.size() >= core::kProbeBatches) {
    fail("order", "batch {} is no candidate for a probe", batch.id);
  }
  if (best_of(endpoint, batch.family(), false) != &batch) {
    fail("order", "batch {} is not the part that says most", batch.id);
  }
}

void Ledger::check_turn_of_family(const Batch& batch) {
  const Endpoint& endpoint = *batch.endpoint;
  const auto family = endpoint.families.find(batch.family());
  if (family == endpoint.families.end()) return fail("due", "batch {} is not due", batch.id);
  if (engine_->clock().now() < family->second.not_before) {
    fail("due", "batch {} is tried again early", batch.id);
  }
  if (family->second.running_count > 0) {
    fail("in_flight", "a second part beside batch {} is tried", batch.id);
  }
  if (best_of(endpoint, batch.family(), true) != &batch) {
    fail("order", "batch {} is not the part that says most", batch.id);
  }
}

// The largest; single events that were refused come last, those with fewer failures first.
const Ledger::Batch* Ledger::best_of(const Endpoint& endpoint, uint64_t family,
                                     bool suspects_only) {
  const auto spent = [](const Batch& batch) {
    return batch.is_spent() ? batch.content_failures_count : 0;
  };
  const Batch* best = nullptr;
  for (auto place = endpoint.waiting.lower_bound(family);
       place != endpoint.waiting.end() && place->second->family() == family; ++place) {
    const Batch& other = *place->second;
    if (suspects_only && !other.is_suspect) continue;
    const bool is_better = !best || spent(other) < spent(*best) ||
                           (spent(other) == spent(*best) && other.count > best->count);
    if (is_better) best = &other;
  }
  return best;
}

// A trouble of the endpoint is the end of what was counted for families.
void Ledger::land_in_family(Batch& batch) {
  if (!std::exchange(batch.is_of_family, false)) return;
  auto& families = batch.endpoint->families;
  const uint32_t running_count = --families[batch.family()].running_count;
  if (batch.endpoint->is_in_trouble && running_count == 0) families.erase(batch.family());
}

// Half of what was too large, or came too slowly three times in a row.
void Ledger::learn(Batch& batch, const transport::Completion& completion) {
  Endpoint& endpoint = *batch.endpoint;
  Limit& limit = endpoint.limit;
  const Instant now = engine_->clock().now();
  const Limit half{batch.count / 2, batch.size_bytes / 2, now + core::kLearnedLimitAge, false};
  if (batch.is_too_large && half.events > 0) {
    const bool is_known = limit.holds(now) && !limit.is_on_trial;
    const Limit before = limit;
    limit = half;
    if (is_known) {
      limit.events = std::min(limit.events, before.events);
      limit.bytes = std::min(limit.bytes, before.bytes);
    }
    batch.webhook->learned.push_back(limit);
    ++counts_["limit learned from 413"];
  }
  if (completion.status != 0 || !completion.timed_out || !completion.connected) {
    endpoint.slow_count = 0;
    return;
  }
  if (limit.is_on_trial && batch.is_part() && limit.fits(batch)) limit = {};
  if (++endpoint.slow_count < 3 || endpoint.has_guessed || batch.count <= 100) return;
  endpoint.has_guessed = true;
  ++counts_["limit guessed"];
  limit = {std::max<size_t>(100, half.events), half.bytes, core::kNever, true};
}

}  // namespace posthaste::simulation
