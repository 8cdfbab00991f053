// Executes operations on the one connection that writes. Part of the SQLite store.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "spool/operation.h"
#include "spool/sqlite_attempts.h"
#include "spool/sqlite_batches.h"
#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"
#include "spool/sqlite_webhooks.h"
#include "spool/store.h"

namespace posthaste::spool {

// Purpose: the meaning of each operation. Ownership: refers to the database. Threads: the
// connection's. Invariants: writes only within a transaction that the caller opened; after a
// failure of the database nothing more is written.
class SqliteWriter {
 public:
  explicit SqliteWriter(Database& database);

  // Losses that the store causes are added to `losses`.
  bool execute(const Operation& operation, RecordSource& source, std::vector<Loss>& losses);
  // A number of `meta` that only grows; written by write_marks().
  void mark(const char* key, uint64_t value);
  // What the operations since the last call moved: greatest numbers, low.
  bool write_marks();
  // The oldest dead letters go until the rest is within the bound.
  bool limit_dead_letters(uint64_t size_bytes_max, std::vector<Loss>& losses);
  // Those that died before that time go, up to `limit` of them.
  bool remove_aged_dead_letters(core::WallTime before, uint64_t limit, std::vector<Loss>& losses);

  BatchTable& batches() { return batches_; }
  AttemptTable& attempts() { return attempts_; }
  // Forgets marks of a transaction that was rolled back.
  void reset();

 private:
  bool run(const Seal& seal);
  bool run(const Advance& advance);
  bool run(const Attempted& attempted);
  bool run(const Finish& finish);
  bool run(const Split& split);
  bool run(const PutWebhook& put);
  bool run(const SetRemoved& set_removed);
  bool run(const Forget& forget);
  bool run(const ForgetRevision& forget);
  bool run(const SetLow& set_low);
  bool run(const AddLoss& add);
  bool run(const LossesReported& reported);
  bool run(const Replay& replay);
  bool run(const DeleteDeadLetters& removal);
  bool run(const ForgetHistory& forget);

  bool add_loss(const Loss& loss);
  // A loss of the store's own making: written, and handed to the caller.
  bool cause_loss(const Loss& loss);
  bool lose_dead_letter(const DeadLetter& letter, int32_t reason);

  Database& database_;
  WebhookTable webhooks_;
  BatchTable batches_;
  AttemptTable attempts_;
  Statement add_loss_;
  Statement take_loss_;
  Statement remove_empty_losses_;
  Statement raise_mark_;

  // During one call of execute() and the like.
  RecordSource* source_ = nullptr;
  std::vector<Loss>* losses_ = nullptr;
  std::map<std::string, uint64_t> marks_;
};

}  // namespace posthaste::spool
