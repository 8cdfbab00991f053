// Webhooks and their cursors in the database. Part of the SQLite store.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "spool/rows.h"
#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"

namespace posthaste::spool {

// Purpose: the tables `webhooks` (a row per target revision) and `cursors` (a row per webhook,
// small because each seal writes it). Ownership: refers to the database. Threads: the connection's.
// Invariants: a cursor never goes back.
class WebhookTable {
 public:
  explicit WebhookTable(Database& database);

  bool put(const WebhookRow& row);
  bool advance(uint64_t generation, core::StreamPosition sealed_to);
  bool set_removed(uint64_t generation);
  bool forget(uint64_t generation);
  bool forget_revision(uint64_t generation, uint64_t target_revision);

 private:
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
    "headers, active, overrides, source_file, is_paused, created, activates";
bool read_webhook(const Statement& row, int column, WebhookRow& out);

// All rows by generation and revision.
std::vector<WebhookRow> read_webhooks(Database& database);

}  // namespace posthaste::spool
