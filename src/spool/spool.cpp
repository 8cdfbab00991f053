#include "spool/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"
#include "journal/directory.h"
#include "spool/sqlite_quarantine.h"
#include "spool/sqlite_store.h"

namespace posthaste::spool {

using core::ErrorCode;
using core::Result;
using core::StreamPosition;

namespace {

// The journal may take this part of the spool before long waits leave it for the database.
constexpr uint64_t kJournalPart = 4;
// What was given up already must not push out what still waits.
constexpr uint64_t kDeadLettersPart = 4;
// The journal wants room for so many files, whatever their configured size.
constexpr uint64_t kFilesMin = 16;
constexpr uint64_t kFileBytesMin = uint64_t{64} << 10;

// A body in the journal: `[` records `]`, the last comma left out.
class JournalBody final : public BodyReader {
 public:
  explicit JournalBody(std::unique_ptr<journal::RangeReader> records)
      : records_(std::move(records)) {}

  uint64_t size_bytes() const override { return records_->size_bytes() + 1; }

  Result<size_t> read(uint64_t offset, char* out, size_t room) override {
    size_t done = 0;
    const uint64_t end = size_bytes() - 1;
    if (offset == 0 && room > 0) out[done++] = '[';
    if (done < room && offset + done < end) {
      const uint64_t left = end - (offset + done);
      const auto part = static_cast<size_t>(std::min(uint64_t{room - done}, left));
      auto size = records_->read(offset + done - 1, out + done, part);
      if (!size) return size.error();
      done += *size;
    }
    if (done < room && offset + done == end) out[done++] = ']';
    return done;
  }

 private:
  std::unique_ptr<journal::RangeReader> records_;
};

class BlobBody final : public BodyReader {
 public:
  BlobBody(const DurableStore& store, uint64_t sequence, uint64_t size_bytes)
      : store_(store), sequence_(sequence), size_bytes_(size_bytes) {}

  uint64_t size_bytes() const override { return size_bytes_; }
  Result<size_t> read(uint64_t offset, char* out, size_t room) override {
    return store_.read_blob(sequence_, offset, out, room);
  }

 private:
  const DurableStore& store_;
  const uint64_t sequence_;
  const uint64_t size_bytes_;
};

SqliteStoreOptions store_options(const SpoolOptions& options) {
  SqliteStoreOptions result;
  result.directory = options.directory;
  result.sync = options.sync == core::SpoolSync::Full ? SyncLevel::Full : SyncLevel::Normal;
  result.file_mode = options.file_mode;
  result.attempts_max_age = options.attempts_max_age;
  result.attempts_max_bytes = options.attempts_max_bytes;
  result.dead_letters_max_age = options.dead_letters_max_age;
  result.dead_letters_max_bytes = options.dead_letters_max_bytes;
  result.vfs = options.vfs;
  return result;
}

// Files of the journal that leave it in one turn, and the bytes that are copied: commits wait.
constexpr int kFilesMovedMax = 8;
constexpr uint64_t kBytesMovedMax = uint64_t{16} << 20;
// Stretches of the journal are read that far at once for the store.
constexpr uint64_t kReadAhead = uint64_t{4} << 20;

// A disk that damages one database after the other is not worked with; one that has no room for
// what is saved is asked again after so many turns.
constexpr int kRenewalsMax = 3;
constexpr int kTurnsBetweenRenewals = 60;
// Records from before the start that cannot be read are given up after as many attempts.
constexpr int kRecoveryFailuresMax = 20;

core::Error with_advice(core::Error error) {
  error.message +=
      "; restore the directory from a backup, or start with spool.on_damage=quarantine to save "
      "what can be read";
  error.key = "spool.on_damage";
  return error;
}

std::string text_of(const journal::JournalFindings& findings, const std::string& directory) {
  uint64_t lost_bytes = 0;
  for (const core::StreamRange& range : findings.lost) lost_bytes += range.size;
  std::string text = "the journal in " + directory + " is damaged";
  if (lost_bytes > 0) text += fmt::format(": {} bytes of records are unreadable", lost_bytes);
  for (const std::string& path : findings.damaged_files) text += ", " + path;
  return text;
}

std::string remark_of(const core::Error& damage, const Salvage& salvage) {
  std::string text = damage.message;
  if (!salvage.moved_to.empty()) text += "; it is kept as " + salvage.moved_to;
  text += fmt::format("; saved were {} webhooks, {} batches and {} dead letters",
                      salvage.webhooks_count, salvage.batches_count, salvage.dead_letters_count);
  if (salvage.damaged_tables.empty()) return text;
  return text + fmt::format("; rows were lost of: {}", fmt::join(salvage.damaged_tables, ", "));
}

}  // namespace

uint64_t dead_letters_max_bytes(const core::EngineSettings& settings) {
  return std::min(settings.dead_letter_max_bytes, settings.spool_max_bytes / kDeadLettersPart);
}

SpoolOptions spool_options(const core::EngineSettings& settings) {
  SpoolOptions options;
  options.directory = settings.spool_dir;
  options.max_bytes = settings.spool_max_bytes;
  options.file_bytes = settings.spool_file_bytes;
  options.sync = settings.spool_sync;
  options.on_damage = settings.spool_on_damage;
  options.group = settings.spool_group;
  options.file_mode = settings.spool_file_mode;
  options.attempts_max_age = settings.attempts_max_age;
  options.attempts_max_bytes = settings.attempts_max_bytes;
  options.dead_letters_max_age = settings.dead_letter_max_age;
  options.dead_letters_max_bytes = dead_letters_max_bytes(settings);
  return options;
}

// Records of one frame, in memory of their own.
class RecoveredBlock final : public core::RecordBlock {
 public:
  RecoveredBlock(std::string_view wire, uint32_t records_count)
      : text_(wire), own_entries_(std::make_unique<core::RecordEntry[]>(records_count)) {
    bytes_ = text_.data();
    entries_ = own_entries_.get();
    retain();
  }

  core::RecordEntry& own_entry(uint32_t index) { return own_entries_[index]; }

 private:
  void on_unused() override { delete this; }

  std::string text_;
  std::unique_ptr<core::RecordEntry[]> own_entries_;
};

// The journal as the store reads it.
class Spool::Records final : public RecordSource {
 public:
  explicit Records(const journal::Journal& journal) : journal_(journal) {}

  Result<> read(StreamPosition position, char* out, size_t size) override {
    if (!reader_ || position < range_.position || position + size > range_.end()) {
      if (auto opened = open(position, size); !opened) return opened;
    }
    auto done = reader_->read(position - range_.position, out, size);
    if (!done) return done.error();
    if (*done == size) return {};
    return {ErrorCode::SpoolIo, "the journal ends within a batch", journal::kLostKey};
  }
  void forget() { reader_.reset(); }

 private:
  // With what comes behind, which is asked for next; without it where the journal has a gap.
  Result<> open(StreamPosition position, size_t size) {
    const uint64_t ahead =
        std::min(std::max<uint64_t>(size, kReadAhead), journal_.end() - position);
    for (const uint64_t wanted : {ahead, uint64_t{size}}) {
      range_ = {position, wanted};
      auto reader = journal_.reader({&range_, 1});
      if (reader) {
        reader_ = std::move(*reader);
        return {};
      }
      reader_.reset();
      if (wanted <= size) return reader.error();
    }
    return {};
  }

  const journal::Journal& journal_;
  core::StreamRange range_;
  std::unique_ptr<journal::RangeReader> reader_;
};

Spool::Spool(journal::FileSystem& file_system, const SpoolOptions& options,
             const journal::FileAccess& access)
    : file_system_(file_system),
      options_(options),
      access_(access),
      // Whoever may write events must not give himself a key.
      api_key_file_(file_system, options.directory, journal::FileAccess()),
      ballast_(file_system, options.directory, access),
      max_bytes_(options.max_bytes) {}

Spool::~Spool() = default;

DurableStore& Spool::store() {
  return *store_;
}

void Spool::stop_checks() {
  store_->stop_checks();
}

Result<std::unique_ptr<Spool>> Spool::open(journal::FileSystem& file_system,
                                           const SpoolOptions& options,
                                           std::function<uint64_t()> random, core::WallTime now,
                                           std::vector<std::string>& remarks) {
  journal::FileAccess access{options.file_mode, std::nullopt};
  if (!options.group.empty()) {
    auto number = journal::group_number(options.group);
    if (!number) return number.error();
    access.group = *number;
  }
  if (auto done = journal::prepare_directory(options.directory, access); !done) return done.error();
  std::unique_ptr<Spool> spool(new Spool(file_system, options, access));
  auto lock = journal::DirectoryLock::take(options.directory);
  if (!lock) return lock.error();
  spool->lock_ = std::move(*lock);
  if (auto done = spool->open_store(now, remarks); !done) return done.error();
  if (auto done = spool->open_journal(std::move(random), remarks); !done) return done.error();
  spool->ballast_.reserve();
  return spool;
}

Result<> Spool::open_store(core::WallTime now, std::vector<std::string>& remarks) {
  const SqliteStoreOptions options = store_options(options_);
  for (bool is_second = false;; is_second = true) {
    core::Error error;
    auto store = SqliteStore::open(options);
    if (store) {
      auto state = (*store)->recover();
      if (state) {
        core::crash_point("spool: database opened");
        store_ = std::move(*store);
        recovered_ = std::move(*state);
        return {};
      }
      error = state.error();
      store->reset();
    } else {
      error = store.error();
    }
    if (!is_damage(error)) return error;
    if (options_.on_damage == core::DamagePolicy::Refuse || is_second) return with_advice(error);
    auto salvage = quarantine(options, now);
    if (!salvage) return salvage.error();
    remarks.push_back(remark_of(error, *salvage));
  }
}

Result<> Spool::open_journal(std::function<uint64_t()> random, std::vector<std::string>& remarks) {
  journal::JournalOptions options;
  options.directory = options_.directory;
  // A small spool has small files, else the journal could not give one back while it writes
  // another.
  options.file_bytes =
      std::max(std::min(options_.file_bytes, options_.max_bytes / kFilesMin), kFileBytesMin);
  options.max_bytes = options_.max_bytes;
  options.syncs = options_.sync == core::SpoolSync::Full;
  options.access = access_;
  journal::JournalKnown known;
  known.low = recovered_.low;
  known.at_least = recovered_.greatest_position;
  known.accepted = recovered_.accepted_damage;
  known.newest_file = recovered_.journal_file;
  // Rows are written after their records were synced, so what rows know of must be there.
  if (options.syncs) known.synced = recovered_.greatest_position;
  journal::JournalFindings findings;
  auto journal = journal::Journal::open(file_system_, options, known, random, findings);
  if (!journal) return journal.error();
  if (findings.is_damaged()) {
    core::Error damage{ErrorCode::SpoolIo, text_of(findings, options_.directory), {}};
    if (options_.on_damage == core::DamagePolicy::Refuse) {
      store_->leave_log();
      return with_advice(std::move(damage));
    }
    if (auto done = store_->accept_damage((*journal)->end()); !done) return done;
    remarks.push_back(std::move(damage.message));
  }
  core::crash_point("spool: journal opened");
  journal_ = std::move(*journal);
  // Rows of recovered records must not be on disk before the records are.
  if (auto done = journal_->sync(); !done) return done;
  records_ = std::make_unique<Records>(*journal_);
  recovery_.emplace(journal_->recovered());
  producers_ = std::make_unique<ProducerIntake>(
      file_system_, ProducerIntake::Options{options_.directory, options.syncs}, std::move(random));
  low_written_.store(recovered_.low);
  return {};
}

Result<> Spool::define_types(const core::EventCatalogue& catalogue) {
  catalogue_ = &catalogue;
  // One more, for a type of a producer that nobody defined: no type has number 0.
  disk_types_.assign(core::kEventTypesMax + 1, 0);
  for (core::EventTypeId type = 0; type < catalogue.type_count(); ++type) {
    auto number = store_->define_type(catalogue.name(type), catalogue.class_name(type));
    if (!number) return number.error();
    if (*number > std::numeric_limits<uint16_t>::max())
      return {ErrorCode::Unsupported, "the spool has seen more event types than it can number"};
    disk_types_[type] = static_cast<uint16_t>(*number);
    if (event_types_.size() <= *number) event_types_.resize(*number + 1, core::kUnknownEventType);
    event_types_[*number] = type;
  }
  return {};
}

Result<std::optional<Spool::Recovered>> Spool::next_recovered(core::Instant now) {
  journal::RecoveredFrame frame;
  auto is_there = recovery_->next(frame);
  if (!is_there) {
    if (++recovery_failures_count_ < kRecoveryFailuresMax) return is_there.error();
    // It must not keep everything else from being delivered for ever.
    recovery_failures_count_ = 0;
    producers_->remark("records from before the start are given up: " + is_there.error().message);
    recovery_->skip_part();
    return next_recovered(now);
  }
  if (!*is_there) {
    if (auto done = producers_->skip_recovered(); !done) return done.error();
    recovery_.reset();
    return std::optional<Recovered>();
  }
  producers_->note_recovered(frame.source);
  const auto count = static_cast<uint32_t>(frame.index.size());
  auto* const block = new RecoveredBlock(frame.wire, count);
  uint32_t offset = 0;
  for (uint32_t i = 0; i < count; ++i) {
    core::RecordEntry& entry = block->own_entry(i);
    entry.offset = offset;
    entry.size = frame.index[i].size;
    entry.pushed = now;
    const uint16_t number = frame.index[i].type;
    entry.type = number < event_types_.size() ? event_types_[number] : core::kUnknownEventType;
    offset += entry.size;
  }
  return std::optional<Recovered>({block, {0, count, frame.position}});
}

Result<StreamPosition> Spool::append(const core::RecordBlock& block, const core::RecordRun& run) {
  index_.clear();
  const uint32_t end = run.first + run.count;
  for (uint32_t i = run.first; i < end; ++i) {
    const core::RecordEntry& entry = block.entry(i);
    if (!entry.is_control) index_.push_back({entry.size, disk_types_[entry.type]});
  }
  if (index_.empty()) return journal_->end();
  const core::RecordEntry& first = block.entry(run.first);
  const core::RecordEntry& last = block.entry(end - 1);
  const std::string_view bytes(block.bytes() + first.offset,
                               last.offset + last.size - first.offset);
  is_journal_synced_ = false;
  return journal_->append({{&bytes, 1}, index_, {}, true});
}

Result<> Spool::sync_journal() {
  auto done = journal_->sync();
  is_journal_synced_ = done.ok();
  store_->set_journal_file(journal_->newest_file());
  return done;
}

Result<std::optional<Spool::Recovered>> Spool::next_produced(core::Instant now) {
  const auto frame = producers_->next();
  if (!frame) return std::optional<Recovered>();
  const core::EventTypeId type = type_of(frame->type);
  const journal::IndexEntry indexed{static_cast<uint32_t>(frame->record.size()), disk_types_[type]};
  is_journal_synced_ = false;
  auto position = journal_->append({{&frame->record, 1}, {&indexed, 1}, frame->source});
  if (!position) return position.error();
  auto* const block = new RecoveredBlock(frame->record, 1);
  core::RecordEntry& entry = block->own_entry(0);
  entry.size = indexed.size;
  entry.pushed = now;
  entry.type = type;
  producers_->take();
  return std::optional<Recovered>({block, {0, 1, *position}});
}

// By the catalogue; remarked once when it is not there.
core::EventTypeId Spool::type_of(std::string_view name) {
  const core::EventTypeId type = catalogue_->find(name).id;
  if (type != core::kNoEventType) return type;
  if (unknown_types_.size() < core::kEventTypesMax && unknown_types_.emplace(name).second) {
    producers_->remark(fmt::format(
        "event type {} of a producer is not defined here; its events reach no webhook", name));
  }
  return core::kUnknownEventType;
}

Result<> Spool::mark_copied() {
  if (!is_journal_synced_ && !core::is_broken(core::Break::MarkedEarly)) return {};
  return producers_->mark_copied();
}

Result<CommitOutcome> Spool::commit() {
  if (is_damaged()) return damage_;
  auto done = store_->commit(*records_);
  if (!done && done.code() == ErrorCode::SpoolFull) {
    journal_->remove_spares();
    ballast_.give_back();
    done = store_->commit(*records_);
  }
  records_->forget();
  if (!done) return noted(done.error());
  return done;
}

Result<CommitOutcome> Spool::maintain(core::WallTime now) {
  if (is_damaged()) renew(now);
  if (is_damaged()) return damage_;
  auto outcome = store_->maintain(now);
  if (!outcome) return noted(outcome.error());
  if (auto done = move_long_waits(); !done) return noted(done.error());
  if (auto done = release_files(); !done) return noted(done.error());
  ballast_.reserve();
  return outcome;
}

// Remembers that the database is damaged.
core::Error Spool::noted(core::Error error) {
  if (!is_damage(error)) return error;
  damage_ = std::move(error);
  turns_until_renewal_ = 0;
  if (options_.on_damage == core::DamagePolicy::Refuse || renewals_count_ >= kRenewalsMax) {
    damage_.message +=
        "; nothing is written to it any more, and batches go out unsecured: close the engine, and "
        "start it with spool.on_damage=quarantine to save what can be read";
  }
  return damage_;
}

void Spool::renew(core::WallTime now) {
  if (options_.on_damage == core::DamagePolicy::Refuse || renewals_count_ >= kRenewalsMax) return;
  if (turns_until_renewal_-- > 0) return;
  turns_until_renewal_ = kTurnsBetweenRenewals;
  auto salvage = store_->renew(now);
  if (!salvage) {
    producers_->remark(
        "what is readable of the database could not be saved: " + salvage.error().message +
        "; close the engine and start it again to go on with the rest");
    return;
  }
  producers_->remark(remark_of(damage_, *salvage));
  ++renewals_count_;
  damage_ = {};
}

Result<> Spool::give_back() {
  if (low_written_.load() - given_back_to_ < options_.file_bytes / 2) return {};
  if (auto done = release_files(); !done) return noted(done.error());
  return {};
}

Result<> Spool::release_files() {
  given_back_to_ = low_written_.load();
  std::vector<uint64_t> unneeded;
  for (const journal::JournalFileInfo& file : journal_->files()) {
    if (file.is_current || file.end > low_written_.load()) continue;
    auto is_needed = store_->has_live_in(file.first, file.end);
    if (!is_needed) return is_needed.error();
    if (core::is_broken(core::Break::RecycleEarly)) *is_needed = false;
    if (!*is_needed) unneeded.push_back(file.number);
  }
  if (unneeded.empty()) return {};
  // At every level of sync: what says that the files are not needed must survive before they go.
  core::crash_point("spool: before files are given back");
  if (auto done = store_->sync(); !done) return done;
  for (const uint64_t number : unneeded) journal_->release(number);
  return {};
}

bool Spool::is_journal_large() const {
  return journal_->disk_bytes() > max_bytes_.load() / kJournalPart;
}

// Long waits leave the journal while it has more than its part.
Result<> Spool::move_long_waits() {
  uint64_t moved_bytes = 0;
  has_more_to_move_ = false;
  for (int i = 0; is_journal_large(); ++i) {
    has_more_to_move_ = i == kFilesMovedMax || moved_bytes >= kBytesMovedMax;
    if (has_more_to_move_) return {};
    auto moved = move_oldest();
    if (!moved) return moved.error();
    if (*moved == 0) return {};
    moved_bytes += *moved;
    if (auto done = release_files(); !done) return done;
  }
  return {};
}

// The bodies that keep the oldest file leave it; how much that was, 0 when there is nothing to
// move.
Result<uint64_t> Spool::move_oldest() {
  for (const journal::JournalFileInfo& file : journal_->files()) {
    if (file.is_current || file.end > low_written_.load()) continue;
    auto is_needed = store_->has_live_in(file.first, file.end);
    if (!is_needed) return is_needed.error();
    if (!*is_needed) continue;
    auto moved = store_->move_to_blob(file.first, file.end, *records_);
    records_->forget();
    if (!moved) return moved.error();
    // What cannot be read now must not keep the next file from being given back.
    if (moved->postponed_count > 0) continue;
    return std::max<uint64_t>(moved->size_bytes, 1);
  }
  return uint64_t{0};
}

Result<std::unique_ptr<BodyReader>> Spool::open_body(uint64_t sequence) const {
  // A batch may leave the journal for the database between the two looks; once is enough.
  for (int look = 0;; ++look) {
    auto body = store_->open_body(sequence);
    if (!body) return body.error();
    if (body->kind == BodyKind::Blob) {
      return std::unique_ptr<BodyReader>(
          std::make_unique<BlobBody>(*store_, sequence, body->size_bytes));
    }
    auto reader = journal_->reader(body->ranges);
    if (reader) {
      return std::unique_ptr<BodyReader>(std::make_unique<JournalBody>(std::move(*reader)));
    }
    if (look > 0) return reader.error();
  }
}

uint64_t Spool::disk_bytes() const {
  const uint64_t database = store_->disk_bytes();
  return journal_->disk_bytes() + database - std::min(database, store_->free_bytes());
}

}  // namespace posthaste::spool
