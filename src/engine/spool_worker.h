// The spool thread: takes records out of the intake, writes them to the journal, commits what the
// delivery step has queued in the store, and hands the records on. Everything that waits for the
// disk happens here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "engine/hand_over.h"
#include "engine/log.h"
#include "engine/report_queue.h"
#include "engine/spool_link.h"
#include "intake/intake.h"
#include "metrics/counters.h"
#include "platform/clock.h"
#include "platform/file_watch.h"
#include "platform/wait_point.h"
#include "spool/spool.h"

namespace posthaste::engine {

// A loss that the store keeps until it was reported, and back.
Report report_of(const spool::Loss& loss, core::WallTime now);
spool::Loss loss_of(const Report& report);

// Purpose: drives the spool. Ownership: refers to its parts, all of which outlive it. Threads: step
// and run the spool thread (or the simulation); wake, the syncs, stop and SpoolLink any.
// Invariants: records are handed on in the order of the intake, and only when the journal has them
// (or cannot take them for long, in which case they have no place there).
class SpoolWorker final : public SpoolLink {
 public:
  struct Parts {
    spool::Spool& spool;
    intake::Intake& intake;
    HandOver& hand_over;
    ReportQueue& reports;
    Log& log;
    const platform::Clock& clock;
    metrics::EngineCounters& counters;
    std::function<void()> wake_delivery;
  };
  SpoolWorker(const Parts& parts, const core::EngineSettings& settings);
  ~SpoolWorker();
  SpoolWorker(const SpoolWorker&) = delete;
  SpoolWorker& operator=(const SpoolWorker&) = delete;

  // One turn; when the next one is due.
  core::Instant step();
  // Turns, until stopped and everything is written or has failed.
  void run();
  void wake() override { wait_point_.wake(); }

  // A host waits for the disk: no interval is waited out until it ends.
  void begin_sync();
  void end_sync() { syncs_count_.fetch_sub(1); }
  // The engine closes: what cannot be written is handed on at once, so that it can be reported.
  void hurry();
  // The delivery thread has ended: what it queued is written once more, then run() returns.
  void stop();

  std::unique_ptr<StoredBody> open_body(uint64_t sequence) override;
  core::Instant failing_since() const override { return failing_since_.load(); }
  core::ErrorCode health() const override { return health_.load(); }
  // What was wrong last, in words that say what to do.
  std::string failure() const;
  bool is_hurried() const override { return is_hurried_.load(); }
  uint64_t disk_bytes() const override { return spool_.disk_bytes(); }
  uint64_t maintained_count() const override { return maintained_count_.load(); }
  void cursor_written(core::StreamPosition low) override { spool_.set_low_written(low); }
  void set_max_bytes(uint64_t max_bytes) override {
    max_bytes_.store(max_bytes);
    spool_.set_max_bytes(max_bytes);
  }

 private:
  std::optional<core::Duration> recover();
  void take_records();
  bool append(EventRange& range);
  void take_produced();
  bool takes_produced() const;
  core::Duration look_interval() const;
  void look_for_produced();
  void watch_producers();
  void stop_watching(const core::Error& error);
  void note_appended(const EventRange& range);
  void hand_on();
  void commit();
  void maintain();
  bool is_in_a_hurry() const { return syncs_count_.load() > 0 || is_hurried_.load(); }
  bool has_given_up() const;
  void note_failure(const core::Error& error);
  void note_success();
  void report_losses(const std::vector<spool::Loss>& losses);
  // The code is what the spool's calls answer from now on.
  void report(LogLevel level, std::string message, core::ErrorCode code = core::ErrorCode::Ok);

  spool::Spool& spool_;
  intake::Intake& intake_;
  HandOver& hand_over_;
  ReportQueue& reports_;
  Log& log_;
  const platform::Clock& clock_;
  metrics::EngineCounters& counters_;
  const std::function<void()> wake_delivery_;
  const std::string directory_;
  const core::Duration commit_interval_;
  std::atomic<uint64_t> max_bytes_;
  // What is found from before counts as pushed then: nothing pushed since is older.
  const core::Instant started_at_;

  bool is_over() const;
  core::Duration maintain_every() const;

  std::atomic<int32_t> syncs_count_{0};
  std::atomic<uint64_t> maintained_count_{0};
  std::atomic<bool> is_hurried_{false};
  std::atomic<uint32_t> calls_count_{0};  // of hurry
  std::atomic<bool> is_stopping_{false};
  std::atomic<core::Instant> failing_since_{core::kNever};
  std::atomic<core::ErrorCode> health_{core::ErrorCode::Ok};

  platform::WaitPoint wait_point_;
  mutable std::mutex mutex_;  // guards failure_
  std::string failure_;

  // The spool thread's.
  core::Instant now_{};
  bool is_recovering_ = true;
  std::vector<EventRange> appended_;  // in the journal, not synced or not handed on
  uint64_t appended_bytes_ = 0;
  core::Instant appended_since_{};
  bool has_failed_ = false;   // in this turn
  core::Instant retry_at_{};  // after a failure
  uint32_t calls_seen_ = 0;
  core::Instant committed_at_{};
  core::Instant looked_at_{};                   // for records of producers
  std::unique_ptr<platform::FileWatch> watch_;  // of their files; null: none, or not any more
  uint64_t watched_count_ = 0;                  // of the files opened that are watched
  bool is_news_ = false;       // something happened to their files since the last look
  bool is_backed_up_ = false;  // the delivery thread has enough for now
  core::Instant maintained_at_{};
  core::Instant maintenance_failed_at_{};  // when that was last reported
  core::Instant reminded_at_{};            // of a failure that lasts
  bool is_finished_ = false;               // everything was handed on, for good
  bool has_more_ = false;                  // the intake had more than one turn takes
};

}  // namespace posthaste::engine
