// The memory rules of design 2c: what waits is copied out of the intake's segments, charged to its
// webhook, and given up oldest first when a webhook in trouble wants more than its share.
#include <algorithm>

#include "core/deliberate_break.h"
#include "core/limits.h"
#include "engine/delivery_parts.h"

namespace posthaste::engine {
namespace {

// An endpoint that took a batch this recently is slow at worst, not silent; see
// docs/decisions/0002.
constexpr core::Duration kMovingFor = std::chrono::milliseconds(200);
// One that took none for this long holds the others up, and loses batches rather than that.
constexpr core::Duration kSlowAfter = std::chrono::seconds(1);

}  // namespace

void Delivery::detach(core::Batch& batch) {
  const std::lock_guard lock(lent_mutex_);
  Record& record = *static_cast<Target*>(batch.endpoint->owner)->record;
  if (batch.is_stored) {
    record.charged_bytes -= batch.body.owned_bytes();
    charged_bytes_ -= batch.body.owned_bytes();
    record.counters->waiting_memory_bytes.set(record.charged_bytes);
    batch.body.release();
    return;
  }
  const uint64_t before = batch.body.owned_bytes();
  batch.body.detach();
  const uint64_t added = batch.body.owned_bytes() - before;
  record.charged_bytes += added;
  charged_bytes_ += added;
  record.counters->waiting_memory_bytes.set(record.charged_bytes);
}

// What waits behind an endpoint in trouble is detached at once: segments live only from push to
// first attempt.
void Delivery::detach_waiting(core::Endpoint& endpoint) {
  Record& record = *static_cast<Target*>(endpoint.owner)->record;
  std::vector<uint64_t> sequences;
  for (const auto& [sequence, batch] : endpoint.queue) sequences.push_back(sequence);
  for (const uint64_t sequence : sequences) {
    const auto place = endpoint.queue.find(sequence);
    if (place == endpoint.queue.end()) continue;
    detach(*place->second);
    enforce_limits(record);
  }
}

bool Delivery::is_in_trouble(const Record& record) const {
  if (record.webhook->is_paused || record.webhook->is_disabled) return true;
  return std::any_of(record.targets.begin(), record.targets.end(), [](const auto& target) {
    return target->endpoint.is_in_trouble || !target->endpoint.troubled.empty();
  });
}

bool Delivery::is_over_quota(const Record& record, uint64_t extra_bytes) const {
  return record.memory_bytes() + extra_bytes > record.webhook->settings.max_waiting_bytes;
}

bool Delivery::is_over_total(uint64_t extra_bytes) const {
  return charged_bytes_ + batcher_.owned_bytes() + extra_bytes > settings_.waiting_max_bytes;
}

// Copies that spare a segment stay within the quotas, else slow webhooks would grow without end.
bool Delivery::may_copy(const Record& record, uint64_t extra_bytes) const {
  if (core::is_broken(core::Break::GreedyCopies)) return true;
  return !is_over_quota(record, extra_bytes) && !is_over_total(extra_bytes);
}

// Its endpoint began an attempt within that time, so it answers.
bool Delivery::is_moving(const Record& record, core::Duration within) const {
  return now_ - record.last_start < within;
}

// Who is merely slower than the host loses nothing; the intake fills instead and push says so.
bool Delivery::may_lose(const Record& record) const {
  if (core::is_broken(core::Break::SlowLoses)) return true;
  if (is_in_trouble(record)) return true;
  if (!is_over_quota(record, 0) || is_moving(record, kSlowAfter)) return false;
  return std::any_of(records_.begin(), records_.end(), [&](const auto& entry) {
    const Record& other = *entry.second;
    return &other != &record && !other.is_removed && core::takes_events(*other.webhook) &&
           !is_over_quota(other, 0);
  });
}

core::Batch* Delivery::oldest_waiting(const Record& record) {
  core::Batch* oldest = nullptr;
  for (const auto& target : record.targets) {
    core::Batch* const candidate = core::RetryScheduler::oldest_waiting(target->endpoint);
    if (candidate && (!oldest || candidate->sequence < oldest->sequence)) oldest = candidate;
  }
  return oldest;
}

bool Delivery::drop_oldest(Record& record) {
  core::Batch* const oldest = oldest_waiting(record);
  if (!oldest) return false;
  drop(*oldest, DropReason::Quota);
  // Whoever makes room may go through the records, so it is the step that lets go of one.
  needs_tidy_ = needs_tidy_ || record.is_removed;
  return true;
}

// The webhook that uses most of the memory for waiting batches, and has one that it may lose; null
// when there is none.
Delivery::Record* Delivery::most_charged() {
  Record* most = nullptr;
  for (const auto& [generation, record] : records_) {
    if (record->charged_bytes <= (most ? most->charged_bytes : 0)) continue;
    if (oldest_waiting(*record) && may_lose(*record)) most = record.get();
  }
  return most;
}

// is_outpaced: others keep up with the host, and this one may lose batches even when it is merely
// slow.
bool Delivery::make_room(Record& record, uint64_t extra_bytes, bool is_outpaced) {
  if (core::is_broken(core::Break::UnboundedWaiting)) return true;
  if (spool_ && is_over_quota(record, extra_bytes)) forget_copies(record);
  if (spool_ && is_over_total(extra_bytes)) {
    for (const auto& [generation, other] : records_) forget_copies(*other);
  }
  while (is_over_quota(record, extra_bytes)) {
    if (!is_outpaced && !may_lose(record)) return false;
    if (!drop_oldest(record)) return false;
  }
  while (is_over_total(extra_bytes)) {
    Record* const most = most_charged();
    if (!most || !drop_oldest(*most)) return false;
  }
  return true;
}

// What the journal has need not be in memory.
void Delivery::forget_copies(Record& record) {
  for (const auto& target : record.targets) {
    for (const auto* batches : {&target->endpoint.queue, &target->endpoint.troubled}) {
      for (const auto& [sequence, batch] : *batches) {
        if (batch->is_stored) detach(*batch);
      }
    }
  }
  if (record.subscriber.open.is_journaled()) batcher_.release(record.subscriber);
}

void Delivery::enforce_limits(Record& record) {
  make_room(record, 0, false);
}

// Frees the older half of a half-full intake: batches are detached oldest first, waiting ones, then
// open ones, then those in flight, each charged to its webhook.
void Delivery::relieve_intake() {
  if (intake_.used_bytes() * 2 <= intake_.max_bytes()) return;
  const uint64_t newest = intake_.newest_sequence();
  const bool is_known = newest == relieved_at_sequence_ && now_ - relieved_at_ < kMovingFor;
  if (is_known) return;
  relieved_at_sequence_ = newest;
  relieved_at_ = now_;
  const uint64_t half = intake_.max_bytes() / 2 / core::kSegmentMemory;
  const uint64_t threshold = newest > half ? newest - half : 0;

  std::vector<Record*> lagging;
  core::TypeSet kept_up;  // types for which somebody keeps up with the host
  for (const auto& [generation, record] : records_) {
    if (is_lagging(*record, threshold)) {
      lagging.push_back(record.get());
    } else if (!record->is_removed && core::takes_events(*record->webhook) &&
               !is_in_trouble(*record)) {
      kept_up |= record->webhook->types;
    }
  }
  for (Record* record : lagging) {
    // With a journal behind it the intake need not fill up on account of a slow receiver.
    const bool is_urgent = spool_ && intake_.used_bytes() * 4 > intake_.max_bytes() * 3;
    if (is_moving(*record, kMovingFor) && !is_in_trouble(*record) && !is_urgent) continue;
    const bool is_outpaced =
        (kept_up & record->webhook->types).any() && !is_moving(*record, kSlowAfter);
    relieve(*record, threshold, is_outpaced);
  }
}

bool Delivery::is_lagging(const Record& record, uint64_t threshold) const {
  if (record.subscriber.open.oldest_sequence() <= threshold) return true;
  for (const auto& target : record.targets) {
    for (const auto* batches : {&target->endpoint.queue, &target->endpoint.troubled}) {
      for (const auto& [sequence, batch] : *batches) {
        if (batch->body.oldest_sequence() <= threshold) return true;
      }
    }
  }
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const auto& entry) {
    const core::Batch& batch = *entry.second->batch;
    return static_cast<Target*>(batch.endpoint->owner)->record == &record &&
           batch.body.oldest_sequence() <= threshold;
  });
}

void Delivery::relieve(Record& record, uint64_t threshold, bool is_outpaced) {
  std::vector<uint64_t> waiting;
  std::vector<core::Batch*> in_flight;
  for (const auto& [sequence, batch] : scheduler_.batches()) {
    if (static_cast<Target*>(batch->endpoint->owner)->record != &record) continue;
    if (batch->body.oldest_sequence() > threshold) continue;
    if (batch->is_in_flight) {
      in_flight.push_back(batch.get());
    } else {
      waiting.push_back(sequence);
    }
  }
  // What a copy would take; none is needed of what the spool can give back.
  const auto shared = [](const core::BatchBody& body, bool is_stored) {
    return is_stored ? 0 : body.records_bytes() - body.owned_bytes();
  };
  for (const uint64_t sequence : waiting) {
    const auto place = scheduler_.batches().find(sequence);
    if (place == scheduler_.batches().end()) continue;
    const core::Batch& batch = *place->second;
    if (!make_room(record, shared(batch.body, batch.is_stored), is_outpaced)) return;
    // Making room may have taken this very batch.
    const auto still = scheduler_.batches().find(sequence);
    if (still != scheduler_.batches().end()) detach(*still->second);
  }
  core::BatchBody& open = record.subscriber.open;
  if (open.oldest_sequence() <= threshold) {
    const bool is_journaled = spool_ && open.is_journaled();
    if (!make_room(record, shared(open, is_journaled), is_outpaced)) return;
    if (is_journaled) {
      batcher_.release(record.subscriber);
    } else {
      batcher_.detach(record.subscriber);
    }
  }
  for (core::Batch* batch : in_flight) {
    if (!make_room(record, shared(batch->body, batch->is_stored), is_outpaced)) return;
    detach(*batch);
  }
}

}  // namespace posthaste::engine
