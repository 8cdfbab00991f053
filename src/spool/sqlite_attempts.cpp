#include "spool/sqlite_attempts.h"

#include <utility>

namespace posthaste::spool {
namespace {

// What a row takes beside its texts, page and allocator included; as an SQL expression below.
constexpr const char* kRowSize =
    "96 + length(CAST(webhook_id AS BLOB)) + length(batch_id) + length(network_name)";

uint64_t row_size(const AttemptRecord& attempt) {
  return 96 + attempt.webhook_id.size() + attempt.batch_id.size() + attempt.network_name.size();
}

}  // namespace

AttemptRecord read_attempt(const Statement& row) {
  AttemptRecord attempt;
  attempt.webhook_id = row.text(0);
  attempt.batch_id = row.text(1);
  attempt.sealed = row.time(2);
  attempt.time = row.time(3);
  attempt.attempt_count = row.count(4);
  attempt.failures_count = row.count(5);
  attempt.is_delivered = row.flag(6);
  attempt.status = static_cast<int32_t>(row.integer(7));
  attempt.network_name = row.text(8);
  attempt.latency = row.duration(9);
  attempt.size_bytes = row.number(10);
  attempt.events_count = row.count(11);
  return attempt;
}

AttemptTable::AttemptTable(Database& database)
    : database_(database),
      insert_(database,
              "INSERT INTO attempts (webhook_id, batch_id, sealed, time, attempt_count, "
              "failures_count, is_delivered, status, network_name, latency, size_bytes, "
              "events_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"),
      update_history_(database,
                      "INSERT INTO histories (webhook_id, last_successful, last_failure) "
                      "VALUES (?1, ?2, ?3) ON CONFLICT (webhook_id) DO UPDATE SET "
                      "last_successful = coalesce(excluded.last_successful, last_successful), "
                      "last_failure = coalesce(excluded.last_failure, last_failure)"),
      forget_attempts_(database, "DELETE FROM attempts WHERE webhook_id = ?1"),
      forget_history_(database, "DELETE FROM histories WHERE webhook_id = ?1"),
      aged_(database, std::string("SELECT number, ") + kRowSize +
                          ", time < ?1 FROM attempts ORDER BY number LIMIT ?2"),
      oldest_(database,
              std::string("SELECT number, ") + kRowSize + ", 1 FROM attempts ORDER BY number"),
      remove_(database, "DELETE FROM attempts WHERE number <= ?1"),
      measure_(database, std::string("SELECT coalesce(sum(") + kRowSize + "), 0) FROM attempts") {}

bool AttemptTable::insert(const std::vector<const AttemptRecord*>& attempts) {
  std::map<std::string_view, WebhookHistory> histories;
  for (const AttemptRecord* attempt : attempts) {
    insert_.bind(attempt->webhook_id, attempt->batch_id, attempt->sealed, attempt->time,
                 attempt->attempt_count, attempt->failures_count, attempt->is_delivered,
                 attempt->status, attempt->network_name, attempt->latency, attempt->size_bytes,
                 attempt->events_count);
    if (!insert_.run()) return false;
    size_bytes_ += row_size(*attempt);
    WebhookHistory& history = histories[attempt->webhook_id];
    (attempt->is_delivered ? history.last_successful : history.last_failure) = attempt->time;
  }
  for (const auto& [webhook_id, history] : histories) {
    update_history_.bind(webhook_id, history.last_successful, history.last_failure);
    if (!update_history_.run()) return false;
  }
  return true;
}

bool AttemptTable::forget_webhook(std::string_view webhook_id) {
  return forget_attempts_.bind(webhook_id).run() && forget_history_.bind(webhook_id).run() &&
         measure();
}

bool AttemptTable::has_aged(core::WallTime before) {
  aged_.bind(before, 1);
  const bool has_aged = aged_.step() && aged_.flag(2);
  aged_.reset();
  return has_aged;
}

uint64_t AttemptTable::remove_aged(core::WallTime before, uint64_t limit) {
  return remove_oldest(aged_.bind(before, limit), 0, limit);
}

uint64_t AttemptTable::shrink(uint64_t size_bytes) {
  if (size_bytes_ <= size_bytes) return 0;
  return remove_oldest(oldest_.bind(), size_bytes, ~uint64_t{0});
}

// Goes through what `choose` offers, oldest first, while its third column is true, and removes it.
uint64_t AttemptTable::remove_oldest(Statement& choose, uint64_t until_size, uint64_t limit) {
  uint64_t last = 0;
  uint64_t count = 0;
  while (size_bytes_ > until_size && count < limit && choose.step() && choose.flag(2)) {
    last = choose.number(0);
    size_bytes_ -= choose.number(1);
    ++count;
  }
  choose.reset();
  if (count > 0) remove_.bind(last).run();
  return count;
}

bool AttemptTable::measure() {
  measure_.bind();
  if (measure_.step()) size_bytes_ = measure_.number(0);
  measure_.reset();
  return database_.is_ok();
}

}  // namespace posthaste::spool
