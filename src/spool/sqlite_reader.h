// Questions of host threads and of the delivery step to the database, on connections of their own,
// so that nobody waits for a commit. Part of the SQLite store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"
#include "spool/store.h"

namespace posthaste::spool {

// Purpose: what DurableStore says under its queries. Ownership: owns two connections that only
// read: one for bodies, so that sending waits for no operator, one for everything else. Threads:
// any; a lock per connection. Invariants: no read transaction outlives a call, else the log could
// not be emptied.
class SqliteReader {
 public:
  core::Result<> open(const std::string& path, const char* vfs);
  // Nobody reads while `change` runs; it may put another database in the place of this one.
  core::Result<> reopen(const char* vfs, const std::function<core::Result<>()>& change);

  core::Result<StoredBody> open_body(uint64_t sequence);
  core::Result<size_t> read_blob(uint64_t sequence, uint64_t offset, char* out, size_t room);

  core::Result<std::vector<LiveBatch>> list_batches(std::optional<uint64_t> generation,
                                                    uint64_t after_sequence, size_t limit);
  core::Result<LiveBatch> find_batch(std::string_view id);
  core::Result<std::vector<DeadLetter>> list_dead_letters(const DeadLetterFilter& filter,
                                                          uint64_t after_sequence, size_t limit);
  core::Result<DeadLetter> find_dead_letter(std::string_view id);
  core::Result<Sums> dead_letter_sums(const DeadLetterFilter& filter);
  core::Result<std::vector<WebhookSums>> live_sums();

  // Attempts from the newest on, while `take` says so.
  core::Result<> read_attempts(std::string_view webhook_id,
                               const std::function<bool(const AttemptRecord&)>& take);
  core::Result<WebhookHistory> history(std::string_view webhook_id);

 private:
  core::Result<> open_connections(const std::string& path, const char* vfs);

  std::mutex bodies_mutex_;  // guards the next four
  Database bodies_;
  Statement select_body_;
  Statement select_dead_body_;
  Statement select_piece_;
  std::mutex queries_mutex_;  // guards queries_
  Database queries_;
};

}  // namespace posthaste::spool
