// The durable store: a SQLite database in the spool's directory. The composition root makes one
// when a directory is configured; everybody else sees DurableStore. Bodies of young batches are in
// the journal, which this knows only as a RecordSource.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "spool/operation_queue.h"
#include "spool/sqlite_reader.h"
#include "spool/sqlite_schema.h"
#include "spool/sqlite_writer.h"
#include "spool/store.h"

namespace posthaste::spool {

struct Salvage;

struct SqliteStoreOptions {
  std::string directory;  // exists, and is nobody else's to write
  SyncLevel sync = SyncLevel::Full;
  uint32_t file_mode = 0600;
  core::Duration attempts_max_age = std::chrono::hours(24);
  uint64_t attempts_max_bytes = 4u << 20;
  core::Duration dead_letters_max_age = core::Duration::max();
  uint64_t dead_letters_max_bytes = ~uint64_t{0};
  const char* vfs = nullptr;  // name of a SQLite VFS, for tests; null: the system's
};

// The name of the database in the spool's directory; SQLite keeps two files beside it.
inline constexpr const char* kDatabaseName = "spool.db";

// Purpose: DurableStore in SQLite. Ownership: owns its connections, three in all. Threads: as
// DurableStore says. Invariants: as DurableStore says; memory does not grow with what is on disk.
class SqliteStore final : public DurableStore {
 public:
  // Makes the database when there is none, and completes a quarantine that was interrupted. Fails
  // with Unsupported for a newer format, and with an error of damage (is_damage) when what is there
  // cannot be read.
  static core::Result<std::unique_ptr<SqliteStore>> open(const SqliteStoreOptions& options);
  // What is queued and not committed is gone.
  ~SqliteStore() override;

  // The database was found damaged while it was open: saves what can be read into a fresh one, puts
  // that in its place and goes on with it; what is queued stays queued. Readers wait for the moment
  // of the change only. Live batches that cannot be saved are left for the engine to give up.
  // Fails, and changes nothing, when it cannot save every webhook and cursor, since the engine goes
  // on with those that it has in memory. The spool thread.
  core::Result<Salvage> renew(core::WallTime now);
  // What the journal misses before that position was reported, and is no reason to refuse a start.
  // Before the first operation.
  core::Result<> accept_damage(core::StreamPosition before);
  // A file of the journal is in use; written with the next commit, lazily.
  void set_journal_file(uint64_t number) { journal_file_ = number; }
  // The spool is refused: the log stays beside the database.
  void leave_log();
  // Ends a check that is under way, and any later one.
  void stop_checks() { stops_checks_.store(true); }

  void log_attempt(const AttemptRecord& attempt) override;
  std::vector<AttemptRecord> batch_status(std::string_view webhook_id, size_t limit,
                                          StatusFilter filter, core::WallTime now) const override;
  void set_limits(core::Duration max_age, uint64_t max_bytes) override;
  uint64_t left_early_count() const override;
  WebhookHistory history(std::string_view webhook_id) const override;
  void forget_webhook(std::string_view webhook_id) override;

  uint64_t seal(BatchRow batch) override;
  uint64_t attempted(uint64_t sequence, const RetryState& retry) override;
  uint64_t finish(uint64_t sequence, Ending ending) override;
  uint64_t split(uint64_t parent_sequence, std::vector<BatchPart> parts) override;
  uint64_t put_webhook(WebhookRow webhook) override;
  uint64_t set_removed(uint64_t generation) override;
  uint64_t forget(uint64_t generation) override;
  uint64_t forget_revision(uint64_t generation, uint64_t target_revision) override;
  uint64_t set_low(core::StreamPosition low) override;
  uint64_t add_loss(Loss loss) override;
  uint64_t losses_reported(Loss loss) override;
  uint64_t replay_dead_letter(uint64_t sequence, uint64_t generation,
                              uint64_t target_revision) override;
  uint64_t delete_dead_letters(DeadLetterFilter filter) override;
  void begin_group() override;
  void end_group() override;

  bool has_work() const override;
  bool is_urgent() const override;
  uint64_t queued_bytes() const override;
  uint64_t committed() const override;
  uint64_t synced() const override;

  core::Result<CommitOutcome> commit(RecordSource& records) override;
  core::Result<> sync() override;
  core::Result<bool> has_live_in(core::StreamPosition first, core::StreamPosition end) override;
  core::Result<MoveOutcome> move_to_blob(core::StreamPosition first, core::StreamPosition end,
                                         RecordSource& records) override;
  core::Result<CommitOutcome> maintain(core::WallTime now) override;
  core::Result<uint32_t> define_type(std::string_view name, std::string_view class_name) override;
  core::Result<RecoveredState> recover() override;
  core::Result<> for_each_live(const std::function<void(const LiveBatch&)>& visit) override;

  std::vector<EventTypeRow> event_types() const override;
  uint64_t disk_bytes() const override;
  uint64_t free_bytes() const override;
  void set_dead_letter_limits(core::Duration max_age, uint64_t max_bytes) override;

  core::Result<StoredBody> open_body(uint64_t sequence) const override;
  core::Result<size_t> read_blob(uint64_t sequence, uint64_t offset, char* out,
                                 size_t room) const override;
  core::Result<std::vector<LiveBatch>> list_batches(std::optional<uint64_t> generation,
                                                    uint64_t after_sequence,
                                                    size_t limit) const override;
  core::Result<LiveBatch> find_batch(std::string_view id) const override;
  core::Result<std::vector<DeadLetter>> list_dead_letters(const DeadLetterFilter& filter,
                                                          uint64_t after_sequence,
                                                          size_t limit) const override;
  core::Result<DeadLetter> find_dead_letter(std::string_view id) const override;
  core::Result<Sums> dead_letter_sums(const DeadLetterFilter& filter) const override;
  core::Result<std::vector<WebhookSums>> live_sums() const override;
  core::Result<Findings> check() const override;

 private:
  explicit SqliteStore(const SqliteStoreOptions& options);

  core::Result<> open_connections();
  core::Result<> open_writer();
  void close_writer();
  bool has_journal() const;
  bool has_numbered_types();
  void verify();
  uint64_t read_mark(const char* key);
  core::Result<> read_event_types();
  core::Result<> write(const OperationQueue::Taken& taken, RecordSource& records,
                       CommitOutcome& outcome);
  // Runs `body` in a transaction that is synced at every level.
  core::Result<> write_synced(const std::function<void()>& body);
  core::Error checkpoint(int mode);
  core::Result<> remove_aged(core::WallTime now, CommitOutcome& outcome);
  core::Result<> give_back_space();
  void forget_unused_webhooks();
  void measure_free_space();

  // With attempts_mutex_ held.
  void wait_in_log(AttemptRecord attempt);
  void take_attempts();
  void put_back_attempts();

  const SqliteStoreOptions options_;
  std::string path_;

  OperationQueue queue_;
  std::atomic<uint64_t> committed_{0};
  std::atomic<uint64_t> synced_{0};
  std::atomic<uint64_t> free_bytes_{0};
  std::atomic<core::Duration> dead_letters_max_age_;
  std::atomic<uint64_t> dead_letters_max_bytes_;
  std::atomic<core::Duration> attempts_max_age_;
  std::atomic<uint64_t> attempts_max_bytes_;
  std::atomic<uint64_t> left_early_count_{0};
  std::atomic<uint64_t> journal_file_{0};  // the greatest number in use
  std::atomic<uint64_t> journal_file_written_{0};

  mutable std::mutex attempts_mutex_;  // guards the next three
  std::deque<AttemptRecord> waiting_attempts_;
  // Being written; changed by the spool thread only, so that it may read without the lock.
  std::deque<AttemptRecord> taken_attempts_;
  uint64_t waiting_attempts_bytes_ = 0;

  std::mutex writer_mutex_;  // guards what follows, down to the reader
  Database database_;
  std::unique_ptr<SqliteWriter> writer_;
  int log_pages_ = 0;                // in the log, as of the last commit
  uint64_t commits_count_ = 0;       // since the last maintenance
  core::WallTime letters_looked_{};  // when aged dead letters were looked for

  mutable std::mutex types_mutex_;  // guards types_
  std::vector<EventTypeRow> types_;

  std::atomic<bool> stops_checks_{false};
  mutable SqliteReader reader_;
};

}  // namespace posthaste::spool
