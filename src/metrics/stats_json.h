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

// What is no counter.
struct EngineGauges {
  uint64_t intake_max_bytes = 0;
  uint64_t waiting_max_bytes = 0;
  std::optional<core::Duration> outage_covered;  // nothing: longer than a year
  uint64_t attempts_left_early = 0;              // of the log of attempts, for want of room
};

// Counters are read one by one while they move, so sums of one text may differ by what happened
// meanwhile.
std::string stats_json(const EngineCounters& counters, const EngineGauges& gauges,
                       const std::vector<WebhookStats>& webhooks);

}  // namespace posthaste::metrics
