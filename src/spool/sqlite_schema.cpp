#include "spool/sqlite_schema.h"

#include <fmt/format.h>

#include "spool/sqlite_statement.h"

namespace posthaste::spool {
namespace {

// docs/spool-format.md says what the columns mean. Times are nanoseconds since the Unix epoch.
constexpr const char* kTables = R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE webhooks (
  row INTEGER PRIMARY KEY,
  generation INTEGER NOT NULL,
  target_revision INTEGER NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  target TEXT NOT NULL,
  origin TEXT NOT NULL,
  credentials TEXT NOT NULL,
  events TEXT NOT NULL,
  auth_token TEXT NOT NULL,
  headers TEXT NOT NULL,
  active INTEGER NOT NULL,
  overrides TEXT NOT NULL,
  source_file TEXT NOT NULL,
  is_paused INTEGER NOT NULL,
  is_disabled INTEGER NOT NULL,
  created INTEGER NOT NULL,
  activates INTEGER,
  checksum INTEGER NOT NULL,
  UNIQUE (generation, target_revision)
) STRICT;
CREATE TABLE cursors (
  generation INTEGER PRIMARY KEY,
  sealed_to INTEGER NOT NULL,
  is_removed INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE batches (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  target_revision INTEGER NOT NULL,
  sealed INTEGER NOT NULL,
  events_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  body_kind INTEGER NOT NULL,
  first_position INTEGER NOT NULL,
  end_position INTEGER NOT NULL,
  ranges BLOB NOT NULL
) STRICT;
CREATE INDEX batch_ids ON batches (id);
CREATE INDEX journal_batches ON batches (first_position) WHERE body_kind = 0;
CREATE TABLE retries (
  sequence INTEGER PRIMARY KEY,
  attempts_count INTEGER NOT NULL,
  failures_count INTEGER NOT NULL,
  content_failures_count INTEGER NOT NULL,
  counts_against_endpoint INTEGER NOT NULL,
  clock_started INTEGER,
  clock_left INTEGER NOT NULL,
  due INTEGER NOT NULL
) STRICT;
CREATE TABLE bodies (
  sequence INTEGER NOT NULL,
  piece INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX body_pieces ON bodies (sequence, piece);
CREATE TABLE dead_letters (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  webhook_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  target_revision INTEGER NOT NULL,
  sealed INTEGER NOT NULL,
  events_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  died INTEGER NOT NULL,
  status INTEGER NOT NULL,
  network_name TEXT NOT NULL,
  attempts_count INTEGER NOT NULL,
  failures_count INTEGER NOT NULL
) STRICT;
CREATE TABLE losses (
  webhook_id TEXT NOT NULL,
  reason INTEGER NOT NULL,
  events_count INTEGER NOT NULL,
  batches_count INTEGER NOT NULL,
  PRIMARY KEY (webhook_id, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE event_types (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  class TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE attempts (
  number INTEGER PRIMARY KEY,
  webhook_id TEXT NOT NULL,
  batch_id TEXT NOT NULL,
  sealed INTEGER NOT NULL,
  time INTEGER NOT NULL,
  attempt_count INTEGER NOT NULL,
  failures_count INTEGER NOT NULL,
  is_delivered INTEGER NOT NULL,
  status INTEGER NOT NULL,
  network_name TEXT NOT NULL,
  latency INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  events_count INTEGER NOT NULL
) STRICT;
CREATE TABLE histories (
  webhook_id TEXT PRIMARY KEY,
  last_successful INTEGER,
  last_failure INTEGER
) STRICT, WITHOUT ROWID;
)sql";

int64_t read_number(Database& database, const char* sql) {
  Statement statement(database, sql);
  return statement.step() ? statement.integer(0) : 0;
}

}  // namespace

core::Result<> prepare_schema(Database& database) {
  const int64_t owner = read_number(database, "PRAGMA application_id");
  const int64_t version = read_number(database, "PRAGMA user_version");
  const int64_t tables = read_number(database, "SELECT count(*) FROM sqlite_schema");
  if (auto read = database.result(); !read) return read;
  if (tables > 0 && owner != kApplicationId) {
    return {core::ErrorCode::SpoolIo,
            fmt::format(
                "{} is a database, but not a spool of Posthaste; move it away, or set spool.dir "
                "to another directory",
                database.path())};
  }
  if (version > kFormatVersion) {
    return {core::ErrorCode::Unsupported,
            fmt::format("spool database {} has format {}, this library reads up to {}; use the "
                        "library that wrote it",
                        database.path(), version, kFormatVersion)};
  }
  if (owner == kApplicationId && version == kFormatVersion && tables > 0) return {};
  if (owner != 0 || version != 0 || tables > 0) {
    // Owner, version and tables come in one transaction.
    database.note_damage("its tables are gone");
    return database.result();
  }
  // Only an empty database takes it, outside a transaction.
  database.exec("PRAGMA auto_vacuum=INCREMENTAL");
  Transaction transaction(database);
  database.exec(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId,
                            kFormatVersion)
                    .c_str());
  database.exec(kTables);
  return transaction.commit();
}

core::Result<> use_log(Database& database, SyncLevel sync) {
  Statement journal_mode(database, "PRAGMA journal_mode=WAL");
  if (journal_mode.step() && journal_mode.bytes(0) != "wal") {
    return {core::ErrorCode::SpoolIo,
            fmt::format("spool database {}: the file system cannot hold a write-ahead log",
                        database.path())};
  }
  journal_mode.reset();
  // The store moves the log into the database itself, where a failure can be seen. A log that
  // grew is cut when it begins anew.
  database.exec("PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=4194304");
  database.exec(sync == SyncLevel::Full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  return database.result();
}

}  // namespace posthaste::spool
