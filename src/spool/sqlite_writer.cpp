#include "spool/sqlite_writer.h"

#include <algorithm>
#include <variant>

#include "core/crash_point.h"

namespace posthaste::spool {
namespace {

// By the alternatives of Operation.
constexpr const char* kCrashPoints[] = {"store: sealed",
                                        "store: cursor advanced",
                                        "store: attempted",
                                        "store: finished",
                                        "store: split",
                                        "store: webhook put",
                                        "store: webhook removed",
                                        "store: webhook forgotten",
                                        "store: revision forgotten",
                                        "store: low set",
                                        "store: loss added",
                                        "store: losses reported",
                                        "store: replayed",
                                        "store: dead letters deleted",
                                        "store: history forgotten"};
static_assert(std::size(kCrashPoints) == std::variant_size_v<Operation>);

}  // namespace

SqliteWriter::SqliteWriter(Database& database)
    : database_(database),
      webhooks_(database),
      batches_(database),
      attempts_(database),
      add_loss_(database,
                "INSERT INTO losses (webhook_id, reason, events_count, batches_count) "
                "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (webhook_id, reason) DO UPDATE SET "
                "events_count = events_count + excluded.events_count, "
                "batches_count = batches_count + excluded.batches_count"),
      take_loss_(database,
                 "UPDATE losses SET events_count = max(events_count - ?3, 0), "
                 "batches_count = max(batches_count - ?4, 0) "
                 "WHERE webhook_id = ?1 AND reason = ?2"),
      remove_empty_losses_(database,
                           "DELETE FROM losses WHERE webhook_id = ?1 AND reason = ?2 "
                           "AND events_count = 0 AND batches_count = 0"),
      raise_mark_(database,
                  "INSERT INTO meta (key, value, checksum) VALUES (?1, ?2, ?3) "
                  "ON CONFLICT (key) DO UPDATE SET value = excluded.value, "
                  "checksum = excluded.checksum WHERE excluded.value > value") {}

bool SqliteWriter::execute(const Operation& operation, RecordSource& source,
                           std::vector<Loss>& losses) {
  source_ = &source;
  losses_ = &losses;
  std::visit([this](const auto& one) { run(one); }, operation);
  core::crash_point(kCrashPoints[operation.index()]);
  return database_.is_ok();
}

void SqliteWriter::reset() {
  marks_.clear();
  attempts_.measure();
}

void SqliteWriter::mark(const char* key, uint64_t value) {
  uint64_t& greatest = marks_[key];
  greatest = std::max(greatest, value);
}

bool SqliteWriter::write_marks() {
  for (const auto& [key, value] : marks_) {
    if (!raise_mark_.bind(key, value, number_checksum(key, value)).run()) return false;
  }
  marks_.clear();
  return true;
}

bool SqliteWriter::run(const Seal& seal) {
  mark("greatest_sequence", seal.batch.sequence);
  return batches_.insert(seal.batch) &&
         webhooks_.advance(seal.batch.generation, seal.batch.sealed_to);
}

bool SqliteWriter::run(const Advance& advance) {
  mark("greatest_sequence", advance.sequence);
  return webhooks_.advance(advance.generation, advance.sealed_to);
}

bool SqliteWriter::run(const Attempted& attempted) {
  return batches_.set_retry(attempted.sequence, attempted.retry);
}

bool SqliteWriter::run(const Finish& finish) {
  if (finish.ending.loss && !add_loss(*finish.ending.loss)) return false;
  if (!finish.ending.dead_letter) return batches_.remove(finish.sequence);
  const auto lost =
      batches_.keep_as_dead_letter(finish.sequence, *finish.ending.dead_letter, *source_);
  return !lost || cause_loss(*lost);
}

bool SqliteWriter::run(const Split& split) {
  for (const BatchPart& part : split.parts) mark("greatest_sequence", part.sequence);
  return batches_.split(split.parent_sequence, split.parts);
}

bool SqliteWriter::run(const PutWebhook& put) {
  mark("greatest_generation", put.row->webhook.generation);
  return webhooks_.put(*put.row);
}

bool SqliteWriter::run(const SetRemoved& set_removed) {
  return webhooks_.set_removed(set_removed.generation);
}

bool SqliteWriter::run(const Forget& forget) {
  return webhooks_.forget(forget.generation);
}

bool SqliteWriter::run(const ForgetRevision& forget) {
  return webhooks_.forget_revision(forget.generation, forget.target_revision);
}

bool SqliteWriter::run(const SetLow& set_low) {
  mark("low", set_low.low);
  return true;
}

bool SqliteWriter::run(const AddLoss& add) {
  return add_loss(add.loss);
}

bool SqliteWriter::run(const LossesReported& reported) {
  const Loss& loss = reported.loss;
  return take_loss_.bind(loss.webhook_id, loss.reason, loss.events_count, loss.batches_count)
             .run() &&
         remove_empty_losses_.bind(loss.webhook_id, loss.reason).run();
}

bool SqliteWriter::run(const Replay& replay) {
  return batches_.replay(replay.sequence, replay.generation, replay.target_revision);
}

bool SqliteWriter::run(const DeleteDeadLetters& removal) {
  return batches_.remove_dead_letters(removal.filter);
}

bool SqliteWriter::run(const ForgetHistory& forget) {
  return attempts_.forget_webhook(forget.webhook_id);
}

bool SqliteWriter::limit_dead_letters(uint64_t size_bytes_max, std::vector<Loss>& losses) {
  losses_ = &losses;
  uint64_t size_bytes = batches_.dead_letter_sums().size_bytes;
  while (size_bytes > size_bytes_max) {
    const auto oldest = batches_.oldest_dead_letter();
    if (!oldest || !lose_dead_letter(*oldest, kLossDeadLetterQuota)) break;
    size_bytes -= oldest->size_bytes;
  }
  return database_.is_ok();
}

bool SqliteWriter::remove_aged_dead_letters(core::WallTime before, uint64_t limit,
                                            std::vector<Loss>& losses) {
  losses_ = &losses;
  for (uint64_t i = 0; i < limit; ++i) {
    const auto aged = batches_.aged_dead_letter(before);
    if (!aged || !lose_dead_letter(*aged, kLossDeadLetterAge)) break;
  }
  return database_.is_ok();
}

bool SqliteWriter::lose_dead_letter(const DeadLetter& letter, int32_t reason) {
  return batches_.remove_dead_letter(letter.sequence) &&
         cause_loss({letter.webhook_id, reason, letter.events_count, 1});
}

bool SqliteWriter::add_loss(const Loss& loss) {
  return add_loss_.bind(loss.webhook_id, loss.reason, loss.events_count, loss.batches_count).run();
}

bool SqliteWriter::cause_loss(const Loss& loss) {
  losses_->push_back(loss);
  return add_loss(loss);
}

}  // namespace posthaste::spool
