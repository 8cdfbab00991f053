// The statistics as JSON: posthaste_stats_json and the REST handler show it. Fields may be added,
// never renamed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "metrics/counters.h"

namespace posthaste::metrics {

struct WebhookStats {
  std::string id;
  std::string name;
  std::string_view state;  // static text
  std::shared_ptr<const WebhookCounters> counters;
};

struct SpoolSums {
  uint64_t batches_count = 0;
  uint64_t events_count = 0;
  uint64_t size_bytes = 0;
};

// An open spool.
struct SpoolGauges {
  std::string directory;
  std::string_view health;  // static text: ok, full, bad
  uint64_t disk_bytes = 0;  // of all files, without what is free in them
  uint64_t max_bytes = 0;
  uint64_t journal_bytes = 0;
  uint64_t database_bytes = 0;
  SpoolSums waiting;
  std::optional<SpoolSums> dead_letters;         // nothing: they cannot be read
  std::optional<core::Duration> outage_covered;  // nothing: longer than a year
};

// What is no counter.
struct EngineGauges {
  uint64_t intake_max_bytes = 0;
  uint64_t waiting_max_bytes = 0;
  std::optional<core::Duration> outage_covered;     // nothing: longer than a year
  uint64_t attempts_left_early = 0;                 // of the log of attempts, for want of room
  std::optional<SpoolGauges> spool = std::nullopt;  // nothing: memory mode, or not started
};

// How long an outage of its endpoint can last before a webhook's room in the spool is full.
std::optional<core::Duration> spool_outage_covered(const WebhookCounters& counters);

// Counters are read one by one while they move, so sums of one text may differ by what happened
// meanwhile.
std::string stats_json(const EngineCounters& counters, const EngineGauges& gauges,
                       const std::vector<WebhookStats>& webhooks, core::Instant now);
// Its member `webhooks` alone.
std::string webhook_stats_json(const std::vector<WebhookStats>& webhooks, bool has_spool,
                               core::Instant now);

}  // namespace posthaste::metrics
