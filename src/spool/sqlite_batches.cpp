#include "spool/sqlite_batches.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "spool/range_code.h"

namespace posthaste::spool {
namespace {

constexpr int64_t kind_number(BodyKind kind) {
  return static_cast<int64_t>(kind);
}

template <typename... Values>
std::vector<uint64_t> read_sequences(Statement& statement, const Values&... values) {
  std::vector<uint64_t> sequences;
  statement.bind(values...);
  while (statement.step()) sequences.push_back(statement.number(0));
  return sequences;
}

}  // namespace

LiveBatch read_live_batch(const Statement& row) {
  LiveBatch batch;
  batch.sequence = row.number(0);
  batch.id = row.text(1);
  batch.generation = row.number(2);
  batch.target_revision = row.number(3);
  batch.sealed = row.time(4);
  batch.events_count = row.count(5);
  batch.size_bytes = row.number(6);
  batch.body_kind = row.flag(7) ? BodyKind::Blob : BodyKind::Journal;
  batch.first_position = row.number(8);
  batch.end_position = row.number(9);
  if (!row.is_null(10)) batch.retry = read_retry(row, 10);
  return batch;
}

RetryState read_retry(const Statement& row, int column) {
  RetryState retry;
  retry.attempts_count = row.count(column);
  retry.failures_count = row.count(column + 1);
  retry.content_failures_count = row.count(column + 2);
  retry.counts_against_endpoint = row.flag(column + 3);
  retry.clock_started = row.optional_time(column + 4);
  retry.clock_left_when_paused = row.duration(column + 5);
  retry.due = row.time(column + 6);
  return retry;
}

std::string batch_facts(std::string_view id, uint64_t generation, uint64_t target_revision,
                        uint32_t events_count, uint64_t size_bytes) {
  return fmt::format("{} {} {} {} {}", id, generation, target_revision, events_count, size_bytes);
}

std::string batch_facts(const LiveBatch& batch) {
  return batch_facts(batch.id, batch.generation, batch.target_revision, batch.events_count,
                     batch.size_bytes);
}

DeadLetter read_dead_letter(const Statement& row) {
  DeadLetter letter;
  letter.sequence = row.number(0);
  letter.id = row.text(1);
  letter.webhook_id = row.text(2);
  letter.generation = row.number(3);
  letter.target_revision = row.number(4);
  letter.sealed = row.time(5);
  letter.events_count = row.count(6);
  letter.size_bytes = row.number(7);
  letter.cause.reason = static_cast<int32_t>(row.integer(8));
  letter.cause.died = row.time(9);
  letter.cause.status = static_cast<int32_t>(row.integer(10));
  letter.cause.network_name = row.text(11);
  letter.cause.attempts_count = row.count(12);
  letter.cause.failures_count = row.count(13);
  return letter;
}

BatchTable::BatchTable(Database& database)
    : database_(database),
      bodies_(database),
      insert_(database,
              "INSERT OR REPLACE INTO batches (sequence, id, generation, target_revision, sealed, "
              "events_count, size_bytes, body_kind, first_position, end_position, ranges) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
      select_ranges_(database, "SELECT ranges FROM batches WHERE sequence = ?1"),
      select_live_(database, std::string(kSelectLive) + "WHERE b.sequence = ?1"),
      remove_(database, "DELETE FROM batches WHERE sequence = ?1"),
      remove_retry_(database, "DELETE FROM retries WHERE sequence = ?1"),
      // An outcome may be written after the batch is over, by a commit that was put off.
      set_retry_(database,
                 "INSERT OR REPLACE INTO retries (sequence, attempts_count, failures_count, "
                 "content_failures_count, counts_against_endpoint, clock_started, clock_left, due) "
                 "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 "
                 "WHERE EXISTS (SELECT 1 FROM batches WHERE sequence = ?1)"),
      to_blob_(database,
               "UPDATE batches SET body_kind = 1, first_position = 0, end_position = 0, "
               "ranges = ?2 WHERE sequence = ?1"),
      overlapping_(database,
                   "SELECT sequence FROM batches INDEXED BY journal_batches "
                   "WHERE body_kind = 0 AND first_position < ?2 AND end_position > ?1 LIMIT ?3"),
      insert_dead_letter_(database,
                          "INSERT OR REPLACE INTO dead_letters (sequence, id, webhook_id, "
                          "generation, target_revision, sealed, events_count, size_bytes, reason, "
                          "died, status, network_name, attempts_count, failures_count) VALUES "
                          "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"),
      webhook_id_(database, "SELECT id FROM webhooks WHERE generation = ?1 LIMIT 1"),
      find_dead_letter_(database, std::string(kSelectDeadLetter) + "WHERE sequence = ?1"),
      remove_dead_letter_(database, "DELETE FROM dead_letters WHERE sequence = ?1"),
      filter_dead_letters_(database,
                           std::string("SELECT sequence FROM dead_letters ") + kWhereFilter),
      oldest_dead_letter_(database, std::string(kSelectDeadLetter) + "ORDER BY sequence LIMIT 1"),
      aged_dead_letter_(database, std::string(kSelectDeadLetter) + "WHERE died < ?1 LIMIT 1"),
      dead_letter_sums_(database,
                        "SELECT count(*), coalesce(sum(events_count), 0), "
                        "coalesce(sum(size_bytes), 0) FROM dead_letters") {}

bool BatchTable::insert(const BatchRow& batch) {
  const bool is_blob = batch.ranges.empty();
  const std::string ranges =
      seal_ranges(batch.sequence,
                  batch_facts(batch.id, batch.generation, batch.target_revision, batch.events_count,
                              batch.size_bytes),
                  batch.ranges);
  return insert_
      .bind(batch.sequence, batch.id, batch.generation, batch.target_revision, batch.sealed,
            batch.events_count, batch.size_bytes,
            kind_number(is_blob ? BodyKind::Blob : BodyKind::Journal),
            is_blob ? 0 : batch.ranges.front().position, is_blob ? 0 : batch.ranges.back().end(),
            Blob{ranges})
      .run();
}

bool BatchTable::set_retry(uint64_t sequence, const RetryState& retry) {
  return set_retry_
      .bind(sequence, retry.attempts_count, retry.failures_count, retry.content_failures_count,
            retry.counts_against_endpoint, retry.clock_started, retry.clock_left_when_paused,
            retry.due)
      .run();
}

bool BatchTable::remove(uint64_t sequence) {
  return remove_.bind(sequence).run() && remove_retry_.bind(sequence).run() &&
         bodies_.remove(sequence);
}

std::optional<BatchTable::Found> BatchTable::find(uint64_t sequence) {
  Found found;
  select_live_.bind(sequence);
  if (!select_live_.step()) return std::nullopt;
  found.batch = read_live_batch(select_live_);
  select_live_.reset();
  select_ranges_.bind(sequence);
  if (!select_ranges_.step()) return std::nullopt;
  auto ranges = open_ranges(sequence, batch_facts(found.batch), select_ranges_.bytes(0));
  select_ranges_.reset();
  const bool is_journal = found.batch.body_kind == BodyKind::Journal;
  found.is_damaged = !ranges || (is_journal && total_size(*ranges) + 1 != found.batch.size_bytes);
  // One bad row is the loss of one batch, and must not hold up the others.
  if (!found.is_damaged) found.ranges = std::move(*ranges);
  return found;
}

bool BatchTable::split(uint64_t parent_sequence, const std::vector<BatchPart>& parts) {
  const std::optional<Found> parent = find(parent_sequence);
  if (!parent || parent->is_damaged) return database_.is_ok();
  for (const BatchPart& part : parts) {
    if (!insert_part(*parent, part, bodies_.reader(parent_sequence))) return false;
  }
  return remove(parent_sequence);
}

bool BatchTable::insert_part(const Found& parent, const BatchPart& part,
                             const RecordReader& blob_reader) {
  BatchRow row;
  row.sequence = part.sequence;
  row.id = part.id;
  row.generation = parent.batch.generation;
  row.target_revision = parent.batch.target_revision;
  row.sealed = parent.batch.sealed;
  row.events_count = part.events_count;
  row.size_bytes = part.records_bytes + 1;
  row.ranges = slice_ranges(parent.ranges, part.records_offset, part.records_bytes);
  if (!insert(row) || !set_retry(part.sequence, part.retry)) return false;
  if (parent.batch.body_kind == BodyKind::Journal) return true;
  return bodies_.write(part.sequence, part.records_bytes,
                       [&](uint64_t offset, char* out, size_t size) {
                         return blob_reader(part.records_offset + offset, out, size);
                       });
}

std::optional<Loss> BatchTable::keep_as_dead_letter(uint64_t sequence, const DeadLetterCause& cause,
                                                    RecordSource& source) {
  const std::optional<Found> found = find(sequence);
  if (!found) return std::nullopt;
  const LiveBatch& batch = found->batch;
  webhook_id_.bind(batch.generation);
  const std::string webhook_id = webhook_id_.step() ? webhook_id_.text(0) : std::string();
  webhook_id_.reset();
  const bool has_body = batch.body_kind == BodyKind::Blob
                            ? bodies_.has(sequence)
                            : move_to_blob(sequence, source).size_bytes > 0;
  if (found->is_damaged || !has_body) {
    remove(sequence);
    return Loss{webhook_id, kLossUnreadable, batch.events_count, 1};
  }
  insert_dead_letter_
      .bind(sequence, batch.id, webhook_id, batch.generation, batch.target_revision, batch.sealed,
            batch.events_count, batch.size_bytes, cause.reason, cause.died, cause.status,
            cause.network_name, cause.attempts_count, cause.failures_count)
      .run();
  // The body stays: it is the dead letter's now.
  remove_.bind(sequence).run();
  remove_retry_.bind(sequence).run();
  return std::nullopt;
}

bool BatchTable::replay(uint64_t sequence, uint64_t generation, uint64_t target_revision) {
  find_dead_letter_.bind(sequence);
  if (!find_dead_letter_.step()) return database_.is_ok();
  const DeadLetter letter = read_dead_letter(find_dead_letter_);
  find_dead_letter_.reset();
  BatchRow batch;
  batch.sequence = sequence;
  batch.id = letter.id;
  batch.generation = generation;
  batch.target_revision = target_revision;
  batch.sealed = letter.sealed;
  batch.events_count = letter.events_count;
  batch.size_bytes = letter.size_bytes;
  return insert(batch) && remove_dead_letter_.bind(sequence).run();
}

bool BatchTable::remove_dead_letters(const DeadLetterFilter& filter) {
  for (const uint64_t sequence :
       read_sequences(filter_dead_letters_, filter.webhook_id, filter.batch_id, filter.died_from,
                      filter.died_before, filter.status)) {
    if (!remove_dead_letter(sequence)) return false;
  }
  return database_.is_ok();
}

bool BatchTable::remove_dead_letter(uint64_t sequence) {
  return remove_dead_letter_.bind(sequence).run() && bodies_.remove(sequence);
}

std::optional<DeadLetter> BatchTable::oldest_dead_letter() {
  oldest_dead_letter_.bind();
  if (!oldest_dead_letter_.step()) return std::nullopt;
  DeadLetter letter = read_dead_letter(oldest_dead_letter_);
  oldest_dead_letter_.reset();
  return letter;
}

std::optional<DeadLetter> BatchTable::aged_dead_letter(core::WallTime died_before) {
  aged_dead_letter_.bind(died_before);
  if (!aged_dead_letter_.step()) return std::nullopt;
  DeadLetter letter = read_dead_letter(aged_dead_letter_);
  aged_dead_letter_.reset();
  return letter;
}

Sums BatchTable::dead_letter_sums() {
  Sums sums;
  dead_letter_sums_.bind();
  if (dead_letter_sums_.step()) {
    sums = {dead_letter_sums_.number(0), dead_letter_sums_.number(1), dead_letter_sums_.number(2)};
  }
  dead_letter_sums_.reset();
  return sums;
}

std::vector<uint64_t> BatchTable::overlapping(core::StreamPosition first, core::StreamPosition end,
                                              uint64_t limit) {
  return read_sequences(overlapping_, first, end, limit);
}

BatchTable::Moved BatchTable::move_to_blob(uint64_t sequence, RecordSource& source) {
  Moved moved;
  const std::optional<Found> found = find(sequence);
  if (!found) return moved;
  moved.is_lost = found->is_damaged;
  if (moved.is_lost) return moved;
  const uint64_t size_bytes = found->batch.size_bytes;
  if (!bodies_.write(sequence, size_bytes - 1,
                     journal_reader(found->ranges, source, moved.is_lost))) {
    bodies_.remove(sequence);
    return moved;
  }
  const std::string no_ranges = seal_ranges(sequence, batch_facts(found->batch), {});
  if (to_blob_.bind(sequence, Blob{no_ranges}).run()) moved.size_bytes = size_bytes;
  return moved;
}

bool BatchTable::forget_body(uint64_t sequence) {
  select_live_.bind(sequence);
  const bool is_there = select_live_.step();
  const std::string facts = is_there ? batch_facts(read_live_batch(select_live_)) : std::string();
  select_live_.reset();
  if (!is_there) return database_.is_ok();
  const std::string no_ranges = seal_ranges(sequence, facts, {});
  return to_blob_.bind(sequence, Blob{no_ranges}).run();
}

}  // namespace posthaste::spool
