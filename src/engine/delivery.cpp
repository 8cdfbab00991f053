// The step itself: events and controls in their order, webhooks and their targets, sealing,
// flushing, closing.
#include "engine/delivery.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "core/deliberate_break.h"
#include "core/limits.h"
#include "core/wipe.h"
#include "engine/delivery_parts.h"
#include "engine/delivery_requests.h"

namespace posthaste::engine {
namespace {

// Segments routed in one step, so that transfers are driven in between.
constexpr int kRangesPerStep = 16;

// Whether what the spool keeps of a webhook is the same.
bool is_same_in_spool(const core::Webhook& a, const core::Webhook& b) {
  const bool is_broken = core::is_broken(core::Break::SecretsUnwritten);
  if (is_broken && !is_same_credentials(a, b)) return true;
  return core::is_same_declaration(a, b) && a.is_paused == b.is_paused &&
         a.is_disabled == b.is_disabled && a.target_revision == b.target_revision &&
         a.source_file == b.source_file;
}

core::SubaccountFilter subaccounts_of(const core::Webhook& webhook) {
  return core::parse_subaccounts(webhook.settings.subaccount,
                                 webhook.settings.exception_subaccounts);
}

}  // namespace

std::shared_ptr<metrics::WebhookCounters> CounterTable::add(const core::Webhook& webhook) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[webhook.generation];
  entry.webhook_id = webhook.id;
  if (!entry.counters) entry.counters = std::make_shared<metrics::WebhookCounters>();
  return entry.counters;
}

void CounterTable::remove(uint64_t generation) {
  const std::lock_guard lock(mutex_);
  entries_.erase(generation);
}

std::shared_ptr<metrics::WebhookCounters> CounterTable::find(uint64_t generation) const {
  const std::lock_guard lock(mutex_);
  const auto place = entries_.find(generation);
  return place == entries_.end() ? nullptr : place->second.counters;
}

std::string CounterTable::webhook_id(uint64_t generation) const {
  const std::lock_guard lock(mutex_);
  const auto place = entries_.find(generation);
  return place == entries_.end() ? std::string() : place->second.webhook_id;
}

std::vector<std::shared_ptr<metrics::WebhookCounters>> CounterTable::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<metrics::WebhookCounters>> counters;
  for (const auto& [generation, entry] : entries_) counters.push_back(entry.counters);
  return counters;
}

Delivery::Delivery(const Parts& parts, const core::EngineSettings& settings, uint64_t seed)
    : clock_(parts.clock),
      intake_(parts.intake),
      events_(parts.events),
      controls_(parts.controls),
      transport_(parts.transport),
      encoder_(parts.encoder),
      store_(parts.store),
      spool_(parts.spool),
      reports_(parts.reports),
      log_(parts.log),
      counters_(parts.counters),
      webhook_counters_(parts.webhook_counters),
      disable_(parts.disable),
      settings_(settings),
      random_(seed),
      ids_(random_),
      batcher_([this](const core::Subscriber& subscriber, uint64_t size_bytes) {
        const Record& record = *static_cast<Record*>(subscriber.owner);
        return may_copy(record, size_bytes);
      }),
      scheduler_(settings.connections_max, random_) {
  settings_changed();
}

Delivery::~Delivery() = default;

Delivery::StepResult Delivery::step(std::vector<transport::Completion>& completions) {
  now_ = clock_.now();
  wall_now_ = clock_.wall_now();
  StepResult result;
  for (transport::Completion& completion : completions) {
    settle(completion);
    core::wipe(completion.response_body);  // it may hold a token
  }
  completions.clear();

  if (spool_) admit_written();
  if (spool_) admit_replayed();
  result.had_events = take_events();
  batcher_.seal_due(now_);
  if (is_closing_) seal_all();
  collect_sealed();
  drop_expired();
  if (spool_) enforce_spool_quotas();
  relieve_intake();
  tidy_removed();
  start_verifications();
  start_attempts();
  collect_coded();
  warn_of_unverified();
  settle_flushes();
  if (spool_) {
    write_cursor();
    settle_syncs();
    if (spool_->store().is_urgent()) spool_->wake();
  }
  publish_gauges();
  if (spool_) meter_spool();

  result.awaits_spool = awaits_activation();
  result.deadline = std::min(batcher_.next_deadline(), scheduler_.next_deadline(now_));
  result.deadline = std::min(result.deadline, next_activation());
  // Files that nobody needs are given back behind the cursor, also if nothing else happens.
  if (spool_ && low_operation_ == 0 && routed_ != written_low_) {
    result.deadline = std::min(result.deadline, cursor_due_);
  }
  if (is_closing_) close_step(result);
  return result;
}

bool Delivery::take_events() {
  EventRange range;
  bool had_events = false;
  for (int i = 0; i < kRangesPerStep && !awaits_activation() && events_.read(range); ++i) {
    had_events = had_events || range.run.count > 0;
    if (!take_range(range)) return had_events;
    events_.consumed(range);
  }
  if (spool_) {
    report_activations();
  } else if (!had_events) {
    activate_due(now_);
  }
  return had_events;
}

// False when an activation has to be on disk before the rest of it.
bool Delivery::take_range(const EventRange& range) {
  core::RecordBlock& block = *range.block;
  const uint32_t end = range.run.first + range.run.count;
  uint32_t from = range.run.first + std::exchange(taken_count_, 0);
  for (uint32_t at = from; at < end; ++at) {
    const core::RecordEntry& entry = block.entry(at);
    const bool activates = !activations_.empty() && activations_.begin()->first <= entry.pushed;
    if (!entry.is_control && !activates) continue;
    route(range, from, at - from);
    from = at;
    if (activates) {
      activate_due(entry.pushed);
      if (awaits_activation()) {
        taken_count_ = from - range.run.first;
        return false;
      }
    }
    if (entry.is_control) {
      control_time_ = entry.pushed;
      take_control();
      ++from;
    }
  }
  route(range, from, end - from);
  if (range.is_end && end > 0) {
    const core::RecordEntry& last = block.entry(end - 1);
    collect_sealed();  // so that quotas count what was sealed
    batcher_.block_ended(block, last.offset + last.size);
  }
  return true;
}

void Delivery::route(const EventRange& range, uint32_t first, uint32_t count) {
  if (count == 0) return;
  batcher_.route(*range.block, core::part_of(*range.block, range.run, first, count));
  // A run that the journal could not take has no place there.
  core::RecordRun placed = range.run;
  if (placed.position == 0) placed.position = range.doubtful_position;
  routed_ = std::max(routed_, core::position_of(*range.block, placed, first + count));
}

void Delivery::take_control() {
  std::optional<Control> control = controls_.take();
  if (auto* webhook = std::get_if<WebhookControl>(&*control)) {
    apply(*webhook);
  } else if (auto* settings = std::get_if<SettingsControl>(&*control)) {
    settings_ = settings->settings;
    settings_changed();
    scheduler_.connections_changed(settings_.connections_max);
  } else if (auto* flush = std::get_if<FlushControl>(&*control)) {
    seal_all();
    collect_sealed();
    // With the parts that they may be taken apart into.
    flushes_.push_back({core::sequence_after(last_sequence_) - 1, std::move(flush->done)});
  } else if (auto* sync = std::get_if<SyncControl>(&*control)) {
    // What is in memory only is reported before anybody is told that all is safe.
    batcher_.seal_unjournaled();
    collect_sealed();
    syncs_.push_back({last_operation_, std::move(sync->done)});
  } else if (auto* verify = std::get_if<VerifyControl>(&*control)) {
    auto verification = std::make_unique<Verification>();
    verification->webhook = std::move(verify->webhook);
    verification->json = std::move(verify->body);
    verification->done = std::move(verify->done);
    waiting_verifications_.push_back(std::move(verification));
  } else if (!take_operator_control(*control)) {
    is_closing_ = true;
    close_deadline_ = std::get<CloseControl>(*control).deadline;
    intake_.shut();
    if (spool_) spool_->wake();
  }
}

void Delivery::apply(WebhookControl& control) {
  const auto& [before, after] = control.change;
  if (!before) {
    add_webhook(after);
    return;
  }
  Record& record = *records_.at(before->generation);
  if (after) {
    change_webhook(record, after);
  } else {
    remove_webhook(record, control.drops_queued);
  }
}

void Delivery::add_webhook(const core::WebhookPtr& webhook) {
  auto owned = std::make_unique<Record>();
  Record& record = *owned;
  record.webhook = webhook;
  record.subscriber.settings = &webhook->settings;
  record.subscriber.owner = &record;
  record.counters = webhook_counters_.add(*webhook);
  records_.emplace(webhook->generation, std::move(owned));
  add_target(record);
  note_unverified(webhook);
  subscribe(record);
  if (spool_) write_webhook(*webhook, activation_of(*webhook));
}

void Delivery::add_target(Record& record) {
  auto target = std::make_unique<Target>();
  target->record = &record;
  target->webhook = record.webhook;
  target->endpoint.settings = &record.webhook->settings;
  target->endpoint.rate = &record.rate;
  target->endpoint.owner = target.get();
  target->endpoint.is_held = is_held(*record.webhook);
  target->endpoint.is_stopped = record.webhook->is_disabled;
  record.targets.push_back(std::move(target));
}

// Puts the webhook among those that take events, out of them, or on the list of those that will,
// which is decided at the time of the change: events pushed soon after it may come long after.
void Delivery::subscribe(Record& record) {
  const core::Webhook& webhook = *record.webhook;
  std::erase_if(activations_,
                [&](const auto& entry) { return entry.second.generation == webhook.generation; });
  batcher_.unsubscribe(record.subscriber);
  if (!core::takes_events(webhook)) return;
  const bool waits = !core::is_broken(core::Break::EarlyActivation);
  if (waits && webhook.activates_at > control_time_) {
    activations_.emplace(webhook.activates_at, Activation{webhook.generation, false});
  } else {
    batcher_.subscribe(record.subscriber, webhook.types, subaccounts_of(webhook));
  }
}

void Delivery::activate_due(core::Instant until) {
  while (!activations_.empty() && activations_.begin()->first <= until) {
    const Activation activation = activations_.extract(activations_.begin()).mapped();
    Record& record = *records_.at(activation.generation);
    batcher_.subscribe(record.subscriber, record.webhook->types, subaccounts_of(*record.webhook));
    if (!activation.is_reported) report_activation(record, until);
    if (!spool_) continue;
    write_webhook(*record.webhook, std::nullopt);
    activation_operation_ = last_operation_;
    activated_at_ = now_;
  }
}

// Events that were pushed before an activation may be on their way through the journal when it is
// due, so in durable mode it is the first one pushed after it that activates. The host hears of it
// in time all the same.
void Delivery::report_activations() {
  for (auto& [time, activation] : activations_) {
    if (time > now_) return;
    if (!std::exchange(activation.is_reported, true)) {
      report_activation(*records_.at(activation.generation), now_);
    }
  }
}

void Delivery::report_activation(const Record& record, core::Instant now) {
  report_state(*record.webhook, core::state_name(core::state_of(*record.webhook, now)));
}

core::Instant Delivery::next_activation() const {
  for (const auto& [time, activation] : activations_) {
    if (!activation.is_reported) return time;
  }
  return core::kNever;
}

void Delivery::change_webhook(Record& record, const core::WebhookPtr& webhook) {
  // Settings are referred to in place, so the old ones live until nothing points to them.
  const core::WebhookPtr before = record.webhook;
  const bool is_new_target = before->target_revision != webhook->target_revision;
  const bool receives_others = before->types != webhook->types ||
                               core::takes_events(*before) != core::takes_events(*webhook) ||
                               subaccounts_of(*before) != subaccounts_of(*webhook);
  const bool is_enabled = before->is_disabled && !webhook->is_disabled;
  if (spool_) spool_->store().begin_group();
  if (is_new_target || receives_others) {
    batcher_.seal(record.subscriber);
    collect_sealed();
  }
  record.webhook = webhook;
  record.subscriber.settings = &webhook->settings;
  for (const auto& target : record.targets) target->endpoint.settings = &webhook->settings;
  if (is_new_target) {
    add_target(record);
  } else {
    record.targets.back()->webhook = webhook;
  }
  if (!core::is_same_declaration(*before, *webhook)) forget_limit(record);
  if (is_enabled) record.failing_since = core::kNever;
  batcher_.settings_changed(record.subscriber);
  for (const auto& target : record.targets) {
    scheduler_.hold(target->endpoint, is_held(*webhook), now_);
    scheduler_.stop(target->endpoint, webhook->is_disabled, now_);
    if (is_enabled) scheduler_.retry_now(target->endpoint, now_);
    scheduler_.settings_changed(target->endpoint, now_);
  }
  retry_with_new_credentials(record, *before);
  note_unverified(webhook);
  if (receives_others) subscribe(record);
  if (spool_) {
    if (!is_same_in_spool(*before, *webhook)) write_webhook(*webhook, activation_of(*webhook));
    spool_->store().end_group();
  }
  const core::WebhookState state = core::state_of(*webhook, now_);
  if (state != core::state_of(*before, now_)) report_state(*webhook, core::state_name(state));
  enforce_limits(record);
  tidy(record);
}

void Delivery::remove_webhook(Record& record, bool drops_queued) {
  if (spool_) spool_->store().begin_group();
  batcher_.seal(record.subscriber);
  collect_sealed();
  if (spool_) {
    last_operation_ = spool_->store().set_removed(record.webhook->generation);
    spool_->store().end_group();
  }
  std::erase_if(activations_, [&](const auto& entry) {
    return entry.second.generation == record.webhook->generation;
  });
  batcher_.unsubscribe(record.subscriber);
  record.is_removed = true;
  report_state(*record.webhook, "removed");
  if (drops_queued) admit_unwritten(record);
  for (const auto& target : record.targets) {
    // A paused webhook that is removed drains, else its batches would wait for ever.
    if (!core::is_broken(core::Break::RemovedStuck)) {
      scheduler_.hold(target->endpoint, !settings_.delivers, now_);
    }
    scheduler_.stop(target->endpoint, false, now_);
    if (!drops_queued) continue;
    while (core::Batch* batch = core::RetryScheduler::oldest_waiting(target->endpoint)) {
      drop(*batch, DropReason::Removed);
    }
  }
  record.drops_failed = drops_queued;
  tidy(record);
}

// Lets go of targets whose last batch is over, and of a removed webhook with its last target.
void Delivery::tidy(Record& record) {
  std::erase_if(record.targets, [&](const auto& target) {
    const bool is_past = record.is_removed || target != record.targets.back();
    if (!is_past || !target->is_idle()) return false;
    scheduler_.forget(target->endpoint);
    if (spool_ && !record.is_removed) {
      last_operation_ = spool_->store().forget_revision(record.webhook->generation,
                                                        target->webhook->target_revision);
    }
    return true;
  });
  if (!record.targets.empty()) return;
  batcher_.forget(record.subscriber);
  const uint64_t generation = record.webhook->generation;
  if (spool_) last_operation_ = spool_->store().forget(generation);
  webhook_counters_.remove(generation);
  records_.erase(generation);
}

void Delivery::tidy_removed() {
  if (!std::exchange(needs_tidy_, false)) return;
  for (auto place = records_.begin(); place != records_.end();) {
    Record& record = *(place++)->second;
    if (record.is_removed) tidy(record);
  }
}

void Delivery::seal_all() {
  for (const auto& [generation, record] : records_) batcher_.seal(record->subscriber);
}

void Delivery::collect_sealed() {
  std::vector<core::Sealed> all = batcher_.take_sealed();
  // Before any of them asks for room: the batcher does not count their memory any more.
  for (const core::Sealed& sealed : all) {
    static_cast<Record*>(sealed.subscriber->owner)->charged_bytes += sealed.body.owned_bytes();
    charged_bytes_ += sealed.body.owned_bytes();
  }
  for (core::Sealed& sealed : all) {
    Record& record = *static_cast<Record*>(sealed.subscriber->owner);
    auto owned = std::make_unique<core::Batch>();
    owned->id = ids_.next(wall_now_);
    if (core::is_broken(core::Break::RandomUnseeded)) {
      static uint64_t count = 0;
      owned->id = ids_.next(wall_now_ + core::Duration(count += 1000));
    }
    owned->sealed = wall_now_;
    owned->body = std::move(sealed.body);
    owned->sequence = last_sequence_ = core::sequence_after(last_sequence_);
    counters_.batches_sealed.add();
    record.counters->batches_sealed.add();
    record.sealed_bytes += owned->body.size_bytes();
    record.counters->waiting_batches.add();
    record.counters->waiting_events.add(owned->body.events_count());
    record.counters->waiting_memory_bytes.set(record.charged_bytes);
    Target& target = *record.targets.back();
    if (!spool_ || !write_sealed(owned, target)) admit(std::move(owned), target);
    enforce_limits(record);
    if (record.subscriber.learned_events_max > 0 && target.endpoint.limit.until <= now_) {
      forget_limit(record);
    }
  }
}

// The batch takes its place among those that go out.
void Delivery::admit(std::unique_ptr<core::Batch> owned, Target& target) {
  core::Batch& batch = scheduler_.add(std::move(owned), target.endpoint, now_);
  const uint64_t size = batch.body.size_bytes();
  const bool is_cheap = size <= core::kCopyAtSealSize && may_copy(*target.record, size);
  const core::Endpoint& endpoint = target.endpoint;
  const bool waits =
      endpoint.is_in_trouble || endpoint.is_held || endpoint.is_stopped || batch.is_suspect;
  if (waits || is_cheap) detach(batch);
}

void Delivery::publish_gauges() {
  for (core::Subscriber* subscriber : batcher_.take_changed()) {
    metrics::WebhookCounters& counters = *static_cast<Record*>(subscriber->owner)->counters;
    const uint64_t routed = subscriber->sealed_events_count + subscriber->open.events_count();
    counters.events_routed.set(routed);
    counters.routed_by_minute.feed(now_, routed);
    counters.open_events.set(subscriber->open.events_count());
    counters.open_bytes.set(subscriber->open.size_bytes());
  }
  counters_.events_unwanted.add(batcher_.unwanted_count() -
                                std::exchange(unwanted_seen_, batcher_.unwanted_count()));
  routed_rate_.feed(now_, batcher_.routed_bytes());
  counters_.routed_bytes_per_second.set(static_cast<uint64_t>(routed_rate_.per_second()));
  counters_.in_flight.set(scheduler_.in_flight_count());
  counters_.intake_bytes.set(intake_.used_bytes());
  counters_.waiting_memory_bytes.set(charged_bytes_ + batcher_.owned_bytes());
}

void Delivery::settle_flushes() {
  while (!flushes_.empty() && is_settled(flushes_.front().last_sequence)) {
    const Done done = std::move(flushes_.front().done);
    flushes_.pop_front();
    done({});
  }
}

bool Delivery::is_settled(uint64_t last_sequence) const {
  if (core::is_broken(core::Break::EarlyFlush)) return true;
  const bool is_pending = std::any_of(pending_.begin(), pending_.end(), [&](const Pending& one) {
    return !one.batch->is_settled && one.batch->sequence <= last_sequence;
  });
  if (is_pending) return false;
  for (const auto& [generation, record] : records_) {
    for (const auto& target : record->targets) {
      const core::Endpoint& endpoint = target->endpoint;
      if (endpoint.is_in_trouble || endpoint.is_held || endpoint.is_stopped) continue;
      if (endpoint.unsettled.empty()) continue;
      if (*endpoint.unsettled.begin() <= last_sequence) return false;
    }
  }
  return true;
}

void Delivery::close_step(StepResult& result) {
  const bool is_delivered = spool_ ? leave_to_spool() : scheduler_.batches().empty();
  const bool is_over = events_.is_drained() && is_delivered && verifications_.empty() &&
                       waiting_verifications_.empty();
  result.deadline = std::min(result.deadline, close_deadline_);
  if (!is_over && now_ < close_deadline_) return;
  give_up_everything();
  publish_gauges();
  result.is_closed = true;
}

// What was pushed in time but cannot be delivered any more is dropped with a report, nothing
// silently.
void Delivery::give_up_everything() {
  // In durable mode what is not read yet is in the journal, or the spool thread's to save.
  while (!spool_ && !events_.is_drained()) {
    // A producer may hold a place whose bytes it is still copying; it finishes without waiting for
    // anybody.
    if (!take_events()) std::this_thread::yield();
  }
  seal_all();
  collect_sealed();
  for (const auto& [id, attempt] : attempts_) {
    transport_.cancel(id);
    if (spool_) log_cancelled(*attempt->batch);
    scheduler_.cancel(*attempt->batch, now_);
  }
  attempts_.clear();
  cancel_token_fetches();
  std::vector<core::Batch*> lost;
  for (const auto& [sequence, batch] : scheduler_.batches()) {
    if (!spool_ || !batch->body.is_journaled()) lost.push_back(batch.get());
  }
  for (core::Batch* batch : lost) drop(*batch, DropReason::Closed);
  const Outcome closed{{core::ErrorCode::State, "the engine was closed", {}}, nullptr, {}};
  for (auto& [id, verification] : verifications_) {
    transport_.cancel(id);
    verification->done(closed);
  }
  verifications_.clear();
  for (const auto& verification : waiting_verifications_) verification->done(closed);
  waiting_verifications_.clear();
  end_replays(closed);
  for (const Sync& sync : syncs_) sync.done(closed);
  syncs_.clear();
  settle_flushes();
}

void Delivery::report_state(const core::Webhook& webhook, const char* state) {
  Report report;
  report.kind = ReportKind::State;
  report.webhook_id = webhook.id;
  report.message = state;
  report.time_ms = core::unix_ms(wall_now_);
  reports_.push(std::move(report));
}

}  // namespace posthaste::engine
