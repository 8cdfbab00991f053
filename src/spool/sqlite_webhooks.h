// Webhooks and their cursors in the database. Part of the SQLite store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spool/rows.h"
#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"

namespace posthaste::spool {

// Purpose: the tables `webhooks` (a row per target revision) and `cursors` (a row per webhook,
// small because each seal writes it). Ownership: refers to the database. Threads: the connection's.
// Invariants: a cursor never goes back; a row counts only with its checksum, since a flipped bit of
// a target would send events to somebody else, and one of a cursor would lose some.
class WebhookTable {
 public:
  explicit WebhookTable(Database& database);

  bool put(const WebhookRow& row);
  bool advance(uint64_t generation, core::StreamPosition sealed_to);
  bool set_removed(uint64_t generation);
  bool forget(uint64_t generation);
  bool forget_revision(uint64_t generation, uint64_t target_revision);

 private:
  bool put_cursor(uint64_t generation, core::StreamPosition sealed_to);

  Statement put_;
  Statement put_cursor_;
  Statement advance_;
  Statement set_removed_;
  Statement forget_;
  Statement forget_cursor_;
  Statement forget_revision_;
};

// The columns of `webhooks` that read_webhook() takes, beginning with the one it is given. False:
// this cannot be what put() wrote. Cursor and tombstone are left alone.
inline constexpr const char* kWebhookColumns =
    "generation, target_revision, id, name, target, origin, credentials, events, auth_token, "
    "headers, active, overrides, source_file, is_paused, is_disabled, created, activates, "
    "webhooks.checksum";
bool read_webhook(const Statement& row, int column, WebhookRow& out);

// The checksum of a cursor, an event type or a number in `meta`, seeded with what it is of. In a
// row of `cursors` `is_removed` is added to it.
int64_t number_checksum(std::string_view key, uint64_t value);
inline std::string cursor_key(uint64_t generation) {
  return "cursor " + std::to_string(generation);
}

// sealed_to, is_removed and checksum of a row of `cursors`. False: they do not fit together.
bool read_cursor(const Statement& row, int column, uint64_t generation, WebhookRow& out);

inline std::string type_key(std::string_view name, std::string_view class_name) {
  return "type " + std::string(name) + ' ' + std::string(class_name);
}

// All rows by generation and revision.
std::vector<WebhookRow> read_webhooks(Database& database);

}  // namespace posthaste::spool
