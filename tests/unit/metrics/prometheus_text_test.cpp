#include "metrics/prometheus_text.h"

#include <catch2/catch.hpp>
#include <set>
#include <sstream>

using namespace posthaste;

namespace {

std::string text_of(const metrics::EngineGauges& gauges,
                    const std::vector<metrics::WebhookStats>& webhooks) {
  metrics::EngineCounters counters;
  counters.events_accepted.add(12);
  return metrics::prometheus_text(counters, gauges, webhooks);
}

metrics::WebhookStats webhook(const std::string& name) {
  auto counters = std::make_shared<metrics::WebhookCounters>();
  counters->events_dropped_quota.add(3);
  return {"id-1", name, "active", counters};
}

}  // namespace

TEST_CASE("Every sample stands behind the HELP and TYPE of its metric, which comes once",
          "[metrics][prometheus_text]") {
  metrics::EngineGauges gauges;
  gauges.spool = metrics::SpoolGauges{};
  std::istringstream lines(text_of(gauges, {webhook("one"), webhook("two")}));
  std::set<std::string> metrics_seen;
  std::set<std::string> samples;
  std::string metric;
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    if (line.starts_with("# HELP ")) {
      metric = line.substr(7, line.find(' ', 7) - 7);
      CHECK(metrics_seen.insert(metric).second);
    } else if (line.starts_with("# TYPE ")) {
      const bool is_counter = metric.ends_with("_total");
      CHECK(line == "# TYPE " + metric + (is_counter ? " counter" : " gauge"));
    } else {
      CHECK(line.substr(0, line.find_first_of("{ ")) == metric);
      samples.insert(line.substr(0, line.rfind(' ')));
    }
  }
  CHECK(metrics_seen.count("posthaste_spool_healthy") == 1);
  CHECK(samples.count("posthaste_webhook_events_dropped_total{id=\"id-1\",name=\"two\","
                      "reason=\"quota\"}") == 1);
}

TEST_CASE("Numbers are those of the counters", "[metrics][prometheus_text]") {
  const std::string text = text_of({}, {webhook("one")});
  CHECK(text.find("\nposthaste_events_accepted_total 12\n") != std::string::npos);
  CHECK(text.find(",reason=\"quota\"} 3\n") != std::string::npos);
  CHECK(text.find("posthaste_spool_") == std::string::npos);
}

TEST_CASE("Names of webhooks are escaped as labels must be", "[metrics][prometheus_text]") {
  const std::string text = text_of({}, {webhook("a\"b\\c\nd")});
  CHECK(text.find(R"(name="a\"b\\c\nd")") != std::string::npos);
}
