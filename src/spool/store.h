// What outlives an attempt: the log of attempts, and in durable mode the sealed batches and all
// that is needed to go on with them after a restart. The memory store keeps the log in bounded
// memory; the durable one keeps everything on disk. The engine's delivery step writes, its spool
// thread commits, host threads read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "core/time.h"
#include "spool/rows.h"

namespace posthaste::spool {

// One attempt of one batch.
struct AttemptRecord {
  std::string webhook_id;
  std::string batch_id;
  core::WallTime sealed{};      // when the batch was made
  core::WallTime time{};        // when the attempt ended
  uint32_t attempt_count = 0;   // this one included
  uint32_t failures_count = 0;  // this one included
  bool is_delivered = false;
  int32_t status = 0;        // 0: no HTTP answer
  std::string network_name;  // ETIMEDOUT, ...; empty with a status
  core::Duration latency{};
  uint64_t size_bytes = 0;
  uint32_t events_count = 0;
};

struct WebhookHistory {
  std::optional<core::WallTime> last_successful;
  std::optional<core::WallTime> last_failure;
};

enum class StatusFilter { FailedOnly, All };

// Threads: any. Invariants: bounded; never blocks on anything but a short lock.
class Store {
 public:
  virtual ~Store() = default;
  virtual void log_attempt(const AttemptRecord& attempt) = 0;
  // The last attempt of each batch of the webhook, newest first, not older than the log's age; with
  // FailedOnly those with at least one failure.
  virtual std::vector<AttemptRecord> batch_status(std::string_view webhook_id, size_t limit,
                                                  StatusFilter filter,
                                                  core::WallTime now) const = 0;
  // Bounds of the log; what exceeds them leaves, oldest first.
  virtual void set_limits(core::Duration max_age, uint64_t max_bytes) = 0;
  // How many attempts left for want of room before they were max_age old.
  virtual uint64_t left_early_count() const = 0;
  virtual WebhookHistory history(std::string_view webhook_id) const = 0;
  // The webhook is gone for good; its history may be forgotten.
  virtual void forget_webhook(std::string_view webhook_id) = 0;
};

// The records of the journal, as the store sees them: it copies bodies out of it, for dead letters
// and for long waits.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  // Copies the stream's bytes [position, position + size), all of them or an error. Its key is
  // journal::kLostKey when they are gone for good; any other may pass.
  virtual core::Result<> read(core::StreamPosition position, char* out, size_t size) = 0;
};

// How a batch ends.
struct Ending {
  // Given up, or delivered when empty. Written in the transaction that removes the batch.
  std::optional<Loss> loss;
  // Keeps the batch as a dead letter, body and all.
  std::optional<DeadLetterCause> dead_letter;
};

// What a commit did besides what was asked.
struct CommitOutcome {
  uint64_t committed = 0;  // the last operation that is on disk
  // Losses that the store caused and wrote down: dead letters over their quota, bodies that the
  // journal no longer has.
  std::vector<Loss> losses;
  // The operations are safe, but the database could not take them over from its log (Ok: it could,
  // or it was not time). Tried again with the next commit.
  core::Error checkpoint;
};

struct MoveOutcome {
  uint64_t batches_count = 0;
  uint64_t size_bytes = 0;
  std::vector<uint64_t> unreadable;  // the journal no longer has them: the caller gives them up
  uint64_t postponed_count = 0;      // could not be read this time, and stay where they are
};

// The result of check(): one line for each thing that is wrong.
using Findings = std::vector<std::string>;

// Purpose: the durable half, see docs/spool-format.md. Threads: said for each group; the log of
// attempts is for any thread, as in Store. Invariants: operations take effect in the order they
// were queued, each once, whatever fails in between; those of one group in one transaction; what
// `committed` covers survives a killed process, and with full sync a power cut.
class DurableStore : public Store {
 public:
  // Operations. Any thread; they wait for nothing but a short lock and take effect with the next
  // commit. Each returns its number; numbers grow.

  // A batch is made; the cursor of its webhook moves to sealed_to with it.
  virtual uint64_t seal(BatchRow batch) = 0;
  // Lazy: several updates of one batch between two commits become one.
  virtual uint64_t attempted(uint64_t sequence, const RetryState& retry) = 0;
  // A batch that was never written leaves nothing but its cursor and its loss.
  virtual uint64_t finish(uint64_t sequence, Ending ending) = 0;
  // The parent gives way to its parts, which share its endpoint and its time of sealing.
  virtual uint64_t split(uint64_t parent_sequence, std::vector<BatchPart> parts) = 0;
  // A new webhook, a change of one, or a new target revision; the cursor moves to sealed_to.
  virtual uint64_t put_webhook(WebhookRow webhook) = 0;
  // The webhook takes no more events, and goes when its last batch is over.
  virtual uint64_t set_removed(uint64_t generation) = 0;
  // The last batch of a removed webhook is over.
  virtual uint64_t forget(uint64_t generation) = 0;
  // The last batch of an earlier target is over.
  virtual uint64_t forget_revision(uint64_t generation, uint64_t target_revision) = 0;
  // Recovery routes from here on; never goes back. Lazy.
  virtual uint64_t set_low(core::StreamPosition low) = 0;
  virtual uint64_t add_loss(Loss loss) = 0;
  // The host was told: the numbers are taken off.
  virtual uint64_t losses_reported(Loss loss) = 0;
  // Makes a dead letter a live batch again, for the given endpoint: same sequence, id and body, no
  // attempts so far.
  virtual uint64_t replay_dead_letter(uint64_t sequence, uint64_t generation,
                                      uint64_t target_revision) = 0;
  virtual uint64_t delete_dead_letters(DeadLetterFilter filter) = 0;

  // What is queued between the two reaches the disk in one transaction. Groups do not nest; the
  // delivery thread only.
  virtual void begin_group() = 0;
  virtual void end_group() = 0;

  // Whether a commit would do anything, and whether it should not wait: the delivery step holds
  // back a batch, or a host a change, until it is on disk.
  virtual bool has_work() const = 0;
  virtual bool is_urgent() const = 0;
  // Memory of what is queued, roughly.
  virtual uint64_t queued_bytes() const = 0;
  // The last operation that is in the database, and the last one that a power cut spares as well;
  // with full sync they are equal.
  virtual uint64_t committed() const = 0;
  virtual uint64_t synced() const = 0;

  // The spool thread only, from here to disk_bytes(). They wait for the disk.

  // Writes what is queued in one transaction. On SpoolFull, SpoolIo and NoMemory everything stays
  // queued in its order.
  virtual core::Result<CommitOutcome> commit(RecordSource& records) = 0;
  // Makes everything that is committed safe against a power cut.
  virtual core::Result<> sync() = 0;
  // Copies the bodies of all committed batches that have records in [first, end) of the journal
  // into the database, in one synced transaction, so that the journal need not keep them.
  virtual core::Result<MoveOutcome> move_to_blob(core::StreamPosition first,
                                                 core::StreamPosition end,
                                                 RecordSource& records) = 0;
  // Whether a committed batch has records in [first, end) of the journal.
  virtual core::Result<bool> has_live_in(core::StreamPosition first, core::StreamPosition end) = 0;
  // What is due once in a while: old attempts and dead letters go, free space is given back, the
  // log is emptied when nothing else happens. Bounded work; call it every second or so. Losses it
  // caused are in the outcome.
  virtual core::Result<CommitOutcome> maintain(core::WallTime now) = 0;
  // The number that stands for an event type in the journal; a new one is on disk on return.
  virtual core::Result<uint32_t> define_type(std::string_view name,
                                             std::string_view class_name) = 0;
  // Before the first operation.
  virtual core::Result<RecoveredState> recover() = 0;
  // All live batches by sequence, one at a time.
  virtual core::Result<> for_each_live(const std::function<void(const LiveBatch&)>& visit) = 0;

  // Any thread, from here on; the queries do not see what is only queued.

  virtual std::vector<EventTypeRow> event_types() const = 0;
  // Size of the files, and how much of it is free for what comes next.
  virtual uint64_t disk_bytes() const = 0;
  virtual uint64_t free_bytes() const = 0;
  virtual void set_dead_letter_limits(core::Duration max_age, uint64_t max_bytes) = 0;

  // Of a live batch or a dead letter. NotFound when there is none. A batch kept in the journal may
  // be moved to the database later: who cannot read its ranges any more asks again.
  virtual core::Result<StoredBody> open_body(uint64_t sequence) const = 0;
  // Up to `room` bytes from `offset` on of a body that is a blob; 0 at its end. Holds nothing open
  // between calls.
  virtual core::Result<size_t> read_blob(uint64_t sequence, uint64_t offset, char* out,
                                         size_t room) const = 0;

  // Pages: those behind `after_sequence`, by sequence; of one webhook when a generation is given.
  virtual core::Result<std::vector<LiveBatch>> list_batches(std::optional<uint64_t> generation,
                                                            uint64_t after_sequence,
                                                            size_t limit) const = 0;
  virtual core::Result<LiveBatch> find_batch(std::string_view id) const = 0;
  virtual core::Result<std::vector<DeadLetter>> list_dead_letters(const DeadLetterFilter& filter,
                                                                  uint64_t after_sequence,
                                                                  size_t limit) const = 0;
  virtual core::Result<DeadLetter> find_dead_letter(std::string_view id) const = 0;
  virtual core::Result<Sums> dead_letter_sums(const DeadLetterFilter& filter) const = 0;
  // Of webhooks that have live batches.
  virtual core::Result<std::vector<WebhookSums>> live_sums() const = 0;
  // Reads the whole database; may take minutes for many gigabytes.
  virtual core::Result<Findings> check() const = 0;
};

// Whether an error says that the database is damaged, rather than that the disk refuses: what
// quarantine is for.
bool is_damage(const core::Error& error);

}  // namespace posthaste::spool
