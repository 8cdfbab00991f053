// What durable mode adds to the step (spool.md): batches wait for their rows, changes and outcomes
// become operations of the store, memory is given up instead of events, and quotas are those of the
// disk.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"
#include "core/limits.h"
#include "engine/delivery_parts.h"

namespace posthaste::engine {
namespace {

// Rows that could not be written for so long do not hold their batches up any more.
constexpr core::Duration kUnsecuredAfter = std::chrono::seconds(5);
// How often the place that recovery would start from is written; sooner when much went by, so that
// files of the journal are free for use again.
constexpr core::Duration kCursorEvery = std::chrono::milliseconds(500);
constexpr core::Duration kCursorSoon = std::chrono::milliseconds(20);
constexpr uint64_t kCursorFileShare = 2;

}  // namespace

// ---- Recovery

void Delivery::restore_webhook(const std::vector<core::WebhookPtr>& revisions, bool is_removed,
                               core::StreamPosition takes_from) {
  auto owned = std::make_unique<Record>();
  Record& record = *owned;
  record.webhook = revisions.back();
  record.subscriber.settings = &record.webhook->settings;
  record.subscriber.owner = &record;
  record.subscriber.takes_from = takes_from;
  record.counters = webhook_counters_.add(*record.webhook);
  records_.emplace(record.webhook->generation, std::move(owned));
  for (const core::WebhookPtr& revision : revisions) {
    add_target(record);
    record.targets.back()->webhook = revision;
    // As when it was removed: it drains, also if it was paused.
    if (is_removed) {
      record.targets.back()->endpoint.is_held = !settings_.delivers;
      record.targets.back()->endpoint.is_stopped = false;
    }
  }
  record.is_removed = is_removed;
  if (!is_removed) note_unverified(record.webhook);
  needs_tidy_ = true;
  // One whose time came while nobody ran waits for its first event, too, before which that is
  // written down.
  control_time_ = core::Instant::min();
  if (!is_removed) subscribe(record);
}

void Delivery::restore_batch(const spool::LiveBatch& row) {
  now_ = clock_.now();
  wall_now_ = clock_.wall_now();
  Record& record = *records_.at(row.generation);
  const auto place = std::find_if(
      record.targets.begin(), record.targets.end(),
      [&](const auto& target) { return target->webhook->target_revision == row.target_revision; });
  Target& target = place == record.targets.end() ? *record.targets.back() : **place;

  auto batch = std::make_unique<core::Batch>();
  batch->id = row.id;
  batch->sequence = row.sequence;
  batch->body = core::BatchBody::released(row.size_bytes, row.events_count);
  batch->sealed = row.sealed;
  batch->is_stored = true;
  batch->attempts_count = row.retry.attempts_count;
  batch->failures_count = row.retry.failures_count;
  batch->content_failures_count = row.retry.content_failures_count;
  batch->counts_against_endpoint = row.retry.counts_against_endpoint;
  batch->expires_after_pause = row.retry.clock_left_when_paused;
  const core::DeliverySettings& settings = record.webhook->settings;
  // A clock that was set back must not give a batch more time than a fresh one has, nor hold it up
  // for longer than any retry would.
  if (row.retry.clock_started) {
    const core::Duration age = wall_now_ - *row.retry.clock_started;
    batch->expires = now_ + (settings.retry_max_age - std::max(age, core::Duration::zero()));
  }
  const core::Duration left = row.retry.due - wall_now_;
  batch->due = now_ + std::clamp(left, core::Duration::zero(), settings.retry_max);

  last_sequence_ = std::max(last_sequence_, batch->sequence);
  record.counters->waiting_batches.add();
  record.counters->waiting_events.add(row.events_count);
  record.spooled_bytes += row.size_bytes;
  record.counters->spooled_bytes.set(record.spooled_bytes);
  scheduler_.restore(std::move(batch), target.endpoint, now_);
}

void Delivery::continue_after(uint64_t last_sequence, core::StreamPosition low) {
  last_sequence_ = std::max(last_sequence_, last_sequence);
  routed_ = written_low_ = low;
}

// ---- Webhooks

void Delivery::write_webhook(const core::Webhook& webhook,
                             std::optional<core::WallTime> activates) {
  spool::WebhookRow row;
  row.webhook = webhook;
  row.activates = activates;
  // A change that leaves the open batch open must not pass over its events.
  const core::Subscriber& subscriber = records_.at(webhook.generation)->subscriber;
  const auto& open = subscriber.open.ranges();
  row.sealed_to = std::max(open.empty() ? routed_ : open.front().position, subscriber.takes_from);
  last_operation_ = spool_->store().put_webhook(std::move(row));
}

std::optional<core::WallTime> Delivery::activation_of(const core::Webhook& webhook) const {
  if (webhook.activates_at <= now_) return std::nullopt;
  return wall_now_ + (webhook.activates_at - now_);
}

// An activation that could not be written for long does not hold the events up any more.
bool Delivery::awaits_activation() {
  if (activation_operation_ == 0) return false;
  const bool is_written = spool_->store().committed() >= activation_operation_;
  const bool is_failing = now_ - spool_->failing_since() >= kUnsecuredAfter;
  const bool is_closing = spool_->is_hurried() && spool_->health() != core::ErrorCode::Ok;
  const bool is_given_up = is_closing || (is_failing && now_ - activated_at_ >= kUnsecuredAfter);
  if (is_written || is_given_up || core::is_broken(core::Break::ActivationUnwritten)) {
    activation_operation_ = 0;
  }
  return activation_operation_ != 0;
}

// ---- Batches

// Queues the row of a sealed batch; it is admitted once that is on disk. False when the journal has
// not all of its records: it lives in memory only.
bool Delivery::write_sealed(std::unique_ptr<core::Batch>& owned, Target& target) {
  core::Batch& batch = *owned;
  if (!batch.body.is_journaled()) {
    report_spool(*target.record, batch, "unsecured: the journal could not take its events");
    return false;
  }
  spool::BatchRow row;
  row.sequence = batch.sequence;
  row.id = batch.id;
  row.generation = target.webhook->generation;
  row.target_revision = target.webhook->target_revision;
  row.sealed = batch.sealed;
  row.events_count = batch.body.events_count();
  row.size_bytes = batch.body.size_bytes();
  row.ranges = batch.body.take_ranges();
  row.sealed_to = row.ranges.back().end();
  if (core::is_broken(core::Break::CursorAhead)) row.sealed_to += row.size_bytes;
  target.record->spooled_bytes += row.size_bytes;
  target.record->counters->spooled_bytes.set(target.record->spooled_bytes);
  if (!core::is_broken(core::Break::SkipRow)) {
    last_operation_ = spool_->store().seal(std::move(row));
  }
  core::crash_point("engine: batch sealed");
  ++target.pending_count;
  pending_.push_back({last_operation_, now_, std::move(owned), &target});
  return true;
}

void Delivery::admit_written() {
  const uint64_t committed = spool_->store().committed();
  const bool is_failing = now_ - spool_->failing_since() >= kUnsecuredAfter;
  for (auto place = pending_.begin(); place != pending_.end();) {
    const bool is_written =
        place->operation <= committed || core::is_broken(core::Break::RowsAfterAttempts);
    const bool is_given_up = is_failing && now_ - place->since >= kUnsecuredAfter;
    if (!is_written && !is_given_up) return;
    // Without its row a body that was let go cannot be read either.
    if (!is_written && place->batch->body.is_released()) {
      ++place;
      continue;
    }
    place->batch->is_stored = is_written;
    if (!is_written) {
      report_spool(*place->target->record, *place->batch,
                   "unsecured: its row could not be written");
    }
    core::crash_point("engine: before a batch is admitted");
    --place->target->pending_count;
    admit(std::move(place->batch), *place->target);
    place = pending_.erase(place);
  }
}

void Delivery::report_spool(const Record& record, const core::Batch& batch, const char* message) {
  Report report;
  report.kind = ReportKind::Spool;
  report.reason = DropReason::Unsecured;
  report.webhook_id = record.webhook->id;
  report.batch_id = batch.id;
  report.message = message;
  report.events_count = batch.body.events_count();
  report.count = 1;
  report.bytes = batch.body.size_bytes();
  report.time_ms = core::unix_ms(wall_now_);
  if (log_.is_on(LogLevel::Warning)) {
    log_.write(LogLevel::Warning,
               fmt::format("webhook {} batch {} {}", report.webhook_id, batch.id, message),
               report.webhook_id, batch.id);
  }
  reports_.push(std::move(report));
}

void Delivery::write_attempt(const core::Batch& batch) {
  if (!spool_ || !batch.body.is_journaled()) return;
  last_operation_ = spool_->store().attempted(batch.sequence, retry_state(batch));
}

spool::RetryState Delivery::retry_state(const core::Batch& batch) const {
  const core::Duration max_age = batch.endpoint->settings->retry_max_age;
  spool::RetryState retry;
  retry.attempts_count = batch.attempts_count;
  retry.failures_count = batch.failures_count;
  retry.content_failures_count = batch.content_failures_count;
  retry.counts_against_endpoint = batch.counts_against_endpoint;
  retry.clock_left_when_paused = batch.expires_after_pause;
  if (batch.expires != core::kNever) {
    retry.clock_started = wall_now_ - (max_age - (batch.expires - now_));
  }
  if (batch.due > now_) retry.due = wall_now_ + (batch.due - now_);
  return retry;
}

// The batch is over: its row goes, in one transaction with what is kept of it.
void Delivery::write_end(const core::Batch& batch, const Report* drop) {
  if (!spool_) return;
  const Record& record = *static_cast<Target*>(batch.endpoint->owner)->record;
  spool::Ending ending;
  if (drop && drop->kind == ReportKind::DeadLettered) {
    spool::DeadLetterCause cause;
    cause.reason = static_cast<int32_t>(drop->reason);
    cause.died = wall_now_;
    cause.status = batch.last_status;
    cause.network_name = batch.last_network_name;
    cause.attempts_count = batch.attempts_count;
    cause.failures_count = batch.failures_count;
    ending.dead_letter = std::move(cause);
  } else if (drop) {
    ending.loss =
        spool::Loss{record.webhook->id, static_cast<int32_t>(drop->reason), drop->events_count, 1};
    if (core::is_broken(core::Break::LossForgotten)) ending.loss.reset();
  }
  if (batch.body.is_journaled()) {
    last_operation_ = spool_->store().finish(batch.sequence, std::move(ending));
  } else if (ending.loss) {
    last_operation_ = spool_->store().add_loss(std::move(*ending.loss));
  }
}

// ---- Cursors and syncs

// Everything before `low` is in batches that have rows, or concerns nobody.
void Delivery::write_cursor() {
  if (low_operation_ != 0 && spool_->store().committed() >= low_operation_) {
    spool_->cursor_written(written_low_);
    low_operation_ = 0;
  }
  const bool is_far = routed_ - written_low_ >= settings_.spool_file_bytes / kCursorFileShare;
  if (now_ < (is_far ? cursor_soon_ : cursor_due_) || low_operation_ != 0) return;
  core::StreamPosition low = batcher_.low_position(routed_);
  if (core::is_broken(core::Break::LowAhead)) low = routed_;
  cursor_due_ = now_ + kCursorEvery;
  cursor_soon_ = now_ + kCursorSoon;
  if (low == written_low_) return;
  written_low_ = low;
  last_operation_ = low_operation_ = spool_->store().set_low(low);
}

void Delivery::settle_syncs() {
  while (!syncs_.empty()) {
    const core::ErrorCode health = spool_->health();
    const bool is_done = syncs_.front().operation <= spool_->store().committed() ||
                         core::is_broken(core::Break::EarlySync);
    core::crash_point("engine: before a sync is answered");
    if (!is_done && health == core::ErrorCode::Ok) return;
    const Done done = std::move(syncs_.front().done);
    syncs_.pop_front();
    Outcome outcome;
    if (!is_done) outcome.error = {health, "the spool cannot be written", {}};
    done(std::move(outcome));
  }
}

// ---- Quotas

uint64_t Delivery::spool_quota(const Record& record) const {
  const uint64_t own = record.webhook->settings.max_spool_bytes;
  return own != 0 ? own : settings_.spool_max_bytes / 4;
}

void Delivery::enforce_spool_quotas() {
  for (const auto& [generation, record] : records_) {
    while (record->spooled_bytes > spool_quota(*record)) {
      if (!drop_oldest(*record)) break;
    }
  }
  if (!is_space_known() || spool_->disk_bytes() <= settings_.spool_max_bytes) return;
  Record* most = nullptr;
  for (const auto& [generation, record] : records_) {
    if (!oldest_waiting(*record)) continue;
    if (!most || record->spooled_bytes > most->spooled_bytes) most = record.get();
  }
  uint64_t excess = spool_->disk_bytes() - settings_.spool_max_bytes;
  while (most && excess > 0) {
    const core::Batch* const oldest = oldest_waiting(*most);
    if (!oldest) break;
    excess -= std::min(excess, oldest->body.size_bytes());
    drop_oldest(*most);
    quota_operation_ = last_operation_;
  }
}

// What was given up frees its space when that is committed and the spool was tidied up after it;
// until then the files tell nothing new, and more would be given up for the same excess.
bool Delivery::is_space_known() {
  // The last run may have left much that nobody needs.
  if (spool_->maintained_count() < 2) return false;
  if (quota_operation_ == 0) return true;
  if (spool_->store().committed() < quota_operation_) return false;
  // One tidying may be under way that began before the commit.
  if (quota_look_ == 0) quota_look_ = spool_->maintained_count() + 2;
  if (spool_->maintained_count() < quota_look_) return false;
  quota_operation_ = quota_look_ = 0;
  return true;
}

// ---- Closing

// Every batch had its turn, and the rest is safe where it is.
bool Delivery::leave_to_spool() const {
  if (!pending_.empty() || !is_settled(last_sequence_)) return false;
  if (spool_->store().committed() < last_operation_) return false;
  return std::all_of(scheduler_.batches().begin(), scheduler_.batches().end(),
                     [](const auto& entry) { return entry.second->body.is_journaled(); });
}

}  // namespace posthaste::engine
