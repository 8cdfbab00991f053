#include "metrics/stats_json.h"

#include "json/writer.h"

namespace posthaste::metrics {
namespace {

void write_events(json::Writer& writer, const EngineCounters& counters) {
  writer.key("events").begin_object();
  writer.uint64("accepted", counters.events_accepted.get());
  writer.uint64("refused", counters.events_refused.get());
  writer.uint64("queue_full", counters.events_queue_full.get());
  writer.uint64("unwanted", counters.events_unwanted.get());
  writer.end_object();
}

void write_requests(json::Writer& writer, const EngineCounters& counters,
                    const EngineGauges& gauges) {
  writer.key("batches").begin_object().uint64("sealed", counters.batches_sealed.get()).end_object();
  writer.key("attempts").begin_object();
  writer.uint64("count", counters.attempts.get());
  writer.uint64("failed", counters.attempts_failed.get());
  writer.uint64("in_flight", counters.in_flight.get());
  writer.uint64("left_early", gauges.attempts_left_early);
  writer.end_object();
  writer.key("verifications").begin_object();
  writer.uint64("count", counters.verifications.get());
  writer.uint64("failed", counters.verifications_failed.get());
  writer.end_object();
}

void write_memory(json::Writer& writer, const EngineCounters& counters,
                  const EngineGauges& gauges) {
  writer.key("intake").begin_object();
  writer.uint64("bytes", counters.intake_bytes.get());
  writer.uint64("max_bytes", gauges.intake_max_bytes);
  writer.end_object();
  writer.key("waiting").begin_object();
  writer.uint64("memory_bytes", counters.waiting_memory_bytes.get());
  writer.uint64("max_bytes", gauges.waiting_max_bytes);
  writer.key("outage_covered_seconds");
  if (gauges.outage_covered) {
    writer.int64(std::chrono::duration_cast<std::chrono::seconds>(*gauges.outage_covered).count());
  } else {
    writer.null();
  }
  writer.end_object();
}

void write_webhook_results(json::Writer& writer, const WebhookCounters& counters) {
  writer.key("events").begin_object();
  writer.uint64("routed", counters.events_routed.get());
  writer.uint64("delivered", counters.events_delivered.get());
  writer.key("dropped").begin_object();
  writer.uint64("expired", counters.events_dropped_expired.get());
  writer.uint64("quota", counters.events_dropped_quota.get());
  writer.uint64("removed", counters.events_dropped_removed.get());
  writer.uint64("closed", counters.events_dropped_closed.get());
  writer.end_object().end_object();
  writer.key("batches").begin_object();
  writer.uint64("sealed", counters.batches_sealed.get());
  writer.uint64("delivered", counters.batches_delivered.get());
  writer.uint64("dropped", counters.batches_dropped.get());
  writer.end_object();
  writer.uint64("bytes_delivered", counters.bytes_delivered.get());
  writer.key("attempts").begin_object();
  writer.uint64("count", counters.attempts.get());
  writer.uint64("failed", counters.attempts_failed.get());
  writer.end_object();
}

void write_webhook_gauges(json::Writer& writer, const WebhookCounters& counters) {
  writer.key("open").begin_object();
  writer.uint64("events", counters.open_events.get());
  writer.uint64("bytes", counters.open_bytes.get());
  writer.end_object();
  writer.key("waiting").begin_object();
  writer.uint64("batches", counters.waiting_batches.get());
  writer.uint64("events", counters.waiting_events.get());
  writer.uint64("memory_bytes", counters.waiting_memory_bytes.get());
  writer.end_object();
  writer.boolean("is_in_trouble", counters.is_in_trouble.get() != 0);
}

}  // namespace

std::string stats_json(const EngineCounters& counters, const EngineGauges& gauges,
                       const std::vector<WebhookStats>& webhooks) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  write_events(writer, counters);
  write_requests(writer, counters, gauges);
  write_memory(writer, counters, gauges);
  writer.key("webhooks").begin_array();
  for (const WebhookStats& webhook : webhooks) {
    writer.begin_object();
    writer.string("id", webhook.id);
    writer.string("name", webhook.name);
    writer.string("state", webhook.state);
    write_webhook_results(writer, *webhook.counters);
    write_webhook_gauges(writer, *webhook.counters);
    writer.end_object();
  }
  writer.end_array().end_object();
  return out;
}

}  // namespace posthaste::metrics
