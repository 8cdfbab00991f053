// What operators ask of the delivery step: batches that are tried now, dead letters that become
// batches again, webhooks whose backlog is given up; and the rates that say how long an outage the
// spool would cover.
#include <algorithm>
#include <utility>

#include "engine/delivery_parts.h"

namespace posthaste::engine {
namespace {

// Rates are smoothed over a minute; fed more often they would cost more and say the same.
constexpr core::Duration kMeterEvery = std::chrono::seconds(1);

void count(spool::Sums& sums, const core::Batch& batch) {
  ++sums.batches_count;
  sums.events_count += batch.body.events_count();
  sums.size_bytes += batch.body.size_bytes();
}

}  // namespace

// False for every other control.
bool Delivery::take_operator_control(Control& control) {
  if (const auto* retry = std::get_if<RetryNowControl>(&control)) {
    retry_now(*retry);
  } else if (auto* replayed = std::get_if<ReplayControl>(&control)) {
    replay(*replayed);
  } else if (auto* removal = std::get_if<DeleteDeadLettersControl>(&control)) {
    last_operation_ = spool_->store().delete_dead_letters(std::move(removal->filter));
    syncs_.push_back({last_operation_, std::move(removal->done)});
  } else if (auto* purged = std::get_if<PurgeControl>(&control)) {
    purge(*purged);
  } else {
    return false;
  }
  return true;
}

void Delivery::retry_now(const RetryNowControl& control) {
  for (const auto& [generation, record] : records_) {
    if (control.generation && *control.generation != generation) continue;
    for (const auto& target : record->targets) scheduler_.retry_now(target->endpoint, now_);
  }
}

// ---- Replay

void Delivery::replay(ReplayControl& control) {
  Replay replay;
  replay.sums = std::move(control.sums);
  replay.done = std::move(control.done);
  spool_->store().begin_group();
  for (const auto& [letter, generation] : control.letters) {
    if (!is_replayable(letter.sequence)) continue;
    Target& target = *records_.at(generation)->targets.back();
    last_operation_ = spool_->store().replay_dead_letter(letter.sequence, generation,
                                                         target.webhook->target_revision);
    auto batch = std::make_unique<core::Batch>();
    batch->id = letter.id;
    batch->sequence = letter.sequence;
    batch->body = core::BatchBody::released(letter.size_bytes, letter.events_count);
    batch->sealed = letter.sealed;
    batch->is_stored = true;
    ++target.pending_count;
    replay.batches.emplace_back(std::move(batch), &target);
  }
  spool_->store().end_group();
  replay.operation = last_operation_;
  replays_.push_back(std::move(replay));
}

// What the host found in the database may have been replayed since, by another of its threads.
bool Delivery::is_replayable(uint64_t sequence) const {
  if (scheduler_.batches().count(sequence) > 0) return false;
  return std::none_of(replays_.begin(), replays_.end(), [&](const Replay& replay) {
    return std::any_of(replay.batches.begin(), replay.batches.end(),
                       [&](const auto& entry) { return entry.first->sequence == sequence; });
  });
}

void Delivery::admit_replayed() {
  while (!replays_.empty() && replays_.front().operation <= spool_->store().committed()) {
    make_live(replays_.front());
    if (const Done done = std::move(replays_.front().done)) done({});
    replays_.pop_front();
  }
  const core::ErrorCode health = spool_->health();
  // They take place all the same once the disk works again.
  if (health != core::ErrorCode::Ok) {
    end_replays({{health, "the spool cannot be written", {}}, nullptr, {}});
  }
}

void Delivery::make_live(Replay& replay) {
  for (auto& [batch, target] : replay.batches) {
    --target->pending_count;
    // A dead letter that went before its turn came, by its age or another call, left no body.
    const auto body = spool_->store().open_body(batch->sequence);
    if (!body && body.code() == core::ErrorCode::NotFound) {
      needs_tidy_ = true;
      continue;
    }
    Record& record = *target->record;
    const uint64_t events_count = batch->body.events_count();
    record.counters->batches_replayed.add();
    record.counters->events_replayed.add(events_count);
    record.counters->waiting_batches.add();
    record.counters->waiting_events.add(events_count);
    record.spooled_bytes += batch->body.size_bytes();
    record.counters->spooled_bytes.set(record.spooled_bytes);
    count(*replay.sums, *batch);
    scheduler_.add(std::move(batch), target->endpoint, now_);
  }
}

// Nobody waits for them any more.
void Delivery::end_replays(const Outcome& outcome) {
  for (Replay& replay : replays_) {
    if (const Done done = std::exchange(replay.done, nullptr)) done(outcome);
  }
}

// ---- Purge

void Delivery::purge(PurgeControl& control) {
  Record& record = *records_.at(control.generation);
  spool_->store().begin_group();
  gather(record);
  while (core::Batch* const batch = oldest_waiting(record)) {
    count(*control.sums, *batch);
    drop(*batch, DropReason::Purged);
  }
  spool_->store().end_group();
  tidy(record);
  syncs_.push_back({last_operation_, std::move(control.done)});
}

// Has everything of a webhook wait in the scheduler: what is open, what is not on disk yet, and
// what is on its way, which is broken off.
void Delivery::gather(Record& record) {
  batcher_.seal(record.subscriber);
  collect_sealed();
  admit_unwritten(record);
  for (auto place = attempts_.begin(); place != attempts_.end();) {
    core::Batch& batch = *place->second->batch;
    if (static_cast<Target*>(batch.endpoint->owner)->record != &record) {
      ++place;
      continue;
    }
    transport_.cancel(place->first);
    log_cancelled(batch);
    scheduler_.cancel(batch, now_);
    place = attempts_.erase(place);
  }
}

// For those that are about to be given up: their rows need not be waited for.
void Delivery::admit_unwritten(const Record& record) {
  for (auto place = pending_.begin(); place != pending_.end();) {
    Target& target = *place->target;
    if (target.record != &record) {
      ++place;
      continue;
    }
    --target.pending_count;
    scheduler_.add(std::move(place->batch), target.endpoint, now_);
    place = pending_.erase(place);
  }
}

// ---- Rates

void Delivery::meter_spool() {
  if (now_ < meters_due_) return;
  meters_due_ = now_ + kMeterEvery;
  for (const auto& [generation, record] : records_) {
    record->spool_rate.feed(now_, record->sealed_bytes + record->subscriber.open.size_bytes());
    record->counters->sealed_bytes_per_second.set(
        static_cast<uint64_t>(record->spool_rate.per_second()));
    record->counters->spool_quota_bytes.set(spool_quota(*record));
  }
}

}  // namespace posthaste::engine
