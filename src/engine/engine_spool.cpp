// Durable mode of an engine: opening the spool, taking over what it kept, and sync.
#include <algorithm>
#include <utility>

#include "config/webhook_keys.h"
#include "engine/engine.h"

namespace posthaste::engine {

using core::ErrorCode;
using core::Result;

namespace {

constexpr core::Duration kNoWait{};
constexpr const char* kNoDisk = "there is no disk to sync to in memory mode";

// Beyond the time-out of a close the disk has so long for what is left to write.
constexpr core::Duration kSpoolGrace = std::chrono::seconds(2);

}  // namespace

// Opens the spool and makes what runs on it. Before the threads start; the caller holds the lock.
Result<> Engine::open_spool() {
  std::vector<std::string> remarks;
  auto spool = open_spool_(clock_->wall_now(), remarks);
  if (!spool) return spool.error();
  spool_ = std::move(*spool);
  // Types that the host defined in an earlier run; it need not have done so again yet.
  for (const spool::EventTypeRow& type : spool_->store().event_types()) {
    if (catalogue_.find(type.name).id != core::kNoEventType) continue;
    if (auto id = catalogue_.define(type.name, type.class_name); !id) return id.error();
  }
  if (auto done = spool_->define_types(catalogue_); !done) return done;
  auto hand_over = std::make_unique<HandOver>();
  worker_ = std::make_unique<SpoolWorker>(
      SpoolWorker::Parts{*spool_, intake_, *hand_over, reports_, log_, *clock_,
                         [this] {
                           if (auto* transport = waker_.load(std::memory_order_acquire))
                             transport->wake();
                         }},
      settings_);
  events_ = std::move(hand_over);
  for (std::string& remark : remarks) report_spool(std::move(remark));
  for (const spool::Loss& loss : spool_->recovered().losses) {
    reports_.push(report_of(loss, clock_->wall_now()));
  }
  return {};
}

void Engine::report_spool(std::string remark) {
  if (log_.is_on(LogLevel::Warning)) log_.write(LogLevel::Warning, remark, {}, {});
  Report report;
  report.kind = ReportKind::Spool;
  report.message = std::move(remark);
  report.time_ms = core::unix_ms(clock_->wall_now());
  reports_.push(std::move(report));
}

// A webhook as the spool kept it, made whole again.
Result<core::WebhookPtr> Engine::restored(const spool::WebhookRow& row) const {
  core::Webhook webhook = row.webhook;
  const auto name_it = [&](core::Error error) {
    error.message = "webhook " + webhook.id + " of the spool: " + error.message;
    return error;
  };
  auto settings = config::webhook_settings(settings_, webhook.overrides);
  if (!settings) return name_it(settings.error());
  webhook.settings = std::move(*settings);
  auto selection = core::select_events(catalogue_, webhook.events);
  if (!selection) return name_it(selection.error());
  webhook.types = selection->types;
  webhook.activates_at = core::Instant::min();
  if (row.activates) {
    const core::Duration left = *row.activates - clock_->wall_now();
    webhook.activates_at =
        clock_->now() + std::clamp(left, kNoWait, webhook.settings.activation_delay);
  }
  return std::make_shared<const core::Webhook>(std::move(webhook));
}

// The delivery thread has ended; what it left to write is written.
Result<> Engine::close_spool() {
  if (!worker_) return {};
  spool_waker_.store(nullptr, std::memory_order_release);
  worker_->stop();
  if (spool_thread_.join_for(kSpoolGrace)) return {};
  is_abandoned_.store(true);
  spool_thread_.detach();
  return {ErrorCode::Timeout, "the disk of the spool did not answer in time"};
}

// Gives the registry and the delivery step what the spool has.
Result<> Engine::restore() {
  const spool::RecoveredState& state = spool_->recovered();
  delivery_->continue_after(state.greatest_sequence, state.low);
  registry_ = core::WebhookRegistry();
  registry_.continue_after(state.greatest_generation);
  for (auto row = state.webhooks.begin(); row != state.webhooks.end();) {
    const uint64_t generation = row->webhook.generation;
    std::vector<core::WebhookPtr> revisions;
    const spool::WebhookRow* last = nullptr;
    for (; row != state.webhooks.end() && row->webhook.generation == generation; ++row) {
      auto webhook = restored(*row);
      if (!webhook) return webhook.error();
      revisions.push_back(std::move(*webhook));
      last = &*row;
    }
    if (!last->is_removed) registry_.restore(revisions.back());
    // One that was to be activated takes nothing from before this start.
    const core::StreamPosition takes_from =
        last->activates ? spool_->end() : std::max(last->sealed_to, state.low);
    delivery_->restore_webhook(revisions, last->is_removed, takes_from);
  }
  return spool_->store().for_each_live(
      [this](const spool::LiveBatch& row) { delivery_->restore_batch(row); });
}

// What the host declared before the start was applied to an empty registry; it is applied again, to
// the one that the spool kept.
Result<> Engine::redeclare() {
  intake::Intake::Range range;
  while (intake_.read(range)) {
    intake_.advance(range);
    if (range.is_end) range.segment->release();
  }
  while (controls_.take()) {
  }
  refresh_wanted();
  for (const auto& declare : declarations_) {
    if (auto done = declare(); !done) return done;
  }
  return {};
}

Outcome Engine::sync(int32_t timeout_ms) {
  if (producer_) {
    auto done = producer_->sync();
    return {done ? core::Error() : done.error(), nullptr, {}};
  }
  return wait_for(timeout_ms, [this](Done done, const Claim&) { begin_sync(std::move(done)); });
}

Result<uint64_t> Engine::sync_ticket() {
  if (auto usable = check_usable(false); !usable) return usable.error();
  if (!worker_) return {ErrorCode::State, kNoDisk};
  return give_ticket([this](Done done, const Claim&) { begin_sync(std::move(done)); });
}

void Engine::begin_sync(Done done) {
  if (!worker_) {
    done({{ErrorCode::State, kNoDisk, {}}, nullptr, {}});
    return;
  }
  post_hurried(std::move(done), [](Done ended) -> Result<Control> {
    return Control(SyncControl{std::move(ended)});
  });
}

// Posts what `make` makes under the lock; until it is done the spool thread waits for nothing.
void Engine::post_hurried(Done done, const std::function<Result<Control>(Done)>& make) {
  worker_->begin_sync();
  const Done ended = [this, done = std::move(done)](Outcome outcome) {
    worker_->end_sync();
    done(std::move(outcome));
  };
  core::Error error;
  {
    const std::lock_guard lock(mutex_);
    auto control = make(ended);
    if (!control) {
      error = control.error();
    } else if (!post(std::move(*control))) {
      error = {ErrorCode::State, "the engine is closed", {}};
    }
  }
  if (error.code != ErrorCode::Ok) ended({std::move(error), nullptr, {}});
}

}  // namespace posthaste::engine
