// Life cycle, events, and what the worker thread does.
#include "engine/engine.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "engine/webhook_drafts.h"
#include "metrics/prometheus_text.h"
#include "platform/asymmetric_fence.h"
#include "platform/exit_guard.h"
#include "platform/fork_guard.h"
#include "platform/random_seed.h"

namespace posthaste::engine {

using core::ErrorCode;
using core::Result;

namespace {

// While events flow the thread looks at them this often, so that a push need not wake it.
constexpr core::Duration kTick = std::chrono::milliseconds(10);

// When nothing came for so long, memory kept for a burst is given back.
constexpr core::Duration kTrimAfter = std::chrono::seconds(1);

bool all_webhooks(const core::Webhook&) {
  return true;
}

uint64_t seed_of(const core::EngineSettings& settings) {
  return settings.random_seed != 0 ? settings.random_seed : platform::random_seed();
}

}  // namespace

Engine::Engine(const core::EngineSettings& settings, EngineParts parts)
    : clock_(std::move(parts.clock)),
      producer_(std::move(parts.producer)),
      store_(std::move(parts.store)),
      open_spool_(std::move(parts.open_spool)),
      make_transport_(std::move(parts.make_transport)),
      event_ids_(0, 0),
      event_max_bytes_(settings.event_max_bytes),
      reports_(settings.report_max_bytes, settings.report_kinds),
      log_(reports_, *clock_),
      intake_(settings.intake_max_bytes, *clock_,
              [this] {
                if (auto* worker = spool_waker_.load(std::memory_order_acquire)) {
                  worker->wake();
                } else if (auto* transport = waker_.load(std::memory_order_acquire)) {
                  transport->wake();
                }
              }),
      settings_(settings),
      random_(0),
      ids_(random_) {
  log_.set_levels(settings.log_level, settings.log_reports);
}

Engine::~Engine() {
  // Without a started thread nothing is left to do; with one, close() has ended it.
  if (closer_.is_joinable()) closer_.join();
  if (thread_.is_joinable()) thread_.join();
  if (spool_thread_.is_joinable()) spool_thread_.join();
}

Result<> Engine::start() {
  const std::lock_guard life(life_mutex_);
  if (state_.load() != State::New)
    return {ErrorCode::State, "the engine was started or closed already"};
  if (producer_) return start_producer();
  if (auto done = platform::install_fork_guard(); !done) return done.error();
  platform::AsymmetricFence::install();
  auto done = start_parts();
  if (done) {
    state_.store(State::Started, std::memory_order_release);
    return done;
  }
  // A later start may succeed.
  waker_.store(nullptr, std::memory_order_release);
  spool_waker_.store(nullptr, std::memory_order_release);
  encoder_.reset();
  delivery_.reset();
  worker_.reset();
  events_.reset();
  spool_.reset();
  return done;
}

Result<> Engine::start_producer() {
  if (auto done = producer_->start(); !done) return done;
  state_.store(State::Started, std::memory_order_release);
  return {};
}

Result<> Engine::start_parts() {
  auto transport = make_transport_(*clock_);
  if (!transport) return transport.error();
  if (reports_.fd() < 0) {
    if (auto done = reports_.open_descriptor(); !done) return done.error();
  }
  transport_ = std::move(*transport);

  const std::lock_guard lock(mutex_);
  core::Random seeds(seed_of(settings_));
  random_ = core::Random(seeds.next());
  ids_ = core::UuidSource(random_);
  event_ids_.reseed(seeds.next(), seeds.next());
  if (!open_spool_) {
    events_ = std::make_unique<IntakeSource>(intake_);
  } else if (auto done = open_spool(); !done) {
    return done;
  }
  encoder_ = std::make_unique<EncoderThread>([this] { transport_->wake(); });
  delivery_ = std::make_unique<Delivery>(
      Delivery::Parts{*clock_, intake_, *events_, controls_, *transport_, *encoder_, store(),
                      worker_.get(), reports_, log_, counters_, webhook_counters_,
                      [this](const std::string& id, uint64_t generation) {
                        set_disabled(id, generation, true);
                      }},
      settings_, seeds.next());
  if (spool_) {
    if (auto done = restore(); !done) return done;
    if (auto done = redeclare(); !done) return done;
  }
  waker_.store(transport_.get(), std::memory_order_release);
  spool_waker_.store(worker_.get(), std::memory_order_release);
  fork_generation_.store(platform::fork_generation());
  // After everything that was initialised, so that its handler runs before theirs.
  if (auto done = platform::ExitGuard::install(); !done) return done;
  if (worker_) {
    auto thread = platform::Thread::start("posthaste-spool", [this] { worker_->run(); });
    if (!thread) return thread.error();
    spool_thread_ = std::move(*thread);
  }
  auto thread = platform::Thread::start("posthaste", [this] { run(); });
  if (thread) {
    thread_ = std::move(*thread);
    declarations_.clear();
    return {};
  }
  if (worker_) {
    intake_.shut();
    worker_->stop();
    spool_thread_.join();
  }
  return thread.error();
}

void Engine::run() {
  std::vector<transport::Completion> completions;
  core::Instant last_events = clock_->now();
  platform::ExitGuard guard([this] { transport_->wake(); });
  for (;;) {
    const Delivery::StepResult result = delivery_->step(completions);
    if (result.is_closed) break;
    guard.park_if_exiting();
    const bool wants_every_record = !result.had_events;
    core::Instant deadline = result.deadline;
    if (!wants_every_record) {
      last_events = clock_->now();
      deadline = std::min(deadline, last_events + kTick);
    } else if (intake_.has_much_spare()) {
      if (clock_->now() - last_events >= kTrimAfter) intake_.trim();
      deadline = std::min(deadline, last_events + kTrimAfter);
    }
    if (result.awaits_spool || events_->prepare_wait(wants_every_record)) {
      transport_->wait(deadline, completions);
      events_->end_wait();
    } else {
      transport_->wait(core::Instant::min(), completions);
    }
    guard.park_if_exiting();
  }
}

bool Engine::is_forked() const {
  return state_.load(std::memory_order_acquire) != State::New && delivery_ &&
         fork_generation_.load(std::memory_order_relaxed) != platform::fork_generation();
}

Result<> Engine::check_readable() const {
  if (producer_) return {ErrorCode::State, "a producer has neither webhooks nor batches"};
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  return {};
}

Result<> Engine::check_usable(bool also_new) const {
  if (auto readable = check_readable(); !readable) return readable;
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::Started || (also_new && state == State::New)) return {};
  return {ErrorCode::State,
          state == State::New ? "the engine is not started" : "the engine is closed"};
}

Result<> Engine::set(std::string_view key, std::optional<std::string_view> value) {
  if (auto usable = check_usable(true); !usable) return usable;
  const std::lock_guard lock(mutex_);
  const auto stage =
      state_.load() == State::New ? config::EngineStage::BeforeStart : config::EngineStage::Started;
  core::EngineSettings next = settings_;
  if (auto done = config::apply_live(next, key, value, stage); !done) return done;
  return apply_settings(std::move(next));
}

// Every webhook runs with the new values at once; a webhook whose own values no longer fit refuses
// the change.
Result<> Engine::apply_settings(core::EngineSettings next) {
  std::vector<core::Webhook> changed;
  for (const core::WebhookPtr& webhook : registry_.list()) {
    auto settings = config::webhook_settings(next, webhook->overrides);
    if (!settings) return settings.error();
    if (*settings == webhook->settings) continue;
    changed.push_back(*webhook);
    changed.back().settings = std::move(*settings);
    if (auto done = check_webhook(changed.back()); !done) return done;
  }
  settings_ = std::move(next);
  event_max_bytes_.store(settings_.event_max_bytes);
  intake_.set_max_bytes(settings_.intake_max_bytes);
  reports_.set_max_bytes(settings_.report_max_bytes);
  reports_.set_kinds(settings_.report_kinds);
  log_.set_levels(settings_.log_level, settings_.log_reports);
  store().set_limits(settings_.attempts_max_age, settings_.attempts_max_bytes);
  if (worker_) {
    worker_->set_max_bytes(settings_.spool_max_bytes);
    spool_->store().set_dead_letter_limits(settings_.dead_letter_max_age,
                                           spool::dead_letters_max_bytes(settings_));
  }
  if (state_.load() != State::New && !post(SettingsControl{settings_})) {
    return {ErrorCode::State, "the engine is closed"};
  }
  for (core::Webhook& webhook : changed) {
    auto change = registry_.update(std::move(webhook));
    if (auto done = publish(std::move(*change), false); !done) return done;
  }
  return {};
}

Result<std::string> Engine::get(std::string_view key) const {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  const std::lock_guard lock(mutex_);
  return config::setting_text(settings_, key);
}

core::EngineSettings Engine::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

Result<> Engine::health() const {
  if (auto usable = check_usable(false); !usable) return usable;
  const ErrorCode code = worker_ ? worker_->health() : ErrorCode::Ok;
  if (code == ErrorCode::Ok) return {};
  return {code, worker_->failure()};
}

Result<> Engine::set_log(LogSink sink, void* user_data) {
  if (state_.load() != State::New)
    return {ErrorCode::State, "the log function is set before start"};
  log_.set_sink(sink, user_data);
  return {};
}

// ---- Events

Result<> Engine::define_type(std::string_view type, std::string_view class_name) {
  if (state_.load() != State::New)
    return {ErrorCode::State, "event types are defined before start"};
  if (producer_) return producer_->define_type(type, class_name);
  const std::lock_guard lock(mutex_);
  if (auto id = catalogue_.define(type, class_name); !id) return id.error();
  return {};
}

bool Engine::wants(std::optional<std::string_view> type) const {
  if (is_forked()) return false;
  // What webhooks there are only the engine that delivers knows.
  if (producer_) return true;
  if (!type) return is_anything_wanted_.load(std::memory_order_relaxed);
  const core::EventTypeId id = catalogue_.find(*type).id;
  return id != core::kNoEventType && wanted_[id].load(std::memory_order_relaxed);
}

ErrorCode Engine::push(std::optional<std::string_view> type, std::string_view payload) {
  if (const ErrorCode code = usable(); code != ErrorCode::Ok) return code;
  if (producer_) return producer_->push(type, payload);
  if (payload.size() > event_max_bytes_.load(std::memory_order_relaxed))
    return refuse(ErrorCode::TooLarge);
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_record({catalogue_, event_ids_, {}}, type, payload,
                                               clock_->coarse_wall_now(), plan);
  return code == ErrorCode::Ok ? enqueue(plan) : refuse(code);
}

ErrorCode Engine::push_trusted(std::string_view type, std::string_view payload) {
  if (const ErrorCode code = usable(); code != ErrorCode::Ok) return code;
  if (producer_) return producer_->push_trusted(type, payload);
  if (payload.size() > event_max_bytes_.load(std::memory_order_relaxed))
    return refuse(ErrorCode::TooLarge);
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_trusted({catalogue_, event_ids_, {}}, type, payload, plan);
  return code == ErrorCode::Ok ? enqueue(plan) : refuse(code);
}

ErrorCode Engine::push_enveloped(std::string_view record) {
  if (const ErrorCode code = usable(); code != ErrorCode::Ok) return code;
  if (producer_) return producer_->push_enveloped(record);
  if (record.size() > event_max_bytes_.load(std::memory_order_relaxed))
    return refuse(ErrorCode::TooLarge);
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_enveloped({catalogue_, event_ids_, {}}, std::nullopt,
                                                  record, clock_->coarse_wall_now(), plan);
  return code == ErrorCode::Ok ? enqueue(plan) : refuse(code);
}

ErrorCode Engine::enqueue(const envelope::RecordPlan& plan) {
  if (!wanted_[plan.type()].load(std::memory_order_relaxed)) {
    counters_.events_accepted.add();
    counters_.events_unwanted.add();
    return ErrorCode::Ok;
  }
  const ErrorCode code = intake_.push(static_cast<uint32_t>(plan.size_bytes()), plan.type(),
                                      [&](char* out) { plan.write_to(out); });
  if (code == ErrorCode::Ok) {
    counters_.events_accepted.add();
    return code;
  }
  if (code != ErrorCode::QueueFull) return code;
  counters_.events_queue_full.add();
  // With a bad disk behind it the intake fills for another reason.
  const ErrorCode health = worker_ ? worker_->health() : ErrorCode::Ok;
  return health == ErrorCode::Ok ? code : health;
}

ErrorCode Engine::refuse(ErrorCode code) {
  counters_.events_refused.add();
  return code;
}

Result<> Engine::check(std::optional<std::string_view> type, std::string_view payload) {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  const uint64_t limit = event_max_bytes_.load(std::memory_order_relaxed);
  if (payload.size() > limit) {
    return {ErrorCode::TooLarge, "the payload has " + std::to_string(payload.size()) +
                                     " bytes, event.max_bytes is " + std::to_string(limit)};
  }
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_record({catalogue_, event_ids_, {}}, type, payload,
                                               clock_->coarse_wall_now(), plan);
  if (code == ErrorCode::Ok) return {};
  return plan.error();
}

core::Error Engine::explain(std::string_view text, bool is_record) {
  if (!is_record) {
    auto checked = check(std::nullopt, text);
    return checked ? core::Error() : checked.error();
  }
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_enveloped({catalogue_, event_ids_, {}}, std::nullopt, text,
                                                  clock_->coarse_wall_now(), plan);
  return code == ErrorCode::Ok ? core::Error() : plan.error();
}

// ---- Batches and reports

// Gives a control its place in the order of events; the caller holds the lock, so the two orders
// agree.
bool Engine::post(Control control) {
  controls_.put(std::move(control));
  if (intake_.push_control()) return true;
  controls_.drop_last();
  return false;
}

Outcome Engine::wait_for(int32_t timeout_ms, const std::function<void(Done, Claim)>& begin) {
  if (auto usable = check_usable(false); !usable) return {usable.error(), nullptr, {}};
  const auto waiter = std::make_shared<Waiter>();
  begin([waiter](Outcome outcome) { waiter->complete(std::move(outcome)); },
        [waiter] { return waiter->claim(); });
  if (auto outcome = waiter->wait(timeout_ms)) return std::move(*outcome);
  return {{ErrorCode::Timeout, "no outcome within " + std::to_string(timeout_ms) + " ms", {}},
          nullptr,
          {}};
}

Result<uint64_t> Engine::give_ticket(const std::function<void(Done, Claim)>& begin) {
  if (auto usable = check_usable(false); !usable) return usable.error();
  auto ticket = tickets_.begin();
  if (!ticket) return ticket.error();
  const auto done = [this, number = *ticket](Outcome outcome) {
    Report report;
    report.kind = ReportKind::Ticket;
    report.ticket = number;
    report.webhook_id = outcome.webhook_id;
    report.message = outcome.error.message;
    report.time_ms = core::unix_ms(clock_->wall_now());
    report.outcome = std::move(outcome);
    reports_.push(std::move(report));
  };
  begin(done, [] { return true; });
  return *ticket;
}

Outcome Engine::flush(int32_t timeout_ms) {
  return wait_for(timeout_ms, [this](Done done, const Claim&) { begin_flush(std::move(done)); });
}

Result<uint64_t> Engine::flush_ticket() {
  return give_ticket([this](Done done, const Claim&) { begin_flush(std::move(done)); });
}

void Engine::begin_flush(Done done) {
  bool is_posted = false;
  {
    const std::lock_guard lock(mutex_);
    is_posted = post(FlushControl{done});
  }
  if (!is_posted) done({{ErrorCode::State, "the engine is closed", {}}, nullptr, {}});
}

Result<Engine::OpenBatch> Engine::open_batch(std::string_view id) const {
  if (auto usable = check_usable(true); !usable) return usable.error();
  auto webhook = find_registered(id);
  if (!webhook) return webhook.error();
  const auto counters = webhook_counters_.find((*webhook)->generation);
  if (!counters || counters->open_events.get() == 0) return OpenBatch{};
  return OpenBatch{counters->open_events.get(), counters->open_bytes.get()};
}

Result<std::vector<spool::AttemptRecord>> Engine::batch_status(std::string_view id, size_t limit,
                                                               spool::StatusFilter filter) const {
  if (auto readable = check_readable(); !readable) return readable.error();
  if (auto webhook = find_registered(id); !webhook) return webhook.error();
  return store().batch_status(id, limit, filter, clock_->wall_now());
}

std::optional<Report> Engine::poll(int32_t timeout_ms) {
  std::optional<core::Duration> timeout;
  if (timeout_ms >= 0) timeout = std::chrono::milliseconds(timeout_ms);
  std::optional<Report> report = reports_.poll(timeout);
  if (report && report->ticket != 0) tickets_.polled(report->ticket);
  if (report && report->kind == ReportKind::Dropped && spool_ && !is_forked()) {
    spool_->store().losses_reported(loss_of(*report));
  }
  return report;
}

std::vector<metrics::WebhookStats> Engine::webhook_stats(const WebhookChoice& shows) const {
  std::vector<metrics::WebhookStats> webhooks;
  const std::lock_guard lock(mutex_);
  const core::Instant now = clock_->now();
  for (const core::WebhookPtr& webhook : registry_.list()) {
    if (!shows(*webhook)) continue;
    auto counters = webhook_counters_.find(webhook->generation);
    if (!counters) counters = std::make_shared<metrics::WebhookCounters>();
    webhooks.push_back(
        {webhook->id, webhook->name, core::state_name(core::state_of(*webhook, now)), counters});
  }
  return webhooks;
}

metrics::EngineGauges Engine::gauges() const {
  metrics::EngineGauges gauges;
  {
    const std::lock_guard lock(mutex_);
    gauges.intake_max_bytes = settings_.intake_max_bytes;
    gauges.waiting_max_bytes = settings_.waiting_max_bytes;
    gauges.attempts_left_early = store().left_early_count();
  }
  gauges.spool = spool_gauges();
  const uint64_t used = counters_.waiting_memory_bytes.get();
  gauges.outage_covered =
      metrics::outage_covered(gauges.waiting_max_bytes - std::min(gauges.waiting_max_bytes, used),
                              static_cast<double>(counters_.routed_bytes_per_second.get()));
  return gauges;
}

Result<std::string> Engine::stats_json() const {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  return metrics::stats_json(counters_, gauges(), webhook_stats(all_webhooks), now());
}

Result<std::string> Engine::webhook_stats_json(const WebhookChoice& shows) const {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  return metrics::webhook_stats_json(webhook_stats(shows), spool_gauges().has_value(), now());
}

Result<std::string> Engine::prometheus_text() const {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  return metrics::prometheus_text(counters_, gauges(), webhook_stats(all_webhooks));
}

}  // namespace posthaste::engine
