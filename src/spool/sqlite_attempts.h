// The log of attempts in the database. Part of the SQLite store.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"
#include "spool/store.h"

namespace posthaste::spool {

// Purpose: the tables `attempts` and `histories`, for the connection that writes. Ownership: refers
// to the database. Threads: the connection's. Invariants: attempts stand in the order they were
// logged, so the oldest leave by number.
class AttemptTable {
 public:
  explicit AttemptTable(Database& database);

  // Adds attempts, oldest first, and what they change in the webhooks' histories.
  bool insert(const std::vector<const AttemptRecord*>& attempts);
  bool forget_webhook(std::string_view webhook_id);
  // Whether the oldest ended before that time.
  bool has_aged(core::WallTime before);
  // Up to `limit` attempts that ended before that time leave; returns how many.
  uint64_t remove_aged(core::WallTime before, uint64_t limit);
  // The oldest leave until those left have no more than `size_bytes`; returns how many.
  uint64_t shrink(uint64_t size_bytes);
  // What the attempts count against their bound; true to the last insertion or removal.
  uint64_t size_bytes() const { return size_bytes_; }
  // Counts again: after a transaction that was rolled back.
  bool measure();

 private:
  uint64_t remove_oldest(Statement& choose, uint64_t until_size, uint64_t limit);

  Database& database_;
  Statement insert_;
  Statement update_history_;
  Statement forget_attempts_;
  Statement forget_history_;
  Statement aged_;
  Statement oldest_;
  Statement remove_;
  Statement measure_;
  uint64_t size_bytes_ = 0;
};

// Reading, on any connection: from the newest on, one webhook's.
inline constexpr const char* kSelectAttempts =
    "SELECT webhook_id, batch_id, sealed, time, attempt_count, failures_count, is_delivered, "
    "status, network_name, latency, size_bytes, events_count FROM attempts "
    "WHERE webhook_id = ?1 ORDER BY number DESC";
AttemptRecord read_attempt(const Statement& row);

}  // namespace posthaste::spool
