#include "metrics/stats_json.h"

#include <algorithm>

#include "json/writer.h"
#include "metrics/rate_meter.h"

namespace posthaste::metrics {
namespace {

void write_events(json::Writer& writer, const EngineCounters& counters) {
  writer.key("events").begin_object();
  writer.uint64("accepted", counters.events_accepted.get());
  writer.uint64("from_producers", counters.events_from_producers.get());
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

void write_outage(json::Writer& writer, const std::optional<core::Duration>& covered) {
  writer.key("outage_covered_seconds");
  if (covered) {
    writer.int64(std::chrono::duration_cast<std::chrono::seconds>(*covered).count());
  } else {
    writer.null();
  }
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
  write_outage(writer, gauges.outage_covered);
  writer.end_object();
}

void write_sums(json::Writer& writer, const SpoolSums& sums) {
  writer.begin_object();
  writer.uint64("batches", sums.batches_count);
  writer.uint64("events", sums.events_count);
  writer.uint64("bytes", sums.size_bytes);
  writer.end_object();
}

void write_spool(json::Writer& writer, const std::optional<SpoolGauges>& spool) {
  writer.key("spool");
  if (!spool) {
    writer.null();
    return;
  }
  writer.begin_object();
  writer.string("directory", spool->directory);
  writer.string("health", spool->health);
  writer.uint64("disk_bytes", spool->disk_bytes);
  writer.uint64("max_bytes", spool->max_bytes);
  writer.uint64("journal_bytes", spool->journal_bytes);
  writer.uint64("database_bytes", spool->database_bytes);
  write_sums(writer.key("waiting"), spool->waiting);
  writer.key("dead_letters");
  if (spool->dead_letters) {
    write_sums(writer, *spool->dead_letters);
  } else {
    writer.null();
  }
  write_outage(writer, spool->outage_covered);
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
  writer.uint64("purged", counters.events_dropped_purged.get());
  writer.uint64("unreadable", counters.events_dropped_unreadable.get());
  writer.uint64("refused", counters.events_dropped_refused.get());
  writer.end_object();
  writer.uint64("dead_lettered", counters.events_dead_lettered.get());
  writer.uint64("replayed", counters.events_replayed.get());
  writer.end_object();
  writer.key("batches").begin_object();
  writer.uint64("sealed", counters.batches_sealed.get());
  writer.uint64("delivered", counters.batches_delivered.get());
  writer.uint64("dropped", counters.batches_dropped.get());
  writer.uint64("split", counters.batches_split.get());
  writer.uint64("dead_lettered", counters.batches_dead_lettered.get());
  writer.uint64("replayed", counters.batches_replayed.get());
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
  static constexpr const char* kHealthNames[] = {"healthy", "throttled", "failing"};
  writer.key("endpoint").begin_object();
  writer.string("health", kHealthNames[std::min<uint64_t>(counters.endpoint_health.get(), 2)]);
  writer.uint64("falls", counters.endpoint_falls.get());
  writer.uint64("throttles", counters.endpoint_throttles.get());
  writer.uint64("recoveries", counters.endpoint_recoveries.get());
  writer.uint64("limits_learned", counters.limits_learned.get());
  writer.key("batch_limit");
  if (counters.learned_events_max.get() == 0) {
    writer.null();
  } else {
    writer.begin_object();
    writer.uint64("events", counters.learned_events_max.get());
    writer.uint64("bytes", counters.learned_bytes_max.get());
    writer.end_object();
  }
  writer.end_object();
}

void write_webhook_spool(json::Writer& writer, const WebhookCounters& counters) {
  writer.key("spool").begin_object();
  writer.uint64("bytes", counters.spooled_bytes.get());
  writer.uint64("max_bytes", counters.spool_quota_bytes.get());
  write_outage(writer, spool_outage_covered(counters));
  writer.end_object();
}

// The events that were routed to it in each of the last minutes.
void write_webhook_history(json::Writer& writer, const WebhookCounters& counters,
                           core::Instant now) {
  const MinuteCounts::History history = counters.routed_by_minute.history(now);
  writer.key("history").begin_object();
  writer.int64("seconds",
               std::chrono::duration_cast<std::chrono::seconds>(history.last_so_far).count());
  writer.key("events_per_minute").begin_array();
  for (const uint64_t count : history.counts) writer.uint64(count);
  writer.end_array().end_object();
}

}  // namespace

std::optional<core::Duration> spool_outage_covered(const WebhookCounters& counters) {
  const uint64_t quota = counters.spool_quota_bytes.get();
  return outage_covered(quota - std::min(quota, counters.spooled_bytes.get()),
                        static_cast<double>(counters.sealed_bytes_per_second.get()));
}

std::string stats_json(const EngineCounters& counters, const EngineGauges& gauges,
                       const std::vector<WebhookStats>& webhooks, core::Instant now) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  write_events(writer, counters);
  write_requests(writer, counters, gauges);
  write_memory(writer, counters, gauges);
  write_spool(writer, gauges.spool);
  writer.raw("webhooks", webhook_stats_json(webhooks, gauges.spool.has_value(), now));
  writer.end_object();
  return out;
}

std::string webhook_stats_json(const std::vector<WebhookStats>& webhooks, bool has_spool,
                               core::Instant now) {
  std::string out;
  json::Writer writer(out);
  writer.begin_array();
  for (const WebhookStats& webhook : webhooks) {
    writer.begin_object();
    writer.string("id", webhook.id);
    writer.string("name", webhook.name);
    writer.string("state", webhook.state);
    write_webhook_results(writer, *webhook.counters);
    write_webhook_gauges(writer, *webhook.counters);
    if (has_spool) write_webhook_spool(writer, *webhook.counters);
    write_webhook_history(writer, *webhook.counters, now);
    writer.end_object();
  }
  writer.end_array();
  return out;
}

}  // namespace posthaste::metrics
