// Live batches and dead letters in the database: how they are written and how their rows are read.
// Part of the SQLite store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spool/rows.h"
#include "spool/sqlite_bodies.h"
#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"

namespace posthaste::spool {

// Columns in the order that read_live_batch() wants; followed by WHERE and ORDER BY.
inline constexpr const char* kSelectLive =
    "SELECT b.sequence, b.id, b.generation, b.target_revision, b.sealed, b.events_count, "
    "b.size_bytes, b.body_kind, b.first_position, b.end_position, r.attempts_count, "
    "r.failures_count, r.content_failures_count, r.counts_against_endpoint, r.clock_started, "
    "r.clock_left, r.due FROM batches b LEFT JOIN retries r USING (sequence) ";
LiveBatch read_live_batch(const Statement& row);
// Behind kSelectLive: one batch by its id.
inline constexpr const char* kWhereId = "WHERE b.id = ?1";
// The columns of `retries` behind the sequence, beginning with the one it is given.
RetryState read_retry(const Statement& row, int column);

// What of a batch must not change, as the checksum before its ranges covers it: a batch under
// another webhook would go to the wrong receiver.
std::string batch_facts(std::string_view id, uint64_t generation, uint64_t target_revision,
                        uint32_t events_count, uint64_t size_bytes);
std::string batch_facts(const LiveBatch& batch);

// The same for read_dead_letter().
inline constexpr const char* kSelectDeadLetter =
    "SELECT sequence, id, webhook_id, generation, target_revision, sealed, events_count, "
    "size_bytes, reason, died, status, network_name, attempts_count, failures_count "
    "FROM dead_letters ";
DeadLetter read_dead_letter(const Statement& row);

// A condition on dead letters, with the parameters ?1 to ?5 that bind_filter() fills.
inline constexpr const char* kWhereFilter =
    "WHERE (?1 IS NULL OR webhook_id = ?1) AND (?2 IS NULL OR id = ?2) "
    "AND (?3 IS NULL OR died >= ?3) AND (?4 IS NULL OR died < ?4) AND (?5 IS NULL OR status = ?5) ";

// Purpose: the tables `batches`, `retries`, `dead_letters` and `bodies`, for the connection that
// writes. Ownership: refers to the database. Threads: the connection's. Invariants: a live batch's
// body is in its ranges or whole in `bodies`; a dead letter's in `bodies`; no body belongs to
// neither; no sequence is in both tables.
class BatchTable {
 public:
  explicit BatchTable(Database& database);

  bool insert(const BatchRow& batch);
  bool set_retry(uint64_t sequence, const RetryState& retry);
  // With its body.
  bool remove(uint64_t sequence);
  // Nothing when the parent is not there or damaged; the parts take its endpoint and its time of
  // sealing.
  bool split(uint64_t parent_sequence, const std::vector<BatchPart>& parts);

  // Makes a live batch a dead letter. A batch whose records cannot be read is removed instead, and
  // returned as a loss: its time is over, and nothing may wait for a bad disk.
  std::optional<Loss> keep_as_dead_letter(uint64_t sequence, const DeadLetterCause& cause,
                                          RecordSource& source);
  bool replay(uint64_t sequence, uint64_t generation, uint64_t target_revision);
  bool remove_dead_letters(const DeadLetterFilter& filter);
  bool remove_dead_letter(uint64_t sequence);
  // The first of them by sequence.
  std::optional<DeadLetter> oldest_dead_letter();
  std::optional<DeadLetter> aged_dead_letter(core::WallTime died_before);
  Sums dead_letter_sums();

  // Up to `limit` journal-kept batches with records in [first, end).
  std::vector<uint64_t> overlapping(core::StreamPosition first, core::StreamPosition end,
                                    uint64_t limit);
  // Copies the body into the database. When the source fails, the batch stays as it is.
  struct Moved {
    uint64_t size_bytes = 0;  // 0: it was not moved
    bool is_lost = false;     // since its records are gone
  };
  Moved move_to_blob(uint64_t sequence, RecordSource& source);
  // Its records are gone for good: it keeps no file of the journal any more, and is given up when
  // its turn comes.
  bool forget_body(uint64_t sequence);

 private:
  struct Found {
    LiveBatch batch;
    std::vector<core::StreamRange> ranges;
    bool is_damaged = false;  // nothing is known of its records
  };
  std::optional<Found> find(uint64_t sequence);
  bool insert_part(const Found& parent, const BatchPart& part, const RecordReader& blob_reader);

  Database& database_;
  BodyWriter bodies_;
  Statement insert_;
  Statement select_ranges_;
  Statement select_live_;
  Statement remove_;
  Statement remove_retry_;
  Statement set_retry_;
  Statement to_blob_;
  Statement overlapping_;
  Statement insert_dead_letter_;
  Statement webhook_id_;
  Statement find_dead_letter_;
  Statement remove_dead_letter_;
  Statement filter_dead_letters_;
  Statement oldest_dead_letter_;
  Statement aged_dead_letter_;
  Statement dead_letter_sums_;
};

}  // namespace posthaste::spool
