#include "engine/spool_worker.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"

namespace posthaste::engine {

// The store numbers its own reasons as the reports do.
static_assert(spool::kLossUnreadable == static_cast<int32_t>(DropReason::Unreadable));
static_assert(spool::kLossSalvaged == static_cast<int32_t>(DropReason::Salvaged));
static_assert(spool::kLossDeadLetterQuota == static_cast<int32_t>(DropReason::DeadLetterQuota));
static_assert(spool::kLossDeadLetterAge == static_cast<int32_t>(DropReason::DeadLetterAge));

using core::ErrorCode;

namespace {

// Records of one group commit: beyond this, syncing more at once is no faster.
constexpr uint64_t kGroupBytes = uint64_t{4} << 20;
// What the journal is given at once: a run may be larger than the whole spool.
constexpr uint64_t kPieceBytes = uint64_t{256} << 10;
// Enough to sync before the interval is over.
constexpr uint64_t kEnoughBytes = uint64_t{1} << 20;
// Records from before a restart that may wait for the delivery thread.
constexpr uint64_t kRecoveredBytes = uint64_t{16} << 20;
// Of them, so many runs go to it at once.
constexpr size_t kRecoveredRanges = 64;

constexpr core::Duration kRetryEvery = std::chrono::milliseconds(100);
constexpr core::Duration kUnsecuredAfter = std::chrono::seconds(5);
// Outcomes are written lazily; the worst case is the same batch again.
constexpr core::Duration kLazyCommit = std::chrono::milliseconds(200);
constexpr core::Duration kMaintainEvery = std::chrono::seconds(1);
// What is wrong for long is said again.
constexpr core::Duration kRemindEvery = std::chrono::minutes(1);
constexpr core::Duration kMaintainSoon = std::chrono::milliseconds(100);
// Producers are noticed by a watch of their files, but not more often than the first; behind it by
// looking, and more often when there is no watch. A look takes microseconds.
constexpr core::Duration kLookPause = std::chrono::milliseconds(10);
constexpr core::Duration kLookEvery = std::chrono::seconds(1);
constexpr core::Duration kLookAloneEvery = std::chrono::milliseconds(500);

// Leaves what is more than a piece, or a record, for the next time.
void cut(intake::Intake::Range& range) {
  const uint32_t first = range.run.first;
  for (uint32_t count = 1; count < range.run.count; ++count) {
    const core::RecordEntry& entry = range.segment->entry(first + count);
    if (entry.offset + entry.size - range.segment->entry(first).offset <= kPieceBytes) continue;
    range.run.count = count;
    range.is_end = false;
    return;
  }
}

class Body final : public StoredBody {
 public:
  Body(spool::Spool& spool, uint64_t sequence) {
    auto reader = spool.open_body(sequence);
    if (reader) {
      reader_ = std::move(*reader);
    } else {
      note(reader.error());
    }
  }

  size_t read(uint64_t offset, char* out, size_t room) override {
    if (!reader_) return 0;
    auto size = reader_->read(offset, out, room);
    if (!size) note(size.error());
    if (size && *size > 0) return *size;
    // It ends too early, and always will.
    if (size) is_lost_ = true;
    return 0;
  }
  bool is_lost() const override { return is_lost_; }

 private:
  // Other errors may pass: the disk's, or a lack of memory.
  void note(const core::Error& error) {
    is_lost_ = error.key == journal::kLostKey || error.code == ErrorCode::NotFound ||
               spool::is_damage(error);
  }

  std::unique_ptr<spool::BodyReader> reader_;  // null: there is none
  bool is_lost_ = false;
};

}  // namespace

Report report_of(const spool::Loss& loss, core::WallTime now) {
  Report report;
  report.kind = ReportKind::Dropped;
  report.webhook_id = loss.webhook_id;
  report.reason = static_cast<DropReason>(loss.reason);
  report.message = drop_reason_name(report.reason);
  report.events_count = loss.events_count;
  report.count = loss.batches_count;
  report.time_ms = core::unix_ms(now);
  return report;
}

spool::Loss loss_of(const Report& report) {
  return {report.webhook_id, static_cast<int32_t>(report.reason), report.events_count,
          report.count};
}

SpoolWorker::SpoolWorker(const Parts& parts, const core::EngineSettings& settings)
    : SpoolLink(parts.spool.store()),
      spool_(parts.spool),
      intake_(parts.intake),
      hand_over_(parts.hand_over),
      reports_(parts.reports),
      log_(parts.log),
      clock_(parts.clock),
      counters_(parts.counters),
      wake_delivery_(parts.wake_delivery),
      directory_(settings.spool_dir),
      commit_interval_(settings.spool_commit_interval),
      max_bytes_(settings.spool_max_bytes),
      started_at_(parts.clock.now()) {}

core::Instant SpoolWorker::step() {
  now_ = clock_.now();
  if (is_recovering_) {
    const std::optional<core::Duration> pause = recover();
    is_recovering_ = pause.has_value();
    if (pause) return now_ + *pause;
  }
  // Whoever is in a hurry has one attempt at once, and no more of them than anybody else.
  const uint32_t calls = calls_count_.load();
  const bool is_called = std::exchange(calls_seen_, calls) != calls;
  if (now_ >= retry_at_ || is_called || (is_hurried_.load() && has_more_)) {
    has_failed_ = false;
    take_records();
    take_produced();
    hand_on();
    commit();
    if (!has_failed_ && !spool_.is_damaged()) note_success();
    if (!is_finished_ && appended_.empty() && intake_.is_drained()) {
      is_finished_ = true;
      hand_over_.finish();
      wake_delivery_();
    }
  }
  if (now_ - maintained_at_ >= maintain_every()) maintain();
  for (std::string& remark : spool_.take_remarks()) report(LogLevel::Warning, std::move(remark));

  core::Instant next = maintained_at_ + maintain_every();
  if (takes_produced()) next = std::min(next, looked_at_ + look_interval());
  if (is_backed_up_) next = std::min(next, now_ + kLookPause);
  if (!appended_.empty()) next = std::min(next, appended_since_ + commit_interval_);
  if (store().has_work()) next = std::min(next, committed_at_ + kLazyCommit);
  if (has_more_ || (store().is_urgent() && retry_at_ <= now_)) next = now_;
  return is_hurried_.load() && has_more_ ? now_ : std::max(next, retry_at_);
}

SpoolWorker::~SpoolWorker() {
  for (const EventRange& range : appended_) {
    if (range.is_end) range.block->release();
  }
}

void SpoolWorker::run() {
  if (auto watch = platform::FileWatch::open(directory_); watch) {
    watch_ = std::move(*watch);
  } else {
    stop_watching(watch.error());
  }
  for (;;) {
    const core::Instant next = step();
    if (is_stopping_.load()) {
      const bool is_done = intake_.is_drained() && appended_.empty() && !store().has_work();
      if (is_done || health() != ErrorCode::Ok) return;
      continue;
    }
    const bool is_idle = appended_.empty() && !has_more_;
    const bool may_wait = retry_at_ > now_ || intake_.prepare_wait(is_idle);
    const core::Duration left = std::max(next - clock_.now(), core::Duration::zero());
    const int fd = watch_ && !is_news_ && takes_produced() ? watch_->fd() : -1;
    if (wait_point_.wait(may_wait ? left : core::Duration::zero(), fd)) is_news_ = watch_->take();
    intake_.end_wait();
  }
}

void SpoolWorker::begin_sync() {
  syncs_count_.fetch_add(1);
  wake();
}

void SpoolWorker::hurry() {
  is_hurried_.store(true);
  calls_count_.fetch_add(1);
  wake();
}

void SpoolWorker::stop() {
  is_stopping_.store(true);
  hurry();
}

// Hands over what the journal had at the start, before anything new, which waits until that is
// done. While there is more: how long until the next turn.
std::optional<core::Duration> SpoolWorker::recover() {
  std::optional<core::Duration> pause = core::Duration::zero();
  std::vector<EventRange> ranges;
  while (ranges.size() < kRecoveredRanges && hand_over_.waiting_bytes() < kRecoveredBytes) {
    auto found = spool_.next_recovered(started_at_);
    if (found && found->has_value()) {
      ranges.push_back({(*found)->block, (*found)->run, true});
      continue;
    }
    pause.reset();
    if (!found) {
      note_failure(found.error());
      pause = kRetryEvery;
    }
    break;
  }
  core::crash_point("engine: records recovered");
  const bool is_news = !ranges.empty();
  hand_over_.put(std::move(ranges));
  if (is_news) wake_delivery_();
  // A run may be one small record, so it is only the delivery thread that may have to be waited
  // for.
  const bool is_backed_up = hand_over_.waiting_bytes() >= kRecoveredBytes;
  return pause && is_backed_up ? std::max(*pause, kLookPause) : pause;
}

bool SpoolWorker::has_given_up() const {
  const bool is_over = now_ - failing_since_.load() >= kUnsecuredAfter;
  // A disk that is full waits for deliveries; behind a damaged database nothing makes room.
  const bool is_full = health_.load() == ErrorCode::SpoolFull && !spool_.is_damaged();
  return is_hurried_.load() || (is_over && !is_full);
}

void SpoolWorker::take_records() {
  intake::Intake::Range range;
  has_more_ = false;
  while (intake_.read(range)) {
    if (appended_bytes_ >= kGroupBytes) {
      has_more_ = true;
      return;
    }
    cut(range);
    EventRange taken{range.segment, range.run, range.is_end};
    if (!append(taken)) return;
    note_appended(taken);
    intake_.advance(range);
  }
}

void SpoolWorker::note_appended(const EventRange& range) {
  if (appended_.empty()) appended_since_ = now_;
  appended_bytes_ += size_of(range);
  appended_.push_back(range);
}

// Copies what producers in other processes wrote. What cannot be copied now waits in their files.
void SpoolWorker::take_produced() {
  is_backed_up_ = false;
  if (!takes_produced() || has_failed_) return;
  if (now_ - looked_at_ >= look_interval()) look_for_produced();
  for (;;) {
    if (hand_over_.waiting_bytes() >= kRecoveredBytes) {
      is_backed_up_ = true;
      break;
    }
    if (appended_bytes_ >= kGroupBytes) {
      has_more_ = true;
      break;
    }
    auto found = spool_.next_produced(now_);
    if (!found) note_failure(found.error());
    if (!found || !found->has_value()) break;
    counters_.events_accepted.add();
    counters_.events_from_producers.add();
    note_appended({(*found)->block, (*found)->run, true});
  }
  // What was passed over needs no hand-on.
  if (appended_.empty()) {
    if (auto done = spool_.mark_copied(); !done) note_failure(done.error());
  }
}

// What comes while the engine closes is for its next start.
bool SpoolWorker::takes_produced() const {
  return !is_hurried_.load() && !is_finished_;
}

core::Duration SpoolWorker::look_interval() const {
  if (is_news_) return kLookPause;
  return watch_ ? kLookEvery : kLookAloneEvery;
}

void SpoolWorker::look_for_produced() {
  looked_at_ = now_;
  is_news_ = false;
  if (auto done = spool_.look_for_produced(); !done) note_failure(done.error());
  watch_producers();
}

// Files that appeared are watched, and looked at once more: what happened before is not reported.
void SpoolWorker::watch_producers() {
  if (!watch_ || watched_count_ == spool_.producer_files_opened()) return;
  watched_count_ = spool_.producer_files_opened();
  is_news_ = true;
  for (const std::string& path : spool_.producer_paths()) {
    if (auto done = watch_->add(path); !done) {
      stop_watching(done.error());
      return;
    }
  }
}

void SpoolWorker::stop_watching(const core::Error& error) {
  watch_.reset();
  report(LogLevel::Warning,
         fmt::format("producers are noticed by looking alone, every {} ms: {}",
                     std::chrono::duration_cast<std::chrono::milliseconds>(kLookAloneEvery).count(),
                     error.message));
}

// False: the journal cannot take it now, and it is worth waiting.
bool SpoolWorker::append(EventRange& range) {
  range.run.position = spool_.end();
  if (size_of(range) == 0) return true;
  auto position = spool_.append(*range.block, range.run);
  if (position) {
    range.run.position = *position;
    core::crash_point("engine: records appended");
    return true;
  }
  note_failure(position.error());
  range.run.position = 0;
  return has_given_up();
}

// Syncs what was appended, when it is time, and passes it on.
void SpoolWorker::hand_on() {
  if (appended_.empty()) return;
  const bool is_due = is_in_a_hurry() || appended_bytes_ >= kEnoughBytes ||
                      now_ - appended_since_ >= commit_interval_;
  if (!is_due) return;
  core::crash_point("engine: before the journal is synced");
  if (auto done = spool_.sync_journal(); !done) {
    note_failure(done.error());
    if (!has_given_up()) return;
    spool_.keep_unsynced();
    for (EventRange& range : appended_) {
      if (range.run.position != 0) range.doubtful_position = range.run.position;
      range.run.position = 0;
    }
  }
  core::crash_point("engine: journal synced");
  if (auto done = spool_.mark_copied(); !done) {
    note_failure(done.error());
    if (!has_given_up()) return;
  }
  hand_over_.put(std::exchange(appended_, {}));
  appended_bytes_ = 0;
  wake_delivery_();
}

void SpoolWorker::commit() {
  // What failed is tried again before anybody is told that it works.
  const bool is_failing = failing_since_.load() != core::kNever;
  if (!store().has_work() && !is_failing) return;
  const bool is_due =
      store().is_urgent() || is_in_a_hurry() || is_failing || now_ - committed_at_ >= kLazyCommit;
  if (!is_due) return;
  auto done = spool_.commit();
  committed_at_ = now_;
  if (!done) {
    note_failure(done.error());
  } else {
    report_losses(done->losses);
    if (done->checkpoint.code != ErrorCode::Ok) note_failure(done->checkpoint);
    if (auto given = spool_.give_back(); !given) note_failure(given.error());
  }
  wake_delivery_();
}

void SpoolWorker::maintain() {
  maintained_at_ = now_;
  auto done = spool_.maintain(clock_.wall_now());
  if (!done) {
    if (spool_.is_damaged()) note_failure(done.error());
    if (now_ - maintenance_failed_at_ < kRemindEvery) return;
    maintenance_failed_at_ = now_;
    if (!spool_.is_damaged()) report(LogLevel::Warning, done.error().message);
    return;
  }
  maintenance_failed_at_ = {};
  report_losses(done->losses);
  maintained_count_.fetch_add(1);
  if (is_over()) wake_delivery_();
}

bool SpoolWorker::is_over() const {
  return spool_.disk_bytes() > max_bytes_.load();
}

// Space that is wanted is looked for more often.
core::Duration SpoolWorker::maintain_every() const {
  return is_over() || spool_.has_more_to_move() ? kMaintainSoon : kMaintainEvery;
}

void SpoolWorker::note_failure(const core::Error& error) {
  has_failed_ = true;
  retry_at_ = now_ + kRetryEvery;
  const bool is_new = failing_since_.load() == core::kNever;
  if (is_new) failing_since_.store(now_);
  const bool is_full = error.code == ErrorCode::SpoolFull && !spool_.is_damaged();
  const ErrorCode code = is_full ? ErrorCode::SpoolFull : ErrorCode::SpoolIo;
  if (!is_new && health_.load() == code && now_ - reminded_at_ < kRemindEvery) return;
  reminded_at_ = now_;
  {
    const std::lock_guard lock(mutex_);
    failure_ = "the spool cannot be written: " + error.message;
  }
  health_.store(code);
  report(LogLevel::Error, failure_, code);
  wake_delivery_();
}

void SpoolWorker::note_success() {
  if (failing_since_.load() == core::kNever) return;
  failing_since_.store(core::kNever);
  health_.store(ErrorCode::Ok);
  report(LogLevel::Info, "the spool can be written again");
}

void SpoolWorker::report_losses(const std::vector<spool::Loss>& losses) {
  for (const spool::Loss& loss : losses) reports_.push(report_of(loss, clock_.wall_now()));
}

std::string SpoolWorker::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void SpoolWorker::report(LogLevel level, std::string message, ErrorCode code) {
  if (log_.is_on(level)) log_.write(level, message, {}, {});
  Report report;
  report.kind = ReportKind::Spool;
  report.outcome.error.code = code;
  report.message = std::move(message);
  report.time_ms = core::unix_ms(clock_.wall_now());
  reports_.push(std::move(report));
}

std::unique_ptr<StoredBody> SpoolWorker::open_body(uint64_t sequence) {
  return std::make_unique<Body>(spool_, sequence);
}

}  // namespace posthaste::engine
