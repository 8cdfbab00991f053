// Failures: what is tried again, when, with which bytes, and what is given up.
#include <algorithm>
#include <catch2/catch.hpp>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::DropReason;
using engine::ReportKind;

namespace {

core::WebhookSpec one_event_batches(const std::string& target = kTarget) {
  core::WebhookSpec spec = spec_of(target);
  spec.overrides["batch.max_events"] = "1";
  return spec;
}

}  // namespace

TEST_CASE("A batch keeps its id, its bytes and its order over all retries", "[engine][delivery]") {
  DeliveryFixture fixture;
  size_t attempts_count = 0;
  fixture.answer = [&](const transport::Request&) {
    const std::vector<SimAnswer> answers = {fault(SimFault::Reset), status(500),
                                            fault(SimFault::AnswerHangs), status(200)};
    SimAnswer answer = answers.at(attempts_count++);
    answer.pieces_count = 5;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1000);
  fixture.flush();
  fixture.run_for(10min);
  REQUIRE(fixture.ended.size() == 4);
  for (const SimExchange& exchange : fixture.ended) {
    CHECK(DeliveryFixture::batch_id(exchange) == DeliveryFixture::batch_id(fixture.ended[0]));
    CHECK_FALSE(exchange.has_changed_body);
    const std::string whole = DeliveryFixture::body(0, 1000);
    CHECK(exchange.body == whole.substr(0, exchange.body.size()));
  }
  CHECK(fixture.ended[3].body == DeliveryFixture::body(0, 1000));
  CHECK(fixture.reports(ReportKind::Retrying).size() == 3);
  CHECK(fixture.reports(ReportKind::Delivered).at(0).attempts_count == 4);
}

TEST_CASE("Nothing is attempted after four hours; the batch is deleted and reported once",
          "[engine][delivery]") {
  for (const SimAnswer& answer :
       {status(503), status(404), fault(SimFault::Refused), fault(SimFault::UnknownName)}) {
    DeliveryFixture fixture;
    fixture.answer = [&](const transport::Request&) { return answer; };
    REQUIRE(fixture.engine.put("w", spec_of()));
    fixture.push("delivery", 7);
    fixture.run_for(30s);
    const core::Instant first_failure = fixture.ended.at(0).ends;
    fixture.run_for(4h - 1ms);
    CHECK(fixture.reports(ReportKind::Dropped).empty());
    CHECK(fixture.ended.size() > 50);
    fixture.run_for(1ms);
    const auto drops = fixture.reports(ReportKind::Dropped);
    REQUIRE(drops.size() == 1);
    CHECK(drops[0].reason == DropReason::Expired);
    CHECK(drops[0].events_count == 7);
    CHECK(drops[0].count == 1);
    CHECK(drops[0].attempts_count == fixture.ended.size());
    for (const SimExchange& exchange : fixture.begun) CHECK(exchange.begun < first_failure + 4h);
    const size_t attempts_count = fixture.begun.size();
    fixture.run_for(24h);
    CHECK(fixture.begun.size() == attempts_count);
    CHECK(fixture.reports(ReportKind::Dropped).size() == 1);
    CHECK(fixture.counters("w").events_dropped_expired.get() == 7);
    CHECK(fixture.counters("w").waiting_batches.get() == 0);
    CHECK(fixture.counters("w").waiting_memory_bytes.get() == 0);
  }
}

TEST_CASE("A drop says whether the receiver may have the batch", "[engine][delivery]") {
  for (const bool is_attempted : {false, true}) {
    DeliveryFixture fixture;
    fixture.answer = [](const transport::Request&) { return status(503); };
    REQUIRE(fixture.engine.put("w", one_event_batches()));
    REQUIRE(fixture.engine.set_paused("w", !is_attempted));
    fixture.push("delivery");
    fixture.step();
    REQUIRE(fixture.engine.remove("w", true));
    fixture.step();
    const auto drops = fixture.reports(ReportKind::Dropped);
    REQUIRE(drops.size() == 1);
    CHECK(drops[0].reason == DropReason::Removed);
    CHECK(drops[0].reached == (is_attempted ? transport::Reached::Maybe : transport::Reached::No));
    CHECK(drops[0].attempts_count == (is_attempted ? 1 : 0));
  }
}

TEST_CASE("A failed attempt tells when the next one is due", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(1s);
  const auto reports = fixture.reports(ReportKind::Retrying);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].status == 503);
  CHECK(reports[0].message == "HTTP 503");
  CHECK(reports[0].next_try_ms == reports[0].time_ms + 1000);
  CHECK(reports[1].next_try_ms == reports[1].time_ms + 2000);
}

TEST_CASE("Batches of an endpoint in trouble wait in order behind one probe",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  bool is_up = false;
  fixture.answer = [&](const transport::Request&) { return status(is_up ? 200 : 503); };
  REQUIRE(fixture.engine.put("w", one_event_batches()));
  fixture.push("delivery", 10);
  fixture.run_for(100s);
  const size_t probes_count = fixture.ended.size();
  CHECK(probes_count <= 8);
  is_up = true;
  fixture.run_for(5min);
  REQUIRE(fixture.ended.size() == probes_count + 10);
  std::vector<std::string> order;
  for (size_t i = probes_count + 1; i < fixture.ended.size(); ++i) {
    order.push_back(fixture.ended[i].body);
  }
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(fixture.counters("w").endpoint_health.get() == 0);
}

TEST_CASE("Delivery lets others pass a batch that backs off alone", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [&](const transport::Request& request) {
    std::string body(request.body->size_bytes(), '#');
    request.body->read(0, body.data(), body.size());
    return status(body == R"([{"n":1}])" ? 400 : 200);
  };
  REQUIRE(fixture.engine.put("w", one_event_batches()));
  fixture.push("delivery", 4);
  fixture.run_for(0s);
  CHECK(fixture.reports(ReportKind::Delivered).size() == 3);
  CHECK(fixture.counters("w").endpoint_health.get() == 0);
  fixture.run_for(1h);
  CHECK(fixture.ended.size() > 10);
  fixture.push("delivery", 4);
  fixture.run_for(0s);
  CHECK(fixture.reports(ReportKind::Delivered).size() == 7);
}

TEST_CASE("One dead endpoint delays no other webhook", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request& request) {
    return request.url.ends_with("/dead") ? fault(SimFault::ConnectHangs) : status(200);
  };
  for (int i = 0; i < 20; ++i) {
    REQUIRE(fixture.engine.put("dead" + std::to_string(i),
                               one_event_batches("http://127.0.0.1:8080/dead")));
  }
  REQUIRE(fixture.engine.put("well", one_event_batches("http://127.0.0.1:8080/well")));
  for (int i = 0; i < 100; ++i) {
    fixture.push("delivery");
    fixture.run_for(1s);
  }
  for (const SimExchange& exchange : fixture.ended) {
    if (exchange.request.url.ends_with("/well")) CHECK(exchange.ends == exchange.begun);
  }
  CHECK(fixture.counters("well").batches_delivered.get() == 100);
}

TEST_CASE("At most half of the connections go to endpoints in trouble", "[engine][delivery]") {
  core::EngineSettings settings = exact_settings();
  settings.connections_max = 8;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request& request) {
    return request.url.ends_with("/dead") ? fault(SimFault::ConnectHangs) : status(200);
  };
  for (int i = 0; i < 20; ++i) {
    REQUIRE(fixture.engine.put("dead" + std::to_string(i),
                               one_event_batches("http://127.0.0.1:8080/dead")));
  }
  REQUIRE(fixture.engine.put("well", one_event_batches("http://127.0.0.1:8080/well")));
  fixture.push("delivery");
  fixture.run_for(60s);
  for (int i = 0; i < 50; ++i) {
    fixture.push("delivery");
    fixture.run_for(500ms);
    CHECK(fixture.engine.transport().running_count() <= 4);
  }
  CHECK(fixture.counters("well").batches_delivered.get() == 51);
}

TEST_CASE("Attempts are logged for the status of batches", "[engine][delivery]") {
  DeliveryFixture fixture;
  int attempts_count = 0;
  fixture.answer = [&](const transport::Request&) {
    return attempts_count++ == 0 ? fault(SimFault::Refused) : status(200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 2);
  fixture.flush();
  const auto status_now = [&] {
    return fixture.engine.store().batch_status("w", 10, spool::StatusFilter::All,
                                               fixture.engine.clock().wall_now());
  };
  REQUIRE(status_now().size() == 1);
  CHECK_FALSE(status_now()[0].is_delivered);
  CHECK(status_now()[0].network_name == "ECONNREFUSED");
  fixture.run_for(1s);
  REQUIRE(status_now().size() == 1);
  const spool::AttemptRecord last = status_now()[0];
  CHECK(last.batch_id == DeliveryFixture::batch_id(fixture.ended[0]));
  CHECK(last.is_delivered);
  CHECK(last.status == 200);
  CHECK(last.attempt_count == 2);
  CHECK(last.failures_count == 1);
  CHECK(last.events_count == 2);
  CHECK(last.size_bytes == fixture.ended[1].body.size());
}

TEST_CASE("A ladder is followed step by step", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(503); };
  core::WebhookSpec spec = spec_of();
  spec.overrides["retry.schedule"] = "momentum";
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  fixture.run_for(5h);
  std::vector<core::Duration> gaps;
  for (size_t i = 1; i < fixture.begun.size(); ++i) {
    gaps.push_back(fixture.begun[i].begun - fixture.begun[i - 1].begun);
  }
  CHECK(gaps == std::vector<core::Duration>{1min, 5min, 30min, 60min, 60min, 60min});
}
