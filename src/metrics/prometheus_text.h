// The statistics in the text format that Prometheus scrapes: GET /metrics of the REST handler.
// Names may be added, never changed. Source:
// https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <string>
#include <vector>

#include "metrics/stats_json.h"

namespace posthaste::metrics {

inline constexpr const char* kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

std::string prometheus_text(const EngineCounters& counters, const EngineGauges& gauges,
                            const std::vector<WebhookStats>& webhooks);

}  // namespace posthaste::metrics
