// What the spool thread does with the database: commit, sync, move bodies, maintain.
#include <algorithm>
#include <iterator>
#include <utility>

#include "core/crash_point.h"
#include "spool/sqlite_files.h"
#include "spool/sqlite_store.h"

namespace posthaste::spool {
namespace {

// The log is moved into the database from this many pages on, 4 MiB.
constexpr int kLogPagesMax = 1000;
// More than a file of the journal can hold.
constexpr uint64_t kBatchesMax = 100'000'000;
// Bounds of the work of one maintenance.
constexpr uint64_t kAgedAttemptsMax = 2000;
constexpr uint64_t kAgedLettersMax = 100;
constexpr core::Duration kLettersLookedEvery = std::chrono::seconds(30);
// So much free space stays for what comes next, or a quarter of the file.
constexpr uint64_t kFreeBytesKept = 16u << 20;

// Webhooks are not left to the log alone: it may get lost without a trace, and what else is in it
// the journal makes good.
bool changes_webhooks(const OperationQueue::Taken& taken) {
  return std::any_of(taken.operations.begin(), taken.operations.end(), [](const auto& entry) {
    return std::holds_alternative<PutWebhook>(entry.second) ||
           std::holds_alternative<SetRemoved>(entry.second);
  });
}

}  // namespace

core::Result<CommitOutcome> SqliteStore::commit(RecordSource& records) {
  const std::lock_guard lock(writer_mutex_);
  CommitOutcome outcome;
  OperationQueue::Taken taken = queue_.take();
  take_attempts();
  const uint64_t journal_file = journal_file_;
  const bool has_new_file = journal_file != journal_file_written_;
  if (!taken.operations.empty() || !taken_attempts_.empty() || has_new_file) {
    if (auto written = write(taken, records, outcome); !written) {
      queue_.put_back(std::move(taken));
      put_back_attempts();
      return written.error();
    }
    ++commits_count_;
    journal_file_written_ = journal_file;
    queue_.done(taken);
    const std::lock_guard attempts_lock(attempts_mutex_);
    taken_attempts_.clear();
  }
  committed_ = taken.last_number;
  if (options_.sync == SyncLevel::Full) synced_ = taken.last_number;
  outcome.committed = taken.last_number;
  if (log_pages_ >= kLogPagesMax || changes_webhooks(taken)) {
    outcome.checkpoint = checkpoint(SQLITE_CHECKPOINT_PASSIVE);
  }
  return outcome;
}

core::Result<> SqliteStore::write(const OperationQueue::Taken& taken, RecordSource& records,
                                  CommitOutcome& outcome) {
  core::crash_point("store: before the transaction");
  Transaction transaction(database_);
  core::crash_point("store: transaction begun");
  std::vector<const AttemptRecord*> attempts;
  for (const AttemptRecord& attempt : taken_attempts_) attempts.push_back(&attempt);
  // First, so that a webhook that is forgotten leaves none behind.
  writer_->attempts().insert(attempts);
  const uint64_t early = attempts.empty() ? 0 : writer_->attempts().shrink(attempts_max_bytes_);
  bool has_new_letters = false;
  for (const auto& [number, operation] : taken.operations) {
    if (!writer_->execute(operation, records, outcome.losses)) break;
    const auto* finish = std::get_if<Finish>(&operation);
    has_new_letters |= finish && finish->ending.dead_letter;
  }
  if (has_new_letters) writer_->limit_dead_letters(dead_letters_max_bytes_, outcome.losses);
  if (journal_file_ > 0) writer_->mark("journal_file", journal_file_);
  writer_->write_marks();
  core::crash_point("store: before the commit");
  core::Result<> committed = transaction.commit();
  core::crash_point("store: after the commit");
  if (!committed) {
    writer_->reset();
    database_.take_error();
    return committed;
  }
  left_early_count_ += early;
  measure_free_space();
  return {};
}

void SqliteStore::take_attempts() {
  const std::lock_guard lock(attempts_mutex_);
  taken_attempts_.swap(waiting_attempts_);
  waiting_attempts_bytes_ = 0;
}

void SqliteStore::put_back_attempts() {
  const std::lock_guard lock(attempts_mutex_);
  std::deque<AttemptRecord> later;
  later.swap(waiting_attempts_);
  waiting_attempts_bytes_ = 0;
  // Their bound is enforced anew.
  for (std::deque<AttemptRecord>* attempts : {&taken_attempts_, &later}) {
    for (AttemptRecord& attempt : *attempts) wait_in_log(std::move(attempt));
  }
  taken_attempts_.clear();
}

core::Result<> SqliteStore::write_synced(const std::function<void()>& body) {
  if (options_.sync != SyncLevel::Full) database_.exec("PRAGMA synchronous=FULL");
  core::Result<> committed;
  {
    Transaction transaction(database_);
    body();
    core::crash_point("store: before the synced commit");
    committed = transaction.commit();
    core::crash_point("store: after the synced commit");
  }
  if (options_.sync != SyncLevel::Full) {
    sqlite3_exec(database_.handle(), "PRAGMA synchronous=NORMAL", nullptr, nullptr, nullptr);
  }
  // The log is synced as a whole, and with it all that was committed before.
  if (committed) synced_ = committed_.load();
  measure_free_space();
  return committed;
}

core::Result<> SqliteStore::sync() {
  const std::lock_guard lock(writer_mutex_);
  if (options_.sync == SyncLevel::Full || synced_ == committed_) return {};
  // Something must be written for the log to be synced.
  return write_synced([this] {
    database_.exec(
        "INSERT INTO meta (key, value, checksum) VALUES ('syncs', 1, 0) "
        "ON CONFLICT (key) DO UPDATE SET value = value + 1");
  });
}

core::Result<bool> SqliteStore::has_live_in(core::StreamPosition first, core::StreamPosition end) {
  const std::lock_guard lock(writer_mutex_);
  const bool has_live = !writer_->batches().overlapping(first, end, 1).empty();
  if (!database_.is_ok()) return database_.take_error();
  return has_live;
}

core::Result<MoveOutcome> SqliteStore::move_to_blob(core::StreamPosition first,
                                                    core::StreamPosition end,
                                                    RecordSource& records) {
  const std::lock_guard lock(writer_mutex_);
  MoveOutcome outcome;
  core::Result<> written = write_synced([&] {
    for (const uint64_t sequence : writer_->batches().overlapping(first, end, kBatchesMax)) {
      core::crash_point("store: before a body is moved");
      const BatchTable::Moved moved = writer_->batches().move_to_blob(sequence, records);
      if (!database_.is_ok()) return;
      if (moved.size_bytes > 0) {
        ++outcome.batches_count;
        outcome.size_bytes += moved.size_bytes;
      } else if (moved.is_lost) {
        if (!writer_->batches().forget_body(sequence)) return;
        outcome.unreadable.push_back(sequence);
      } else {
        ++outcome.postponed_count;
      }
      core::crash_point("store: after a body is moved");
    }
  });
  if (!written) return written.error();
  // The log holds the bodies once more; it need not wait for the next commit.
  if (log_pages_ >= kLogPagesMax) checkpoint(SQLITE_CHECKPOINT_PASSIVE);
  return outcome;
}

core::Error SqliteStore::checkpoint(int mode) {
  core::crash_point("store: before a checkpoint");
  int pages = 0;
  const int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, mode, &pages, nullptr);
  core::crash_point("store: after a checkpoint");
  if (code == SQLITE_OK) {
    log_pages_ = mode == SQLITE_CHECKPOINT_TRUNCATE ? 0 : log_pages_;
    return {};
  }
  // A reader stands in the way; it will not for long.
  if ((code & 0xff) == SQLITE_BUSY) return {};
  database_.note(code);
  return database_.take_error();
}

core::Result<CommitOutcome> SqliteStore::maintain(core::WallTime now) {
  const std::lock_guard lock(writer_mutex_);
  CommitOutcome outcome;
  outcome.committed = committed_;
  if (auto removed = remove_aged(now, outcome); !removed) return removed.error();
  if (auto given_back = give_back_space(); !given_back) return given_back.error();
  const bool is_idle = commits_count_ == 0;
  commits_count_ = 0;
  if (is_idle && log_pages_ > 0) {
    // Without waiting for readers: there will be another idle moment.
    sqlite3_busy_timeout(database_.handle(), 0);
    outcome.checkpoint = checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    sqlite3_busy_timeout(database_.handle(), kBusyTimeoutMs);
  }
  return outcome;
}

core::Result<> SqliteStore::remove_aged(core::WallTime now, CommitOutcome& outcome) {
  const core::Duration letters_max_age = dead_letters_max_age_;
  const core::WallTime attempts_until = now - attempts_max_age_.load();
  const bool looks_at_letters =
      letters_max_age != core::Duration::max() &&
      (now < letters_looked_ || now - letters_looked_ >= kLettersLookedEvery);
  const bool has_aged_attempts = writer_->attempts().has_aged(attempts_until);
  if (!looks_at_letters && !has_aged_attempts) return database_.result();
  Transaction transaction(database_);
  if (has_aged_attempts) writer_->attempts().remove_aged(attempts_until, kAgedAttemptsMax);
  if (looks_at_letters) {
    writer_->remove_aged_dead_letters(now - letters_max_age, kAgedLettersMax, outcome.losses);
    // Looked for again at once when there may be more.
    letters_looked_ = outcome.losses.size() < kAgedLettersMax ? now : core::WallTime{};
  }
  core::Result<> committed = transaction.commit();
  if (!committed) {
    outcome.losses.clear();
    writer_->reset();
    database_.take_error();
  }
  return committed;
}

core::Result<> SqliteStore::give_back_space() {
  const uint64_t total = database_size(path_);
  if (free_bytes_ <= std::max(kFreeBytesKept, total / 4)) return {};
  Transaction transaction(database_);
  database_.exec("PRAGMA incremental_vacuum(1024)");
  core::Result<> committed = transaction.commit();
  measure_free_space();
  return committed;
}

void SqliteStore::measure_free_space() {
  Statement free_pages(database_, "PRAGMA freelist_count");
  Statement page_size(database_, "PRAGMA page_size");
  if (free_pages.step() && page_size.step()) {
    free_bytes_ = free_pages.number(0) * page_size.number(0);
  }
  // Only a gauge: what went wrong shows elsewhere.
  if (!database_.is_ok()) database_.take_error();
}

core::Result<uint32_t> SqliteStore::define_type(std::string_view name,
                                                std::string_view class_name) {
  const std::lock_guard lock(writer_mutex_);
  for (const EventTypeRow& type : event_types()) {
    if (type.name == name && type.class_name == class_name) return type.number;
  }
  EventTypeRow row{0, std::string(name), std::string(class_name)};
  core::Result<> written = write_synced([&] {
    Statement insert(database_,
                     "INSERT INTO event_types (name, class, checksum) VALUES (?1, ?2, 0) "
                     "ON CONFLICT (name) DO UPDATE SET class = excluded.class RETURNING number");
    if (insert.bind(name, class_name).step()) row.number = insert.count(0);
    insert.run();
    Statement seal(database_, "UPDATE event_types SET checksum = ?2 WHERE number = ?1");
    seal.bind(row.number, number_checksum(type_key(name, class_name), row.number)).run();
  });
  if (!written) return written.error();
  const std::lock_guard types_lock(types_mutex_);
  const auto same = std::find_if(types_.begin(), types_.end(), [&](const EventTypeRow& type) {
    return type.number == row.number;
  });
  if (same == types_.end()) {
    types_.push_back(row);
  } else {
    *same = row;
  }
  return row.number;
}

}  // namespace posthaste::spool
