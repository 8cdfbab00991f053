#include "spool/sqlite_quarantine.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "core/batch.h"
#include "core/crash_point.h"
#include "spool/range_code.h"
#include "spool/sqlite_batches.h"
#include "spool/sqlite_files.h"
#include "spool/sqlite_writer.h"

namespace posthaste::spool {
namespace {

constexpr int32_t kCacheKib = 2048;
// Places that are tried between the last rows that can be read from either end.
constexpr uint64_t kProbesMax = 100'000;
// Keys of batches up to which one is looked for when the greatest is not known either.
constexpr uint64_t kSequencesMax = 10'000 * core::kSequenceStride;
// Numbers of event types left out when some could not be read, since the journal may have them.
constexpr uint64_t kTypeNumbersLeftOut = 1000;

std::string fresh_name(const std::string& path) {
  return path + ".fresh";
}

using Visit = std::function<void(const Statement& row)>;

// What is known of the keys of a table: none is greater, and so far apart they are at least, parts
// of batches excepted.
struct KeyRange {
  uint64_t greatest = 1'000'000;
  uint64_t granularity = 1;
};

// Keys between which nothing is known yet, both of them not included.
struct Gap {
  uint64_t first = 0;
  uint64_t last = 0;
};

// Purpose: reads the rows of a table with an integer key (the first column) around damaged pages:
// from both ends, then from the middle of what is left, and of what is left of that, so that a
// damaged page costs its own rows only. Threads: one. Invariants: no row is visited twice.
class DamagedTable {
 public:
  DamagedTable(Database& damaged, std::string select, std::string key, const Visit& visit)
      : damaged_(damaged), select_(std::move(select)), key_(std::move(key)), visit_(visit) {}

  // False: some rows could not be read.
  bool read(const KeyRange& range) {
    Gap all{0, range.greatest + 1};
    if (read_up(0, all)) return true;
    read_down(all);
    std::deque<Gap> gaps = {all};
    for (uint64_t probes = 0; !gaps.empty() && probes < kProbesMax; ++probes) {
      const Gap gap = gaps.front();
      gaps.pop_front();
      if (gap.last <= gap.first || gap.last - gap.first <= range.granularity) continue;
      const uint64_t middle = gap.first + (gap.last - gap.first) / 2;
      Gap below{gap.first, middle + 1};
      Gap above{middle, gap.last};
      if (!read_down(below)) gaps.push_back(below);
      if (!read_up(middle, above)) gaps.push_back(above);
    }
    return false;
  }

 private:
  // Upwards from behind `from`; the gap is what is left. True: nothing.
  bool read_up(uint64_t from, Gap& gap) {
    gap.first = from;
    return visit_rows(gap, "", gap.first);
  }
  bool read_down(Gap& gap) { return visit_rows(gap, " DESC", gap.last); }

  bool visit_rows(const Gap gap, const char* order, uint64_t& reached) {
    Statement rows(damaged_, fmt::format("{} WHERE {} > ?1 AND {} < ?2 ORDER BY {}{}", select_,
                                         key_, key_, key_, order));
    rows.bind(gap.first, gap.last);
    while (rows.step()) {
      reached = rows.number(0);
      visit_(rows);
    }
    rows.reset();
    return damaged_.take_error().code == core::ErrorCode::Ok;
  }

  Database& damaged_;
  const std::string select_;
  const std::string key_;
  const Visit& visit_;
};

bool read_around_damage(Database& damaged, const std::string& select, const std::string& key,
                        const KeyRange& range, const Visit& visit) {
  return DamagedTable(damaged, select, key, visit).read(range);
}

// The journal may have events under numbers that are not known any more.
void leave_out_type_numbers(Database& fresh) {
  fresh.exec(
      "INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT 'event_types', 0 "
      "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'event_types')");
  Statement skip(fresh, "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'event_types'");
  skip.bind(kTypeNumbersLeftOut).run();
}

// Purpose: copies from one database to the other. Ownership: refers to both. Threads: one.
// Invariants: what is in the fresh database is whole.
class Salvager {
 public:
  Salvager(Database& damaged, Database& fresh, LostBatches lost)
      : damaged_(damaged),
        fresh_(fresh),
        writer_(fresh),
        bodies_(fresh),
        insert_meta_(fresh,
                     "INSERT OR REPLACE INTO meta (key, value, checksum) VALUES (?1, ?2, ?3)"),
        insert_type_(fresh,
                     "INSERT OR IGNORE INTO event_types (number, name, class, checksum) VALUES "
                     "(?1, ?2, ?3, ?4)"),
        insert_letter_(fresh,
                       "INSERT OR REPLACE INTO dead_letters (sequence, id, webhook_id, generation, "
                       "target_revision, sealed, events_count, size_bytes, reason, died, status, "
                       "network_name, attempts_count, failures_count) VALUES "
                       "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"),
        select_piece_(damaged, kSelectPiece),
        lost_(lost) {
    damaged_.take_error();
  }

  Salvage run() {
    copy_meta();
    copy_event_types();
    copy_webhooks();
    copy_batches();
    copy_dead_letters();
    copy_losses();
    return std::move(salvage_);
  }

 private:
  void copy_meta() {
    size_t found = 0;
    Statement rows(damaged_, "SELECT key, value, checksum FROM meta");
    while (rows.step()) {
      if (rows.integer(2) != number_checksum(rows.bytes(0), rows.number(1))) continue;
      insert_meta_.bind(rows.bytes(0), rows.integer(1), rows.integer(2)).run();
      ++found;
    }
    rows.reset();
    const bool is_read = damaged_.take_error().code == core::ErrorCode::Ok;
    Statement all(damaged_, "SELECT count(*) FROM meta WHERE key <> 'syncs'");
    const bool is_whole = all.step() && all.number(0) == found;
    all.reset();
    damaged_.take_error();
    note_table("meta", is_read && is_whole);
  }

  // Of batches that there ever were.
  KeyRange sequences() {
    KeyRange range{kSequencesMax, core::kSequenceStride};
    Statement greatest(damaged_, "SELECT value FROM meta WHERE key = 'greatest_sequence'");
    if (greatest.step()) range.greatest = core::sequence_after(greatest.number(0));
    greatest.reset();
    damaged_.take_error();
    return range;
  }

  void copy_event_types() {
    bool are_sound = true;
    const bool is_read = read_around_damage(
        damaged_, "SELECT number, name, class, checksum FROM event_types", "number", {},
        [&](const Statement& row) {
          const std::string key = type_key(row.bytes(1), row.bytes(2));
          if (row.integer(3) == number_checksum(key, row.number(0))) {
            insert_type_.bind(row.integer(0), row.bytes(1), row.bytes(2), row.integer(3)).run();
          } else {
            are_sound = false;
          }
        });
    const bool is_whole = is_read && are_sound;
    note_table("event_types", is_whole);
    Statement numbered(fresh_, "SELECT count(*) FROM event_types");
    const bool is_empty = numbered.step() && numbered.number(0) == 0;
    numbered.reset();
    if (!is_whole || is_empty) leave_out_type_numbers(fresh_);
  }

  void copy_webhooks() {
    std::map<uint64_t, std::pair<uint64_t, bool>> cursors;
    bool are_sound = true;
    const bool has_cursors = read_around_damage(
        damaged_, "SELECT generation, sealed_to, is_removed, checksum FROM cursors", "generation",
        {}, [&](const Statement& row) {
          WebhookRow cursor;
          if (read_cursor(row, 1, row.number(0), cursor)) {
            cursors[row.number(0)] = {cursor.sealed_to, cursor.is_removed};
          } else {
            are_sound = false;
          }
        });
    note_table("cursors", has_cursors && are_sound);
    const bool has_webhooks = read_webhooks_around_damage(damaged_, [&](WebhookRow webhook) {
      const auto cursor = cursors.find(webhook.webhook.generation);
      if (cursor != cursors.end()) {
        webhook.sealed_to = cursor->second.first;
        webhook.is_removed = cursor->second.second;
      }
      webhook_ids_[webhook.webhook.generation] = webhook.webhook.id;
      execute(PutWebhook{std::make_unique<const WebhookRow>(std::move(webhook))});
      ++salvage_.webhooks_count;
    });
    note_table("webhooks", has_webhooks);
  }

  bool read_webhooks_around_damage(Database& database,
                                   const std::function<void(WebhookRow)>& visit) {
    bool is_whole = true;
    const bool all_read = read_around_damage(
        database, std::string("SELECT row, ") + kWebhookColumns + " FROM webhooks", "row", {},
        [&](const Statement& row) {
          WebhookRow webhook;
          // Behind the key.
          if (read_webhook(row, 1, webhook)) {
            visit(std::move(webhook));
          } else {
            is_whole = false;
          }
        });
    return all_read && is_whole;
  }

  void copy_batches() {
    std::map<uint64_t, RetryState> retries;
    const bool has_retries = read_around_damage(
        damaged_,
        "SELECT sequence, attempts_count, failures_count, content_failures_count, "
        "counts_against_endpoint, clock_started, clock_left, due FROM retries",
        "sequence", sequences(),
        [&](const Statement& row) { retries[row.number(0)] = read_retry(row, 1); });
    note_table("retries", has_retries);
    const bool has_batches = read_around_damage(
        damaged_,
        "SELECT sequence, id, generation, target_revision, sealed, events_count, size_bytes, "
        "body_kind, ranges FROM batches",
        "sequence", sequences(), [&](const Statement& row) {
          if (!copy_batch(row)) {
            if (lost_ == LostBatches::AreLosses) lose(webhook_id(row.number(2)), row.number(5));
            return;
          }
          ++salvage_.batches_count;
          const auto retry = retries.find(row.number(0));
          if (retry != retries.end()) execute(Attempted{retry->first, retry->second});
        });
    note_table("batches", has_batches);
  }

  bool copy_batch(const Statement& row) {
    BatchRow batch;
    batch.sequence = row.number(0);
    batch.id = row.text(1);
    batch.generation = row.number(2);
    batch.target_revision = row.number(3);
    batch.sealed = row.time(4);
    batch.events_count = row.count(5);
    batch.size_bytes = row.number(6);
    if (webhook_ids_.count(batch.generation) == 0) return false;
    const auto ranges = open_ranges(batch.sequence,
                                    batch_facts(batch.id, batch.generation, batch.target_revision,
                                                batch.events_count, batch.size_bytes),
                                    row.bytes(8));
    if (!ranges) return false;
    if (row.flag(7)) {
      if (!copy_body(batch.sequence, batch.size_bytes)) return false;
    } else {
      if (ranges->empty() || total_size(*ranges) + 1 != batch.size_bytes) return false;
      batch.ranges = *ranges;
      // In case the cursor could not be read.
      batch.sealed_to = batch.ranges.back().end();
    }
    execute(Seal{std::move(batch)});
    return true;
  }

  bool copy_body(uint64_t sequence, uint64_t size_bytes) {
    const bool is_whole =
        size_bytes > 2 &&
        bodies_.write(sequence, size_bytes - 1, [&](uint64_t offset, char* out, size_t size) {
          while (size > 0) {
            const size_t taken = read_piece(select_piece_, sequence, offset + 1, out, size);
            if (taken == 0) return false;
            out += taken;
            offset += taken;
            size -= taken;
          }
          return true;
        });
    damaged_.take_error();
    if (!is_whole) bodies_.remove(sequence);
    return is_whole;
  }

  void copy_dead_letters() {
    const bool is_whole = read_around_damage(
        damaged_, kSelectDeadLetter, "sequence", sequences(), [&](const Statement& row) {
          const DeadLetter letter = read_dead_letter(row);
          if (!copy_body(letter.sequence, letter.size_bytes)) {
            return lose(letter.webhook_id, letter.events_count);
          }
          const DeadLetterCause& cause = letter.cause;
          insert_letter_
              .bind(letter.sequence, letter.id, letter.webhook_id, letter.generation,
                    letter.target_revision, letter.sealed, letter.events_count, letter.size_bytes,
                    cause.reason, cause.died, cause.status, cause.network_name,
                    cause.attempts_count, cause.failures_count)
              .run();
          ++salvage_.dead_letters_count;
        });
    note_table("dead_letters", is_whole);
  }

  void copy_losses() {
    Statement rows(damaged_, "SELECT webhook_id, reason, events_count, batches_count FROM losses");
    while (rows.step()) {
      execute(AddLoss{
          {rows.text(0), static_cast<int32_t>(rows.integer(1)), rows.number(2), rows.number(3)}});
    }
    rows.reset();
    note_table("losses", damaged_.take_error().code == core::ErrorCode::Ok);
  }

  std::string webhook_id(uint64_t generation) const {
    const auto found = webhook_ids_.find(generation);
    return found == webhook_ids_.end() ? std::string() : found->second;
  }

  void lose(std::string webhook, uint64_t events_count) {
    Loss loss{std::move(webhook), kLossSalvaged, events_count, 1};
    execute(AddLoss{loss});
    const auto same =
        std::find_if(salvage_.losses.begin(), salvage_.losses.end(),
                     [&](const Loss& other) { return other.webhook_id == loss.webhook_id; });
    if (same == salvage_.losses.end()) {
      salvage_.losses.push_back(std::move(loss));
    } else {
      same->events_count += loss.events_count;
      ++same->batches_count;
    }
  }

  void note_table(const char* name, bool is_whole) {
    if (!is_whole) salvage_.damaged_tables.emplace_back(name);
  }

  void execute(const Operation& operation) {
    // None of these operations reads the journal or causes losses.
    struct NoRecords final : RecordSource {
      core::Result<> read(core::StreamPosition, char*, size_t) override {
        return {core::ErrorCode::NotFound, "no journal"};
      }
    } no_records;
    std::vector<Loss> losses;
    writer_.execute(operation, no_records, losses);
    writer_.write_marks();
  }

  Database& damaged_;
  Database& fresh_;
  SqliteWriter writer_;
  BodyWriter bodies_;
  Statement insert_meta_;
  Statement insert_type_;
  Statement insert_letter_;
  Statement select_piece_;
  const LostBatches lost_;
  std::map<uint64_t, std::string> webhook_ids_;  // by generation
  Salvage salvage_;
};

core::Result<Salvage> salvage_into(const std::string& path, const std::string& fresh_path,
                                   const SqliteStoreOptions& options, LostBatches lost) {
  Database fresh;
  if (auto opened = fresh.open(fresh_path, Access::ReadWrite, options.vfs, kCacheKib); !opened) {
    return opened.error();
  }
  if (auto prepared = prepare_schema(fresh); !prepared) return prepared.error();
  Salvage salvage;
  Database damaged;
  Transaction transaction(fresh);
  // What cannot even be opened has nothing to give.
  if (damaged.open(path, Access::ReadOnly, options.vfs, kCacheKib)) {
    salvage = Salvager(damaged, fresh, lost).run();
  } else {
    leave_out_type_numbers(fresh);
    salvage.damaged_tables.emplace_back("all");
  }
  if (auto committed = transaction.commit(); !committed) return committed.error();
  return salvage;
}

std::string time_text(core::WallTime now) {
  const std::time_t seconds = core::unix_seconds(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return std::string(text, size);
}

// A name that nothing has yet.
std::string aside_name(const std::string& path, core::WallTime now) {
  const std::string first = path + ".damaged-" + time_text(now);
  std::string name = first;
  for (int i = 2; file_exists(name) || file_exists(name + "-wal"); ++i) {
    name = fmt::format("{}-{}", first, i);
  }
  return name;
}

// A failure leaves one more than wanted.
void limit_copies(const std::string& directory) {
  const std::string prefix = std::string(kDatabaseName) + ".damaged-";
  static constexpr std::string_view kLog = "-wal";
  std::set<std::string> names;  // the time in them makes this their order
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(directory, failure), end; entry != end;
       entry.increment(failure)) {
    std::string name = entry->path().filename().string();
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    if (name.ends_with(kLog)) name.resize(name.size() - kLog.size());
    names.insert(std::move(name));
  }
  for (; names.size() > kDamagedKept; names.erase(names.begin())) {
    for (const std::string_view suffix : {std::string_view(), kLog}) {
      static_cast<void>(
          remove_file(fmt::format("{}/{}{}", directory, *names.begin(), suffix)).ok());
    }
  }
}

core::Result<std::string> database_path(const SqliteStoreOptions& options) {
  auto directory = real_directory(options.directory);
  if (!directory) return directory.error();
  return *directory + "/" + kDatabaseName;
}

core::Result<> remove_fresh(const std::string& path) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    if (auto removed = remove_file(fresh_name(path) + suffix); !removed) return removed;
  }
  return {};
}

}  // namespace

core::Result<Salvage> salvage(const SqliteStoreOptions& options, LostBatches lost) {
  const auto path = database_path(options);
  if (!path) return path.error();
  const std::string fresh = fresh_name(*path);
  if (auto removed = remove_fresh(*path); !removed) return removed.error();
  if (auto made = make_private_file(fresh, options.file_mode); !made) return made.error();
  auto salvaged = salvage_into(*path, fresh, options, lost);
  if (!salvaged) static_cast<void>(remove_fresh(*path).ok());
  core::crash_point("quarantine: salvaged");
  return salvaged;
}

void discard_salvage(const SqliteStoreOptions& options) {
  if (const auto path = database_path(options)) static_cast<void>(remove_fresh(*path).ok());
}

core::Result<std::string> put_in_place(const SqliteStoreOptions& options, core::WallTime now) {
  const auto path = database_path(options);
  if (!path) return path.error();
  const bool is_there = file_exists(*path) || file_exists(*path + "-wal");
  std::string aside = is_there ? aside_name(*path, now) : std::string();
  // From here on the fresh database is the one that counts: finish_quarantine() goes on from the
  // missing one.
  if (file_exists(*path)) {
    if (auto renamed = rename_file(*path, aside); !renamed) return renamed.error();
  }
  core::crash_point("quarantine: database moved aside");
  if (file_exists(*path + "-wal")) {
    if (auto renamed = rename_file(*path + "-wal", aside + "-wal"); !renamed) {
      return renamed.error();
    }
  }
  core::crash_point("quarantine: log moved aside");
  if (auto finished = finish_quarantine(path->substr(0, path->rfind('/'))); !finished) {
    return finished.error();
  }
  core::crash_point("quarantine: finished");
  limit_copies(path->substr(0, path->rfind('/')));
  return aside;
}

core::Result<Salvage> quarantine(const SqliteStoreOptions& options, core::WallTime now) {
  auto salvaged = salvage(options, LostBatches::AreLosses);
  if (!salvaged) return salvaged;
  auto aside = put_in_place(options, now);
  if (!aside) return aside.error();
  salvaged->moved_to = std::move(*aside);
  return salvaged;
}

core::Result<> finish_quarantine(const std::string& directory) {
  const std::string path = directory + "/" + kDatabaseName;
  const std::string fresh = fresh_name(path);
  if (!file_exists(fresh)) return {};
  // It was interrupted before the fresh database was whole; the damaged one is still in its place.
  if (file_exists(path)) return remove_file(fresh);
  // A log of the damaged database must not be taken for one of the fresh one.
  const std::string log = path + "-wal";
  if (file_exists(log)) {
    const std::string aside = path + ".damaged-log";
    if (auto renamed = rename_file(log, aside); !renamed) return renamed;
  }
  if (auto removed = remove_file(path + "-shm"); !removed) return removed;
  if (auto synced = sync_directory(directory); !synced) return synced;
  if (auto renamed = rename_file(fresh, path); !renamed) return renamed;
  return sync_directory(directory);
}

}  // namespace posthaste::spool
