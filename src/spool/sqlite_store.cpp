#include "spool/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "journal/journal_file.h"
#include "spool/sqlite_check.h"
#include "spool/sqlite_files.h"
#include "spool/sqlite_quarantine.h"
#include "spool/sqlite_webhooks.h"

namespace posthaste::spool {
namespace {

constexpr int32_t kWriterCacheKib = 2048;

uint64_t memory_of(const AttemptRecord& attempt) {
  return sizeof(AttemptRecord) + attempt.webhook_id.size() + attempt.batch_id.size();
}

}  // namespace

SqliteStore::SqliteStore(const SqliteStoreOptions& options)
    : options_(options),
      dead_letters_max_age_(options.dead_letters_max_age),
      dead_letters_max_bytes_(options.dead_letters_max_bytes),
      attempts_max_age_(options.attempts_max_age),
      attempts_max_bytes_(options.attempts_max_bytes) {}

SqliteStore::~SqliteStore() = default;

core::Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteStoreOptions& options) {
  const auto directory = real_directory(options.directory);
  if (!directory) return directory.error();
  std::unique_ptr<SqliteStore> store(new SqliteStore(options));
  store->path_ = *directory + "/" + kDatabaseName;
  if (auto finished = finish_quarantine(*directory); !finished) return finished.error();
  const bool has_journal = store->has_journal();
  std::error_code failure;
  const uint64_t size_bytes = std::filesystem::file_size(store->path_, failure);
  if (has_journal && (failure || size_bytes == 0)) {
    return damage_error(store->path_, "it is gone or empty, though there is a journal");
  }
  if (auto opened = store->open_connections(); !opened) return opened.error();
  if (has_journal && !store->has_numbered_types()) {
    store->leave_log();
    return damage_error(store->path_, "it is older than the journal, its log is gone or damaged");
  }
  return store;
}

bool SqliteStore::has_journal() const {
  std::error_code failure;
  const std::filesystem::path directory = std::filesystem::path(path_).parent_path();
  for (std::filesystem::directory_iterator entry(directory, failure), end; entry != end;
       entry.increment(failure)) {
    const auto name = journal::parse_file_name(entry->path().filename().string());
    if (name && name->kind == journal::FileKind::InUse) return true;
  }
  return false;
}

// Event types have their numbers on disk before the first record is written.
bool SqliteStore::has_numbered_types() {
  Statement select(database_, "SELECT count(*) FROM sqlite_sequence");
  return select.step() && select.number(0) > 0;
}

core::Result<> SqliteStore::open_connections() {
  if (auto opened = open_writer(); !opened) return opened;
  return reader_.open(path_, options_.vfs);
}

core::Result<> SqliteStore::open_writer() {
  if (auto made = make_private_file(path_, options_.file_mode); !made) return made;
  if (auto opened = database_.open(path_, Access::ReadWrite, options_.vfs, kWriterCacheKib);
      !opened) {
    return opened;
  }
  if (auto prepared = prepare_schema(database_); !prepared) return prepared;
  if (auto logging = use_log(database_, options_.sync); !logging) return logging;
  if (auto secured = database_.secure_log(); !secured) return secured;
  sqlite3_wal_hook(
      database_.handle(),
      [](void* user_data, sqlite3*, const char*, int pages) {
        *static_cast<int*>(user_data) = pages;
        return SQLITE_OK;
      },
      &log_pages_);
  writer_ = std::make_unique<SqliteWriter>(database_);
  writer_->attempts().measure();
  if (auto prepared = database_.result(); !prepared) return prepared;
  if (auto read = read_event_types(); !read) return read;
  measure_free_space();
  return database_.result();
}

void SqliteStore::close_writer() {
  writer_.reset();
  database_.close();
  log_pages_ = 0;
}

core::Result<> SqliteStore::read_event_types() {
  Statement select(database_,
                   "SELECT number, name, class, checksum FROM event_types ORDER BY number");
  const std::lock_guard lock(types_mutex_);
  types_.clear();
  while (select.step()) {
    types_.push_back({select.count(0), select.text(1), select.text(2)});
    const std::string key = type_key(types_.back().name, types_.back().class_name);
    if (select.integer(3) != number_checksum(key, select.number(0)))
      select.note_damage(fmt::format("event type {} has a wrong checksum", select.number(0)));
  }
  return database_.result();
}

void SqliteStore::log_attempt(const AttemptRecord& attempt) {
  const std::lock_guard lock(attempts_mutex_);
  wait_in_log(attempt);
}

void SqliteStore::wait_in_log(AttemptRecord attempt) {
  waiting_attempts_bytes_ += memory_of(attempt);
  waiting_attempts_.push_back(std::move(attempt));
  // While the disk refuses, the oldest make room as they would on disk.
  while (waiting_attempts_bytes_ > attempts_max_bytes_ && !waiting_attempts_.empty()) {
    waiting_attempts_bytes_ -= memory_of(waiting_attempts_.front());
    waiting_attempts_.pop_front();
    ++left_early_count_;
  }
}

std::vector<AttemptRecord> SqliteStore::batch_status(std::string_view webhook_id, size_t limit,
                                                     StatusFilter filter,
                                                     core::WallTime now) const {
  std::vector<AttemptRecord> records;
  std::set<std::string, std::less<>> seen;
  const core::Duration max_age = attempts_max_age_;
  // Newest first; of a batch only the last attempt counts.
  const auto take = [&](const AttemptRecord& attempt) {
    if (records.size() == limit) return false;
    if (attempt.webhook_id != webhook_id || !seen.insert(attempt.batch_id).second) return true;
    if (now - attempt.time > max_age) return true;
    if (filter == StatusFilter::FailedOnly && attempt.failures_count == 0) return true;
    records.push_back(attempt);
    return true;
  };
  {
    const std::lock_guard lock(attempts_mutex_);
    std::for_each(waiting_attempts_.rbegin(), waiting_attempts_.rend(), take);
    std::for_each(taken_attempts_.rbegin(), taken_attempts_.rend(), take);
  }
  // What the disk does not tell is left out: this is a log.
  if (records.size() < limit) static_cast<void>(reader_.read_attempts(webhook_id, take).ok());
  return records;
}

WebhookHistory SqliteStore::history(std::string_view webhook_id) const {
  auto read = reader_.history(webhook_id);
  WebhookHistory history = read ? *read : WebhookHistory{};
  const auto take = [&](const AttemptRecord& attempt) {
    if (attempt.webhook_id != webhook_id) return;
    (attempt.is_delivered ? history.last_successful : history.last_failure) = attempt.time;
  };
  const std::lock_guard lock(attempts_mutex_);
  std::for_each(taken_attempts_.begin(), taken_attempts_.end(), take);
  std::for_each(waiting_attempts_.begin(), waiting_attempts_.end(), take);
  return history;
}

void SqliteStore::forget_webhook(std::string_view webhook_id) {
  {
    const std::lock_guard lock(attempts_mutex_);
    const auto last = std::remove_if(
        waiting_attempts_.begin(), waiting_attempts_.end(),
        [&](const AttemptRecord& attempt) { return attempt.webhook_id == webhook_id; });
    waiting_attempts_.erase(last, waiting_attempts_.end());
    waiting_attempts_bytes_ = 0;
    for (const AttemptRecord& attempt : waiting_attempts_) {
      waiting_attempts_bytes_ += memory_of(attempt);
    }
  }
  queue_.push(ForgetHistory{std::string(webhook_id)});
}

void SqliteStore::set_limits(core::Duration max_age, uint64_t max_bytes) {
  attempts_max_age_ = max_age;
  attempts_max_bytes_ = max_bytes;
}

void SqliteStore::set_dead_letter_limits(core::Duration max_age, uint64_t max_bytes) {
  dead_letters_max_age_ = max_age;
  dead_letters_max_bytes_ = max_bytes;
}

uint64_t SqliteStore::left_early_count() const {
  return left_early_count_;
}

uint64_t SqliteStore::seal(BatchRow batch) {
  return queue_.push(Seal{std::move(batch)});
}

uint64_t SqliteStore::attempted(uint64_t sequence, const RetryState& retry) {
  return queue_.push(Attempted{sequence, retry});
}

uint64_t SqliteStore::finish(uint64_t sequence, Ending ending) {
  return queue_.push(Finish{sequence, std::move(ending)});
}

uint64_t SqliteStore::split(uint64_t parent_sequence, std::vector<BatchPart> parts) {
  return queue_.push(Split{parent_sequence, std::move(parts)});
}

uint64_t SqliteStore::put_webhook(WebhookRow webhook) {
  return queue_.push(PutWebhook{std::make_unique<const WebhookRow>(std::move(webhook))});
}

uint64_t SqliteStore::set_removed(uint64_t generation) {
  return queue_.push(SetRemoved{generation});
}

uint64_t SqliteStore::forget(uint64_t generation) {
  return queue_.push(Forget{generation});
}

uint64_t SqliteStore::forget_revision(uint64_t generation, uint64_t target_revision) {
  return queue_.push(ForgetRevision{generation, target_revision});
}

uint64_t SqliteStore::set_low(core::StreamPosition low) {
  return queue_.push(SetLow{low});
}

uint64_t SqliteStore::add_loss(Loss loss) {
  return queue_.push(AddLoss{std::move(loss)});
}

uint64_t SqliteStore::losses_reported(Loss loss) {
  return queue_.push(LossesReported{std::move(loss)});
}

uint64_t SqliteStore::replay_dead_letter(uint64_t sequence, uint64_t generation,
                                         uint64_t target_revision) {
  return queue_.push(Replay{sequence, generation, target_revision});
}

uint64_t SqliteStore::delete_dead_letters(DeadLetterFilter filter) {
  return queue_.push(DeleteDeadLetters{std::move(filter)});
}

void SqliteStore::begin_group() {
  queue_.begin_group();
}

void SqliteStore::end_group() {
  queue_.end_group();
}

bool SqliteStore::has_work() const {
  if (journal_file_ != journal_file_written_) return true;
  if (queue_.has_work()) return true;
  const std::lock_guard lock(attempts_mutex_);
  return !waiting_attempts_.empty();
}

bool SqliteStore::is_urgent() const {
  return queue_.is_urgent();
}

uint64_t SqliteStore::queued_bytes() const {
  const std::lock_guard lock(attempts_mutex_);
  return queue_.queued_bytes() + waiting_attempts_bytes_;
}

uint64_t SqliteStore::committed() const {
  return committed_;
}

uint64_t SqliteStore::synced() const {
  return synced_;
}

std::vector<EventTypeRow> SqliteStore::event_types() const {
  const std::lock_guard lock(types_mutex_);
  return types_;
}

uint64_t SqliteStore::disk_bytes() const {
  return database_size(path_);
}

uint64_t SqliteStore::free_bytes() const {
  return free_bytes_;
}

core::Result<StoredBody> SqliteStore::open_body(uint64_t sequence) const {
  return reader_.open_body(sequence);
}

core::Result<size_t> SqliteStore::read_blob(uint64_t sequence, uint64_t offset, char* out,
                                            size_t room) const {
  return reader_.read_blob(sequence, offset, out, room);
}

core::Result<std::vector<LiveBatch>> SqliteStore::list_batches(std::optional<uint64_t> generation,
                                                               uint64_t after_sequence,
                                                               size_t limit) const {
  return reader_.list_batches(generation, after_sequence, limit);
}

core::Result<LiveBatch> SqliteStore::find_batch(std::string_view id) const {
  return reader_.find_batch(id);
}

core::Result<std::vector<DeadLetter>> SqliteStore::list_dead_letters(const DeadLetterFilter& filter,
                                                                     uint64_t after_sequence,
                                                                     size_t limit) const {
  return reader_.list_dead_letters(filter, after_sequence, limit);
}

core::Result<DeadLetter> SqliteStore::find_dead_letter(std::string_view id) const {
  return reader_.find_dead_letter(id);
}

core::Result<Sums> SqliteStore::dead_letter_sums(const DeadLetterFilter& filter) const {
  return reader_.dead_letter_sums(filter);
}

core::Result<std::vector<WebhookSums>> SqliteStore::live_sums() const {
  return reader_.live_sums();
}

core::Result<Findings> SqliteStore::check() const {
  return check_database(path_, options_.vfs, stops_checks_);
}

}  // namespace posthaste::spool
