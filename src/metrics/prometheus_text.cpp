#include "metrics/prometheus_text.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace posthaste::metrics {
namespace {

struct EngineMetric {
  std::string_view name;
  std::string_view help;
  uint64_t (*read)(const EngineCounters& counters);
};

struct WebhookMetric {
  std::string_view name;
  std::string_view labels;  // further ones, with a comma before them
  std::string_view help;    // empty: the metric of the line before, with another label
  uint64_t (*read)(const WebhookCounters& counters);
};

// What ends in _total counts, everything else is a gauge.
constexpr EngineMetric kEngineMetrics[] = {
    {"posthaste_events_accepted_total", "Events pushed here or copied from producers.",
     [](const EngineCounters& c) { return c.events_accepted.get(); }},
    {"posthaste_events_from_producers_total", "Accepted events that were copied from producers.",
     [](const EngineCounters& c) { return c.events_from_producers.get(); }},
    {"posthaste_events_refused_total", "Events that were not accepted for what they are.",
     [](const EngineCounters& c) { return c.events_refused.get(); }},
    {"posthaste_events_queue_full_total", "Events that were not accepted for want of room.",
     [](const EngineCounters& c) { return c.events_queue_full.get(); }},
    {"posthaste_events_unwanted_total", "Accepted events that no webhook wanted.",
     [](const EngineCounters& c) { return c.events_unwanted.get(); }},
    {"posthaste_attempts_total", "POSTs of batches that ended.",
     [](const EngineCounters& c) { return c.attempts.get(); }},
    {"posthaste_attempts_failed_total", "Those of them that failed.",
     [](const EngineCounters& c) { return c.attempts_failed.get(); }},
    {"posthaste_attempts_in_flight", "POSTs of batches under way.",
     [](const EngineCounters& c) { return c.in_flight.get(); }},
    {"posthaste_verifications_total", "Test POSTs that ended.",
     [](const EngineCounters& c) { return c.verifications.get(); }},
    {"posthaste_verifications_failed_total", "Those of them that failed.",
     [](const EngineCounters& c) { return c.verifications_failed.get(); }},
    {"posthaste_intake_bytes", "Memory of events that are not routed or not sent yet.",
     [](const EngineCounters& c) { return c.intake_bytes.get(); }},
    {"posthaste_waiting_memory_bytes", "Memory of batches that wait.",
     [](const EngineCounters& c) { return c.waiting_memory_bytes.get(); }},
};

constexpr WebhookMetric kWebhookMetrics[] = {
    {"posthaste_webhook_events_routed_total", "", "Events that a webhook wanted.",
     [](const WebhookCounters& c) { return c.events_routed.get(); }},
    {"posthaste_webhook_events_delivered_total", "", "Events in batches that were answered by 2xx.",
     [](const WebhookCounters& c) { return c.events_delivered.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"expired\"", "Events that were given up.",
     [](const WebhookCounters& c) { return c.events_dropped_expired.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"quota\"", "",
     [](const WebhookCounters& c) { return c.events_dropped_quota.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"removed\"", "",
     [](const WebhookCounters& c) { return c.events_dropped_removed.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"closed\"", "",
     [](const WebhookCounters& c) { return c.events_dropped_closed.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"purged\"", "",
     [](const WebhookCounters& c) { return c.events_dropped_purged.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"unreadable\"", "",
     [](const WebhookCounters& c) { return c.events_dropped_unreadable.get(); }},
    {"posthaste_webhook_events_dropped_total", ",reason=\"refused\"", "",
     [](const WebhookCounters& c) { return c.events_dropped_refused.get(); }},
    {"posthaste_webhook_events_dead_lettered_total", "", "Events kept as dead letters.",
     [](const WebhookCounters& c) { return c.events_dead_lettered.get(); }},
    {"posthaste_webhook_batches_delivered_total", "", "Batches that were answered by 2xx.",
     [](const WebhookCounters& c) { return c.batches_delivered.get(); }},
    {"posthaste_webhook_bytes_delivered_total", "", "Bytes of JSON in them.",
     [](const WebhookCounters& c) { return c.bytes_delivered.get(); }},
    {"posthaste_webhook_attempts_total", "", "POSTs of a webhook's batches that ended.",
     [](const WebhookCounters& c) { return c.attempts.get(); }},
    {"posthaste_webhook_attempts_failed_total", "", "Those of them that failed.",
     [](const WebhookCounters& c) { return c.attempts_failed.get(); }},
    {"posthaste_webhook_open_events", "", "Events in the open batch.",
     [](const WebhookCounters& c) { return c.open_events.get(); }},
    {"posthaste_webhook_waiting_batches", "", "Batches that are sealed and not over.",
     [](const WebhookCounters& c) { return c.waiting_batches.get(); }},
    {"posthaste_webhook_waiting_events", "", "Events in them.",
     [](const WebhookCounters& c) { return c.waiting_events.get(); }},
    {"posthaste_webhook_endpoint_health", "", "0 healthy, 1 throttled, 2 failing.",
     [](const WebhookCounters& c) { return c.endpoint_health.get(); }},
};

class Text {
 public:
  void begin(std::string_view name, std::string_view help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help,
                   name.ends_with("_total") ? "counter" : "gauge");
  }
  void sample(std::string_view name, std::string_view labels, uint64_t value) {
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name, labels, value);
  }
  void gauge(std::string_view name, std::string_view help, uint64_t value) {
    begin(name, help);
    sample(name, "", value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string label_value(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped.push_back('\\');
    escaped += c == '\n' ? std::string_view("\\n") : std::string_view(&c, 1);
  }
  return escaped;
}

void write_spool(Text& text, const SpoolGauges& spool) {
  text.gauge("posthaste_spool_healthy", "Whether the spool can be written.",
             spool.health == "ok" ? 1 : 0);
  text.gauge("posthaste_spool_disk_bytes", "Disk that the spool uses.", spool.disk_bytes);
  text.gauge("posthaste_spool_max_bytes", "Disk that it may use.", spool.max_bytes);
  text.gauge("posthaste_spool_waiting_batches", "Batches in it that are not over.",
             spool.waiting.batches_count);
  text.gauge("posthaste_spool_waiting_bytes", "Their bytes.", spool.waiting.size_bytes);
  if (!spool.dead_letters) return;
  text.gauge("posthaste_spool_dead_letters", "Dead letters in it.",
             spool.dead_letters->batches_count);
  text.gauge("posthaste_spool_dead_letter_bytes", "Their bytes.", spool.dead_letters->size_bytes);
}

}  // namespace

std::string prometheus_text(const EngineCounters& counters, const EngineGauges& gauges,
                            const std::vector<WebhookStats>& webhooks) {
  Text text;
  for (const EngineMetric& metric : kEngineMetrics) {
    text.begin(metric.name, metric.help);
    text.sample(metric.name, "", metric.read(counters));
  }
  text.gauge("posthaste_intake_max_bytes", "Bound of posthaste_intake_bytes.",
             gauges.intake_max_bytes);
  text.gauge("posthaste_waiting_max_bytes", "Bound of posthaste_waiting_memory_bytes.",
             gauges.waiting_max_bytes);
  if (gauges.spool) write_spool(text, *gauges.spool);
  for (const WebhookMetric& metric : kWebhookMetrics) {
    if (!metric.help.empty()) text.begin(metric.name, metric.help);
    for (const WebhookStats& webhook : webhooks) {
      text.sample(metric.name,
                  fmt::format("{{id=\"{}\",name=\"{}\"{}}}", label_value(webhook.id),
                              label_value(webhook.name), metric.labels),
                  metric.read(*webhook.counters));
    }
  }
  return text.take();
}

}  // namespace posthaste::metrics
