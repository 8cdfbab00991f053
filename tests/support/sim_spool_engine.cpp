#include "support/sim_spool_engine.h"

#include <algorithm>
#include <utility>

#include "engine/spool_restore.h"

namespace posthaste::test {

using core::ErrorCode;
using core::Instant;
using core::Result;

SimSpoolEngine::SimSpoolEngine(SimDisk& disk, const core::EngineSettings& settings,
                               SimObserver* observer)
    : SimHost(settings, observer, [this] { wake_worker(); }), disk_(disk) {}

SimSpoolEngine::~SimSpoolEngine() = default;

Result<std::unique_ptr<SimSpoolEngine>> SimSpoolEngine::open(SimDisk& disk,
                                                             const core::EngineSettings& settings,
                                                             uint64_t seed,
                                                             core::WallTime wall_start,
                                                             SimObserver* observer) {
  std::unique_ptr<SimSpoolEngine> engine(new SimSpoolEngine(disk, settings, observer));
  if (auto done = engine->start(seed, wall_start); !done) return done.error();
  return engine;
}

// As Engine::open_spool and Engine::restore.
Result<> SimSpoolEngine::start(uint64_t seed, core::WallTime wall_start) {
  clock_.shift_wall(wall_start - clock_.wall_now());
  auto random = std::make_shared<core::Random>(seed);
  const uint64_t delivery_seed = random->next();
  auto spool = spool::Spool::open(
      disk_.files(), disk_.options_for(settings_), [random] { return random->next(); },
      clock_.wall_now(), remarks_);
  if (!spool) return spool.error();
  spool_ = std::move(*spool);
  if (auto done = engine::share_types(*spool_, catalogue_); !done) return done;
  worker_ = std::make_unique<engine::SpoolWorker>(
      engine::SpoolWorker::Parts{*spool_, intake_, hand_over_, reports_, log_, clock_, counters_,
                                 [this] { transport_.wake(); }},
      settings_);
  for (const spool::Loss& loss : spool_->recovered().losses) {
    reports_.push(engine::report_of(loss, clock_.wall_now()));
  }
  delivery_ = std::make_unique<engine::Delivery>(
      engine::Delivery::Parts{clock_, intake_, hand_over_, controls_, transport_, encoder_,
                              spool_->store(), worker_.get(), reports_, log_, counters_,
                              webhook_counters_, disabler()},
      settings_, delivery_seed);
  if (auto done = engine::restore({*spool_, catalogue_, settings_, clock_, registry_, *delivery_});
      !done) {
    return done;
  }
  wanted_ = registry_.wanted_types();
  worker_due_ = clock_.now();
  return {};
}

void SimSpoolEngine::wake_worker() {
  worker_due_ = std::min(worker_due_, clock_.now() + wake_delay_);
}

ErrorCode SimSpoolEngine::push(core::EventTypeId type, std::string_view record) {
  const ErrorCode code = SimHost::push(type, record);
  wake_worker();
  if (code != ErrorCode::QueueFull) return code;
  // As Engine::enqueue.
  const ErrorCode health = worker_->health();
  return health == ErrorCode::Ok ? code : health;
}

// As Engine::post_hurried.
bool SimSpoolEngine::sync(engine::Done done) {
  worker_->begin_sync();
  wake_worker();
  const bool is_posted =
      post(engine::SyncControl{[this, done = std::move(done)](engine::Outcome outcome) {
        worker_->end_sync();
        done(std::move(outcome));
      }});
  if (!is_posted) worker_->end_sync();
  return is_posted;
}

core::Error SimSpoolEngine::sync_within(core::Duration timeout) {
  auto result = std::make_shared<std::optional<core::Error>>();
  if (!sync([result](const engine::Outcome& outcome) { *result = outcome.error; })) {
    return {ErrorCode::State, "the engine is closed", {}};
  }
  const Instant deadline = clock_.now() + timeout;
  while (!*result && clock_.now() < deadline) {
    run_until(std::min(deadline, clock_.now() + std::chrono::milliseconds(1)));
  }
  if (*result) return **result;
  // As Engine::sync.
  const ErrorCode health = worker_->health();
  return {health == ErrorCode::Ok ? ErrorCode::Timeout : health, "no answer", {}};
}

std::optional<engine::Report> SimSpoolEngine::poll() {
  std::optional<engine::Report> report = reports_.poll(core::Duration::zero());
  if (report && report->kind == engine::ReportKind::Dropped) {
    spool_->store().losses_reported(engine::loss_of(*report));
  }
  return report;
}

bool SimSpoolEngine::close(Instant deadline) {
  is_closing_ = true;
  const bool is_posted = SimHost::close(deadline);
  worker_->hurry();
  wake_worker();
  return is_posted;
}

// The two threads take turns: whoever is due, the spool thread first.
void SimSpoolEngine::run_until(Instant until) {
  while (!is_closed()) {
    const Instant worker_due = std::max(worker_due_, stalled_until_);
    if (worker_due <= clock_.now()) {
      worker_due_ = core::kNever;
      const Instant next = worker_->step();
      if (disk_.is_stopped()) throw SimCrash();
      worker_due_ = std::min(worker_due_, next);
      continue;
    }
    if (wait_for_delivery(hand_over_, std::min(until, worker_due))) {
      step_delivery(hand_over_);
      if (disk_.is_stopped()) throw SimCrash();
      if (spool_->store().is_urgent() || is_closing_) wake_worker();
      if (is_closed()) finish_close();
    } else if (clock_.now() >= until && worker_due > until) {
      break;
    }
  }
  clock_.advance_to(until);
}

// As Engine::close_spool. Once stopped the worker waits for nothing.
void SimSpoolEngine::finish_close() {
  worker_->stop();
  worker_->run();
  if (disk_.is_stopped()) throw SimCrash();
}

}  // namespace posthaste::test
