#include "metrics/stats_json.h"

#include <catch2/catch.hpp>

using namespace posthaste;
using namespace posthaste::metrics;
using namespace std::chrono_literals;

namespace {

constexpr core::Instant kNow(1h + 40s);

}  // namespace

TEST_CASE("Statistics name every counter of the engine", "[metrics][stats_json]") {
  EngineCounters counters;
  counters.events_accepted.add(1);
  counters.events_refused.add(2);
  counters.events_queue_full.add(3);
  counters.events_from_producers.add(5);
  counters.events_unwanted.add(4);
  counters.batches_sealed.add(5);
  counters.attempts.add(6);
  counters.attempts_failed.add(7);
  counters.in_flight.set(8);
  counters.verifications.add(10);
  counters.verifications_failed.add(11);
  counters.intake_bytes.set(12);
  counters.waiting_memory_bytes.set(14);
  const EngineGauges gauges{13, 15, 16'900ms, 9};
  CHECK(stats_json(counters, gauges, {}, kNow) ==
        R"({"events":{"accepted":1,"from_producers":5,"refused":2,"queue_full":3,"unwanted":4},)"
        R"("batches":{"sealed":5},)"
        R"("attempts":{"count":6,"failed":7,"in_flight":8,"left_early":9},)"
        R"("verifications":{"count":10,"failed":11},)"
        R"("intake":{"bytes":12,"max_bytes":13},)"
        R"("waiting":{"memory_bytes":14,"max_bytes":15,"outage_covered_seconds":16},)"
        R"("spool":null,"webhooks":[]})");
}

TEST_CASE("Statistics name every counter of each webhook", "[metrics][stats_json]") {
  const auto counters = std::make_shared<WebhookCounters>();
  counters->events_routed.add(1);
  counters->events_delivered.add(2);
  counters->events_dropped_expired.add(3);
  counters->events_dropped_quota.add(4);
  counters->events_dropped_removed.add(5);
  counters->events_dropped_closed.add(6);
  counters->events_dropped_purged.add(18);
  counters->events_dropped_unreadable.add(19);
  counters->events_dead_lettered.add(20);
  counters->events_replayed.add(21);
  counters->batches_dead_lettered.add(22);
  counters->batches_replayed.add(23);
  counters->batches_sealed.add(7);
  counters->batches_delivered.add(8);
  counters->batches_dropped.add(9);
  counters->bytes_delivered.add(10);
  counters->attempts.add(11);
  counters->attempts_failed.add(12);
  counters->open_events.set(13);
  counters->open_bytes.set(14);
  counters->waiting_batches.set(15);
  counters->waiting_events.set(16);
  counters->waiting_memory_bytes.set(17);
  counters->events_dropped_refused.add(24);
  counters->batches_split.add(25);
  counters->endpoint_health.set(2);
  counters->endpoint_falls.add(26);
  counters->endpoint_throttles.add(27);
  counters->endpoint_recoveries.add(28);
  counters->limits_learned.add(29);
  counters->learned_events_max.set(30);
  counters->learned_bytes_max.set(31);
  counters->routed_by_minute.feed(kNow - 2min, 6);
  counters->routed_by_minute.feed(kNow, 7);
  const std::string text = stats_json(EngineCounters{}, {},
                                      {{"a", "say \"hi\"", "active", counters},
                                       {"b", "", "paused", std::make_shared<WebhookCounters>()}},
                                      kNow);
  const auto start = text.find(R"("webhooks":[)");
  REQUIRE(start != std::string::npos);
  const std::string webhooks = text.substr(start);
  const std::string first =
      R"("webhooks":[{"id":"a","name":"say \"hi\"","state":"active",)"
      R"("events":{"routed":1,"delivered":2,)"
      R"("dropped":{"expired":3,"quota":4,"removed":5,"closed":6,"purged":18,)"
      R"("unreadable":19,"refused":24},"dead_lettered":20,"replayed":21},)"
      R"("batches":{"sealed":7,"delivered":8,"dropped":9,"split":25,"dead_lettered":22,"replayed":23},)"
      R"("bytes_delivered":10,)"
      R"("attempts":{"count":11,"failed":12},"open":{"events":13,"bytes":14},)"
      R"("waiting":{"batches":15,"events":16,"memory_bytes":17},"endpoint":{"health":"failing",)"
      R"("falls":26,"throttles":27,"recoveries":28,"limits_learned":29,)"
      R"("batch_limit":{"events":30,"bytes":31}},)"
      R"("history":{"seconds":40,"events_per_minute":[6,0,1]}},)";
  CHECK(webhooks.substr(0, first.size()) == first);
  CHECK(webhooks.substr(first.size(), 33) == R"({"id":"b","name":"","state":"paus)");
}

TEST_CASE("Without a rate the covered outage is null", "[metrics][stats_json]") {
  const std::string text = stats_json(EngineCounters{}, {}, {}, kNow);
  CHECK(text.find(R"("outage_covered_seconds":null)") != std::string::npos);
}

TEST_CASE("Statistics tell how full the spool is, and each webhook's part of it",
          "[metrics][stats_json]") {
  const auto counters = std::make_shared<WebhookCounters>();
  counters->spooled_bytes.set(400);
  counters->spool_quota_bytes.set(1000);
  counters->sealed_bytes_per_second.set(20);
  EngineGauges gauges;
  gauges.spool =
      SpoolGauges{"/var/spool/hooks", "ok", 1, 2, 3, 4, {5, 6, 7}, SpoolSums{8, 9, 10}, 12s};
  const std::string text =
      stats_json(EngineCounters{}, gauges, {{"a", "a", "active", counters}}, kNow);
  CHECK_THAT(text, Catch::Contains(R"("spool":{"directory":"/var/spool/hooks","health":"ok",)"
                                   R"("disk_bytes":1,"max_bytes":2,"journal_bytes":3,)"
                                   R"("database_bytes":4,)"
                                   R"("waiting":{"batches":5,"events":6,"bytes":7},)"
                                   R"("dead_letters":{"batches":8,"events":9,"bytes":10},)"
                                   R"("outage_covered_seconds":12})"));
  CHECK_THAT(text, Catch::Contains(
                       R"("spool":{"bytes":400,"max_bytes":1000,"outage_covered_seconds":30})"));
  gauges.spool->dead_letters.reset();
  gauges.spool->outage_covered.reset();
  CHECK_THAT(stats_json(EngineCounters{}, gauges, {}, kNow),
             Catch::Contains(R"("dead_letters":null,"outage_covered_seconds":null})"));
}
