// Durable mode of an engine: opening the spool, taking over what it kept, and sync.
#include <utility>

#include "engine/engine.h"
#include "engine/spool_restore.h"

namespace posthaste::engine {

using core::ErrorCode;
using core::Result;

namespace {

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
  if (auto done = share_types(*spool_, catalogue_); !done) return done;
  if (auto done = api_keys_.load(spool_->api_key_file(), remarks); !done) return done;
  auto hand_over = std::make_unique<HandOver>();
  worker_ = std::make_unique<SpoolWorker>(
      SpoolWorker::Parts{*spool_, intake_, *hand_over, reports_, log_, *clock_, counters_,
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
  registry_ = core::WebhookRegistry();
  return engine::restore({*spool_, catalogue_, settings_, *clock_, registry_, *delivery_});
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
  Outcome outcome =
      wait_for(timeout_ms, [this](Done done, const Claim&) { begin_sync(std::move(done)); });
  // Behind events that the journal cannot take no answer comes.
  const ErrorCode health = worker_ ? worker_->health() : ErrorCode::Ok;
  if (outcome.error.code == ErrorCode::Timeout && health != ErrorCode::Ok) {
    outcome.error = {health, "the spool cannot be written", {}};
  }
  return outcome;
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
  const Done explained = [this, done = std::move(done)](Outcome outcome) {
    const bool is_disk =
        outcome.error.code == ErrorCode::SpoolIo || outcome.error.code == ErrorCode::SpoolFull;
    if (is_disk) outcome.error.message = worker_->failure();
    done(std::move(outcome));
  };
  post_hurried(explained, [](Done ended) -> Result<Control> {
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
