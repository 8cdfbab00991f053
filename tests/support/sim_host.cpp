#include "support/sim_host.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "config/conf.h"
#include "engine/webhook_drafts.h"

namespace posthaste::test {

using core::ErrorCode;
using core::Instant;
using core::Result;

namespace {

// While events flow the delivery thread looks at them this often (engine.cpp).
constexpr core::Duration kTick = std::chrono::milliseconds(10);

core::Error closed() {
  return {ErrorCode::State, "the engine is closed", {}};
}

}  // namespace

SimHost::SimHost(const core::EngineSettings& settings, SimObserver* observer,
                 std::function<void()> wake)
    : observer_(observer ? *observer : unobserved_),
      settings_(settings),
      reports_(settings.report_max_bytes, settings.report_kinds),
      log_(reports_, clock_),
      intake_(settings.intake_max_bytes, clock_, std::move(wake)) {
  // The lines about drops are what the observer sees of them, whatever log.level says.
  log_.set_sink(observer ? &SimHost::on_log_line : nullptr, this);
  log_.set_levels(static_cast<int32_t>(engine::LogLevel::Debug), settings.log_reports);
  transport_.set_observers([this](const SimExchange& exchange) { observer_.on_begin(exchange); },
                           [this](const SimExchange& exchange) { observer_.on_end(exchange); });
}

SimHost::~SimHost() = default;

void SimHost::on_log_line(int32_t, const char* line, void* user_data) {
  char batch_id[64];
  char reason[32];
  unsigned long long events_count = 0;
  SimDrop drop;
  if (std::sscanf(line, "webhook %*s batch %63s dropped with %llu events after %u attempts: %31s",
                  batch_id, &events_count, &drop.attempts_count, reason) != 4) {
    return;
  }
  drop.batch_id = batch_id;
  drop.events_count = events_count;
  drop.reason = reason;
  static_cast<SimHost*>(user_data)->observer_.on_drop(drop);
}

ErrorCode SimHost::push(core::EventTypeId type, std::string_view record) {
  if (!wanted_[type]) {
    counters_.events_accepted.add();
    counters_.events_unwanted.add();
    return ErrorCode::Ok;
  }
  const ErrorCode code = intake_.push(static_cast<uint32_t>(record.size()), type,
                                      [&](char* out) { record.copy(out, record.size()); });
  if (code == ErrorCode::Ok) counters_.events_accepted.add();
  if (code == ErrorCode::QueueFull) counters_.events_queue_full.add();
  return code;
}

bool SimHost::post(engine::Control control) {
  controls_.put(control);
  if (!intake_.push_control()) {
    controls_.drop_last();
    return false;
  }
  ++controls_posted_count_;
  observer_.on_control(control);
  return true;
}

Result<> SimHost::publish(core::RegistryChange change, bool drops_queued) {
  if (!change.is_change()) return {};
  wanted_ = registry_.wanted_types();
  if (!post(engine::WebhookControl{std::move(change), drops_queued})) return closed();
  return {};
}

Result<> SimHost::put(const std::string& id, const core::WebhookSpec& spec) {
  auto draft = engine::draft_webhook({catalogue_, settings_}, id, spec, id);
  if (!draft) return draft.error();
  return publish(registry_.put(std::move(*draft), clock_.wall_now()), false);
}

Result<> SimHost::create(const std::string& id, const core::WebhookSpec& spec) {
  auto draft = engine::draft_webhook({catalogue_, settings_}, id, spec, id);
  if (!draft) return draft.error();
  return publish(registry_.create(std::move(*draft), clock_.now(), clock_.wall_now()), false);
}

Result<> SimHost::update(const std::string& id, const core::WebhookSpec& change) {
  const core::WebhookPtr before = registry_.find(id);
  if (!before) return {ErrorCode::NotFound, "no such webhook", "id"};
  auto draft = engine::edit_webhook({catalogue_, settings_}, *before, change);
  if (!draft) return draft.error();
  auto changed = registry_.update(std::move(*draft));
  if (!changed) return changed.error();
  return publish(std::move(*changed), false);
}

Result<> SimHost::remove(const std::string& id, bool drops_queued) {
  auto change = registry_.remove(id);
  if (!change) return change.error();
  attempts().forget_webhook(id);
  return publish(std::move(*change), drops_queued);
}

Result<> SimHost::set_paused(const std::string& id, bool is_paused) {
  auto change = registry_.set_paused(id, is_paused);
  if (!change) return change.error();
  return publish(std::move(*change), false);
}

engine::Delivery::Disable SimHost::disabler() {
  return [this](const std::string& id, uint64_t generation) {
    (void)publish(registry_.set_disabled(id, generation, true), false);
  };
}

Result<> SimHost::set(std::string_view key, std::optional<std::string_view> value) {
  core::EngineSettings next = settings_;
  if (auto done = config::apply_live(next, key, value); !done) return done;
  std::vector<core::Webhook> changed;
  for (const core::WebhookPtr& webhook : registry_.list()) {
    auto merged = config::webhook_settings(next, webhook->overrides);
    if (!merged) return merged.error();
    if (*merged == webhook->settings) continue;
    changed.push_back(*webhook);
    changed.back().settings = std::move(*merged);
  }
  settings_ = std::move(next);
  reports_.set_max_bytes(settings_.report_max_bytes);
  reports_.set_kinds(settings_.report_kinds);
  log_.set_levels(static_cast<int32_t>(engine::LogLevel::Debug), settings_.log_reports);
  apply_settings();
  if (!post(engine::SettingsControl{settings_})) return closed();
  for (core::Webhook& webhook : changed) {
    auto change = registry_.update(std::move(webhook));
    if (auto done = publish(std::move(*change), false); !done) return done;
  }
  return {};
}

bool SimHost::verify(const std::string& id, engine::Done done) {
  const core::WebhookPtr webhook = registry_.find(id);
  return webhook &&
         post(engine::VerifyControl{webhook, std::string(engine::kPing), std::move(done)});
}

bool SimHost::flush(engine::Done done) {
  return post(engine::FlushControl{std::move(done)});
}

bool SimHost::close(Instant deadline) {
  return post(engine::CloseControl{deadline});
}

void SimHost::step_delivery(engine::EventSource& events) {
  if (std::exchange(is_waiting_, false)) events.end_wait();
  last_step_ = step_of().step(completions_);
  ++steps_count_;
}

bool SimHost::wait_for_delivery(engine::EventSource& events, Instant until) {
  if (is_closed()) return false;
  if (!is_waiting_) {
    wait_deadline_ = last_step_.deadline;
    if (last_step_.had_events) wait_deadline_ = std::min(wait_deadline_, clock_.now() + kTick);
    is_waiting_ = last_step_.awaits_spool || events.prepare_wait(!last_step_.had_events);
    if (!is_waiting_ || steps_count_ == 0) {
      transport_.wait(Instant::min(), completions_);
      return true;
    }
  }
  const bool was_woken = transport_.is_woken();
  transport_.wait(std::min(wait_deadline_, until), completions_);
  return was_woken || !completions_.empty() || clock_.now() >= wait_deadline_;
}

}  // namespace posthaste::test
