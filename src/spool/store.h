// What outlives an attempt: the log of attempts. The memory store keeps it in bounded memory; the
// durable one will keep it, and the batches, on disk. The engine's delivery step writes, host
// threads read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

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

}  // namespace posthaste::spool
