// What waits to be written to the database, each operation a plain value. Queued by the delivery
// thread, executed by the spool thread; part of the SQLite store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "spool/rows.h"
#include "spool/store.h"

namespace posthaste::spool {

struct Seal {
  BatchRow batch;
};
// A cursor moves without a batch: the batch was over before it was ever written.
struct Advance {
  uint64_t generation = 0;
  core::StreamPosition sealed_to = 0;
  uint64_t sequence = 0;  // given to a batch once
};
struct Attempted {
  uint64_t sequence = 0;
  RetryState retry;
};
struct Finish {
  uint64_t sequence = 0;
  Ending ending;
};
struct Split {
  uint64_t parent_sequence = 0;
  std::vector<BatchPart> parts;
};
struct PutWebhook {
  std::unique_ptr<const WebhookRow> row;  // large, and rare among the others
};
struct SetRemoved {
  uint64_t generation = 0;
};
struct Forget {
  uint64_t generation = 0;
};
struct ForgetRevision {
  uint64_t generation = 0;
  uint64_t target_revision = 0;
};
struct SetLow {
  core::StreamPosition low = 0;
};
struct AddLoss {
  Loss loss;
};
struct LossesReported {
  Loss loss;
};
struct Replay {
  uint64_t sequence = 0;
  uint64_t generation = 0;
  uint64_t target_revision = 0;
};
struct DeleteDeadLetters {
  DeadLetterFilter filter;
};
struct ForgetHistory {
  std::string webhook_id;
};

using Operation = std::variant<Seal, Advance, Attempted, Finish, Split, PutWebhook, SetRemoved,
                               Forget, ForgetRevision, SetLow, AddLoss, LossesReported, Replay,
                               DeleteDeadLetters, ForgetHistory>;

}  // namespace posthaste::spool
