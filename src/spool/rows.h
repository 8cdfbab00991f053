// What the durable store keeps, as plain values: sealed batches, webhooks, dead letters, losses.
// The delivery step makes them and gets them back after a restart; the store gives them no meaning
// beyond what is said here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/stream.h"
#include "core/time.h"
#include "core/webhook.h"

namespace posthaste::spool {

// A sealed batch. Its body is `[` records `]`: the ranges hold the records with their commas, and
// the last comma gives way to the bracket, so size_bytes is the sum of the ranges plus one.
struct BatchRow {
  uint64_t sequence = 0;  // order of sealing over the whole spool, never used again: the key
  std::string id;         // UUID text; the same in every attempt
  uint64_t generation = 0;
  uint64_t target_revision = 0;
  core::WallTime sealed{};
  uint32_t events_count = 0;
  uint64_t size_bytes = 0;  // of the body, brackets included
  std::vector<core::StreamRange> ranges;
  // The webhook's cursor once this batch is written: everything before is in batches or unwanted.
  core::StreamPosition sealed_to = 0;
};

// How far the attempts of a batch are.
struct RetryState {
  uint32_t attempts_count = 0;
  uint32_t failures_count = 0;
  uint32_t content_failures_count = 0;
  bool counts_against_endpoint = true;
  std::optional<core::WallTime> clock_started;  // the four hours; none: they do not run
  core::Duration clock_left_when_paused{};      // zero: the clock did not run at the pause
  core::WallTime due{};  // the next attempt, for a batch in trouble by itself

  bool operator==(const RetryState&) const = default;
};

// Where a body is: in the journal as ranges, or copied into the database.
enum class BodyKind : uint8_t { Journal = 0, Blob = 1 };

// A batch that is not over, as the database has it. The ranges are left out: a backlog must not
// take memory.
struct LiveBatch {
  uint64_t sequence = 0;
  std::string id;
  uint64_t generation = 0;
  uint64_t target_revision = 0;
  core::WallTime sealed{};
  uint32_t events_count = 0;
  uint64_t size_bytes = 0;
  BodyKind body_kind = BodyKind::Journal;
  // Of the journal's stream: the first byte, and the one behind the last. 0 for a blob.
  core::StreamPosition first_position = 0;
  core::StreamPosition end_position = 0;
  RetryState retry;
};

// One part of a batch that is split.
struct BatchPart {
  uint64_t sequence = 0;
  std::string id;
  uint32_t events_count = 0;
  // Its records among those of the parent, commas included: both multiples of whole records.
  uint64_t records_offset = 0;
  uint64_t records_bytes = 0;
  RetryState retry;
};

// A webhook as it was at one target revision. `types`, `settings` and `activates_at` of the value
// are not kept; the caller works them out again.
struct WebhookRow {
  core::Webhook webhook;
  std::optional<core::WallTime> activates;  // takes events from then on; none: it does already
  bool is_removed = false;                  // remains until its last batch is over
  core::StreamPosition sealed_to = 0;
};

// Events that were given up. Counts of one webhook and reason add up until they were reported.
struct Loss {
  std::string webhook_id;
  int32_t reason = 0;  // the engine's number of it, on disk as it is
  uint64_t events_count = 0;
  uint64_t batches_count = 0;

  bool operator==(const Loss&) const = default;
};

// Reasons of losses that the store causes itself, among the engine's numbers.
inline constexpr int32_t kLossUnreadable = 5;       // the journal no longer has the records
inline constexpr int32_t kLossSalvaged = 6;         // unreadable when the database was salvaged
inline constexpr int32_t kLossDeadLetterQuota = 7;  // the oldest dead letters made room
inline constexpr int32_t kLossDeadLetterAge = 8;

// How a batch ended that is kept as a dead letter.
struct DeadLetterCause {
  int32_t reason = 0;  // the engine's number
  core::WallTime died{};
  int32_t status = 0;  // of the last attempt; 0: no HTTP answer
  std::string network_name;
  uint32_t attempts_count = 0;
  uint32_t failures_count = 0;
};

struct DeadLetter {
  uint64_t sequence = 0;  // that of the batch
  std::string id;
  std::string webhook_id;
  uint64_t generation = 0;  // of the webhook then
  uint64_t target_revision = 0;
  core::WallTime sealed{};
  uint32_t events_count = 0;
  uint64_t size_bytes = 0;
  DeadLetterCause cause;
};

// Unset members let everything pass.
struct DeadLetterFilter {
  std::optional<std::string> webhook_id;
  std::optional<std::string> batch_id;
  std::optional<core::WallTime> died_from;    // then or later
  std::optional<core::WallTime> died_before;  // earlier than that
  std::optional<int32_t> status;
};

struct Sums {
  uint64_t batches_count = 0;
  uint64_t events_count = 0;
  uint64_t size_bytes = 0;

  bool operator==(const Sums&) const = default;
};

struct WebhookSums {
  uint64_t generation = 0;
  Sums live;
};

// Where the body of a batch or a dead letter is now.
struct StoredBody {
  BodyKind kind = BodyKind::Journal;
  uint64_t size_bytes = 0;
  std::vector<core::StreamRange> ranges;  // Journal only
};

// What the database knows at open, but for the batches.
struct RecoveredState {
  std::vector<WebhookRow> webhooks;  // by generation and revision; tombstones and earlier revisions
                                     // only if live batches refer to them
  core::StreamPosition low = 0;
  core::StreamPosition accepted_damage = 0;    // damage before it was accepted by an earlier start
  uint64_t journal_file = 0;                   // the greatest number in use; 0: nobody misses it
  core::StreamPosition greatest_position = 0;  // of all cursors and ranges
  uint64_t greatest_sequence = 0;              // ever given to a batch
  uint64_t greatest_generation = 0;            // ever given to a webhook
  std::vector<Loss> losses;                    // not reported yet
};

struct EventTypeRow {
  uint32_t number = 0;  // on disk; never used for another name
  std::string name;
  std::string class_name;
};

}  // namespace posthaste::spool
