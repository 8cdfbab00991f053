#include "spool/sqlite_reader.h"

#include <fmt/format.h>

#include <utility>

#include "spool/range_code.h"
#include "spool/sqlite_attempts.h"
#include "spool/sqlite_batches.h"
#include "spool/sqlite_bodies.h"

namespace posthaste::spool {
namespace {

constexpr int32_t kReaderCacheKib = 512;

core::Error no_batch(uint64_t sequence) {
  return {core::ErrorCode::NotFound,
          fmt::format("there is no batch with sequence {} in the spool", sequence),
          {}};
}

}  // namespace

core::Result<> SqliteReader::open(const std::string& path, const char* vfs) {
  const std::scoped_lock lock(bodies_mutex_, queries_mutex_);
  return open_connections(path, vfs);
}

core::Result<> SqliteReader::reopen(const char* vfs,
                                    const std::function<core::Result<>()>& change) {
  const std::scoped_lock lock(bodies_mutex_, queries_mutex_);
  const std::string path = bodies_.path();
  for (Statement* statement : {&select_body_, &select_dead_body_, &select_piece_}) {
    *statement = Statement();
  }
  bodies_.close();
  queries_.close();
  core::Result<> changed = change();
  core::Result<> opened = open_connections(path, vfs);
  return changed ? opened : changed;
}

core::Result<> SqliteReader::open_connections(const std::string& path, const char* vfs) {
  const core::Result<> opened = bodies_.open(path, Access::ReadOnly, vfs, kReaderCacheKib);
  // Also after a failure: they say then that there is no database.
  select_body_ = Statement(
      bodies_,
      "SELECT size_bytes, body_kind, id, ranges, generation, target_revision, events_count "
      "FROM batches WHERE sequence = ?1");
  select_dead_body_ = Statement(bodies_, "SELECT size_bytes FROM dead_letters WHERE sequence = ?1");
  select_piece_ = Statement(bodies_, kSelectPiece);
  const core::Result<> prepared = bodies_.result();
  if (!opened) return opened;
  if (!prepared) return prepared;
  return queries_.open(path, Access::ReadOnly, vfs, kReaderCacheKib);
}

core::Result<StoredBody> SqliteReader::open_body(uint64_t sequence) {
  const std::lock_guard lock(bodies_mutex_);
  StoredBody body;
  select_body_.bind(sequence);
  if (select_body_.step()) {
    body.size_bytes = select_body_.number(0);
    body.kind = select_body_.flag(1) ? BodyKind::Blob : BodyKind::Journal;
    const std::string facts =
        batch_facts(select_body_.bytes(2), select_body_.number(4), select_body_.number(5),
                    select_body_.count(6), body.size_bytes);
    auto ranges = open_ranges(sequence, facts, select_body_.bytes(3));
    select_body_.reset();
    const bool is_journal = body.kind == BodyKind::Journal;
    if (!ranges || (is_journal && total_size(*ranges) + 1 != body.size_bytes)) {
      bodies_.note_damage(fmt::format("the row of batch {} is damaged", sequence));
      return bodies_.take_error();
    }
    body.ranges = std::move(*ranges);
    return body;
  }
  select_dead_body_.bind(sequence);
  if (select_dead_body_.step()) {
    body.kind = BodyKind::Blob;
    body.size_bytes = select_dead_body_.number(0);
    select_dead_body_.reset();
    return body;
  }
  if (!bodies_.is_ok()) return bodies_.take_error();
  return no_batch(sequence);
}

core::Result<size_t> SqliteReader::read_blob(uint64_t sequence, uint64_t offset, char* out,
                                             size_t room) {
  const std::lock_guard lock(bodies_mutex_);
  const size_t taken = read_piece(select_piece_, sequence, offset, out, room);
  if (!bodies_.is_ok()) return bodies_.take_error();
  return taken;
}

core::Result<std::vector<LiveBatch>> SqliteReader::list_batches(std::optional<uint64_t> generation,
                                                                uint64_t after_sequence,
                                                                size_t limit) {
  const std::lock_guard lock(queries_mutex_);
  std::vector<LiveBatch> batches;
  {
    Statement select(queries_, std::string(kSelectLive) +
                                   "WHERE b.sequence > ?1 AND (?2 IS NULL OR b.generation = ?2) "
                                   "ORDER BY b.sequence LIMIT ?3");
    select.bind(after_sequence, generation, uint64_t{limit});
    while (select.step()) batches.push_back(read_live_batch(select));
  }
  if (!queries_.is_ok()) return queries_.take_error();
  return batches;
}

core::Result<LiveBatch> SqliteReader::find_batch(std::string_view id) {
  const std::lock_guard lock(queries_mutex_);
  Statement select(queries_, std::string(kSelectLive) + kWhereId);
  select.bind(id);
  if (select.step()) return read_live_batch(select);
  if (!queries_.is_ok()) return queries_.take_error();
  return {core::ErrorCode::NotFound, fmt::format("no batch {} waits in the spool", id)};
}

core::Result<std::vector<DeadLetter>> SqliteReader::list_dead_letters(
    const DeadLetterFilter& filter, uint64_t after_sequence, size_t limit) {
  const std::lock_guard lock(queries_mutex_);
  std::vector<DeadLetter> letters;
  {
    Statement select(queries_, std::string(kSelectDeadLetter) + kWhereFilter +
                                   "AND sequence > ?6 ORDER BY sequence LIMIT ?7");
    select.bind(filter.webhook_id, filter.batch_id, filter.died_from, filter.died_before,
                filter.status, after_sequence, uint64_t{limit});
    while (select.step()) letters.push_back(read_dead_letter(select));
  }
  if (!queries_.is_ok()) return queries_.take_error();
  return letters;
}

core::Result<DeadLetter> SqliteReader::find_dead_letter(std::string_view id) {
  DeadLetterFilter filter;
  filter.batch_id = std::string(id);
  auto found = list_dead_letters(filter, 0, 1);
  if (!found) return found.error();
  if (!found->empty()) return std::move(found->front());
  return {core::ErrorCode::NotFound, fmt::format("there is no dead letter {}", id)};
}

core::Result<Sums> SqliteReader::dead_letter_sums(const DeadLetterFilter& filter) {
  const std::lock_guard lock(queries_mutex_);
  Sums sums;
  {
    Statement select(queries_, std::string("SELECT count(*), coalesce(sum(events_count), 0), "
                                           "coalesce(sum(size_bytes), 0) FROM dead_letters ") +
                                   kWhereFilter);
    select.bind(filter.webhook_id, filter.batch_id, filter.died_from, filter.died_before,
                filter.status);
    if (select.step()) sums = {select.number(0), select.number(1), select.number(2)};
  }
  if (!queries_.is_ok()) return queries_.take_error();
  return sums;
}

core::Result<std::vector<WebhookSums>> SqliteReader::live_sums() {
  const std::lock_guard lock(queries_mutex_);
  std::vector<WebhookSums> all;
  {
    Statement select(queries_,
                     "SELECT generation, count(*), sum(events_count), sum(size_bytes) "
                     "FROM batches GROUP BY generation");
    while (select.step()) {
      all.push_back({select.number(0), {select.number(1), select.number(2), select.number(3)}});
    }
  }
  if (!queries_.is_ok()) return queries_.take_error();
  return all;
}

core::Result<> SqliteReader::read_attempts(std::string_view webhook_id,
                                           const std::function<bool(const AttemptRecord&)>& take) {
  const std::lock_guard lock(queries_mutex_);
  {
    Statement select(queries_, kSelectAttempts);
    select.bind(webhook_id);
    while (select.step() && take(read_attempt(select))) {
    }
  }
  return queries_.result();
}

core::Result<WebhookHistory> SqliteReader::history(std::string_view webhook_id) {
  const std::lock_guard lock(queries_mutex_);
  WebhookHistory history;
  {
    Statement select(queries_,
                     "SELECT last_successful, last_failure FROM histories WHERE webhook_id = ?1");
    select.bind(webhook_id);
    if (select.step()) history = {select.optional_time(0), select.optional_time(1)};
  }
  if (!queries_.is_ok()) return queries_.take_error();
  return history;
}

}  // namespace posthaste::spool
