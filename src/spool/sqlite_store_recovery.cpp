// How the store comes to what it holds: what a start takes over, and what is saved of a database
// that was found damaged.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "spool/sqlite_quarantine.h"
#include "spool/sqlite_store.h"

namespace posthaste::spool {
namespace {

// Without them the engine and a restart would not know of the same webhooks and positions.
constexpr std::string_view kNeeded[] = {"all", "meta", "event_types", "webhooks", "cursors"};

}  // namespace

core::Result<RecoveredState> SqliteStore::recover() {
  const std::lock_guard lock(writer_mutex_);
  verify();
  if (auto verified = database_.result(); !verified) return verified.error();
  forget_unused_webhooks();
  RecoveredState state;
  state.webhooks = read_webhooks(database_);
  {
    const auto number = [this](const char* sql) {
      Statement select(database_, sql);
      return select.step() ? select.number(0) : 0;
    };
    state.low = read_mark("low");
    state.accepted_damage = read_mark("accepted_damage");
    const uint64_t journal_file = read_mark("journal_file");
    if (journal_file > read_mark("accepted_file")) state.journal_file = journal_file;
    state.greatest_position =
        std::max({state.low, number("SELECT coalesce(max(sealed_to), 0) FROM cursors"),
                  number("SELECT coalesce(max(end_position), 0) FROM batches")});
    state.greatest_sequence = std::max(
        {read_mark("greatest_sequence"), number("SELECT coalesce(max(sequence), 0) FROM batches"),
         number("SELECT coalesce(max(sequence), 0) FROM dead_letters")});
    state.greatest_generation =
        std::max(read_mark("greatest_generation"),
                 number("SELECT coalesce(max(generation), 0) FROM webhooks"));
    Statement losses(database_,
                     "SELECT webhook_id, reason, events_count, batches_count FROM losses");
    while (losses.step()) {
      state.losses.push_back({losses.text(0), static_cast<int32_t>(losses.integer(1)),
                              losses.number(2), losses.number(3)});
    }
  }
  if (auto read = database_.result(); !read) return read.error();
  return state;
}

// What a start takes over is looked through first: damage must be found while the start can still
// be refused, or what is readable be saved. Bodies, by far the most, are checked when they are
// read.
void SqliteStore::verify() {
  for (const char* table : {"meta", "webhooks", "cursors", "batches", "retries", "dead_letters",
                            "losses", "event_types", "attempts", "histories"}) {
    Statement check(database_, fmt::format("PRAGMA integrity_check({})", table));
    while (check.step()) {
      // Its heading ends with a line.
      const std::string text = check.text(0);
      if (text != "ok") check.note_damage(text.substr(text.rfind('\n') + 1));
    }
  }
  // Of bodies the way to the first and the last.
  for (const char* order : {"", " DESC"}) {
    Statement edge(database_,
                   fmt::format("SELECT rowid FROM bodies ORDER BY rowid{} LIMIT 1", order));
    edge.step();
  }
  Statement homeless(database_,
                     "SELECT sequence FROM batches WHERE (generation, target_revision) NOT IN "
                     "(SELECT generation, target_revision FROM webhooks) LIMIT 1");
  if (homeless.step()) {
    homeless.note_damage(
        fmt::format("batch {} is for a webhook that is not in the database", homeless.number(0)));
  }
}

uint64_t SqliteStore::read_mark(const char* key) {
  Statement select(database_, "SELECT value, checksum FROM meta WHERE key = ?1");
  if (!select.bind(key).step()) return 0;
  const uint64_t value = select.number(0);
  if (select.integer(1) != number_checksum(key, value)) {
    select.note_damage(fmt::format("the number {} in it has a wrong checksum", key));
  }
  return value;
}

// Earlier revisions that no live batch refers to, and tombstones without any: their end may not
// have been written. The last revision of a tombstone stays while a batch of it does, since
// requests carry what the webhook had last.
void SqliteStore::forget_unused_webhooks() {
  Transaction transaction(database_);
  database_.exec(
      "DELETE FROM webhooks AS w WHERE CASE WHEN target_revision < (SELECT max(target_revision) "
      "FROM webhooks WHERE generation = w.generation) "
      "THEN (generation, target_revision) NOT IN "
      "(SELECT generation, target_revision FROM batches) "
      "ELSE generation IN (SELECT generation FROM cursors WHERE is_removed = 1) "
      "AND generation NOT IN (SELECT generation FROM batches) END");
  database_.exec("DELETE FROM cursors WHERE generation NOT IN (SELECT generation FROM webhooks)");
  // A disk that is full or cannot be written must not keep the spool from being read.
  static_cast<void>(transaction.commit().ok());
}

core::Result<> SqliteStore::for_each_live(const std::function<void(const LiveBatch&)>& visit) {
  const std::lock_guard lock(writer_mutex_);
  {
    Statement select(database_, std::string(kSelectLive) + "ORDER BY b.sequence");
    while (select.step()) visit(read_live_batch(select));
  }
  return database_.result();
}

core::Result<> SqliteStore::accept_damage(core::StreamPosition before) {
  const std::lock_guard lock(writer_mutex_);
  return write_synced([&] {
    writer_->mark("accepted_damage", before);
    writer_->mark("accepted_file", read_mark("journal_file"));
    writer_->write_marks();
  });
}

void SqliteStore::leave_log() {
  const std::lock_guard lock(writer_mutex_);
  database_.leave_log();
}

core::Result<Salvage> SqliteStore::renew(core::WallTime now) {
  const std::lock_guard lock(writer_mutex_);
  auto salvaged = salvage(options_, LostBatches::AreKnown);
  if (!salvaged) return salvaged;
  for (const std::string& table : salvaged->damaged_tables) {
    if (std::find(std::begin(kNeeded), std::end(kNeeded), table) == std::end(kNeeded)) continue;
    discard_salvage(options_);
    return {core::ErrorCode::SpoolIo, fmt::format("table {} of {} is damaged, too", table, path_)};
  }
  core::Result<> reopened = reader_.reopen(options_.vfs, [&]() -> core::Result<> {
    close_writer();
    auto aside = put_in_place(options_, now);
    core::Result<> opened = open_writer();
    if (!aside) return aside.error();
    salvaged->moved_to = std::move(*aside);
    return opened;
  });
  if (!reopened) return reopened.error();
  return salvaged;
}

}  // namespace posthaste::spool
