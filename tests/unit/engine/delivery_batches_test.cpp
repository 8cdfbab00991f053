// From events to requests: sealing, headers, flushes, activation.
#include <catch2/catch.hpp>
#include <set>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::ReportKind;

TEST_CASE("A lone event goes out when it is 30 seconds old, not before", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.push("delivery") == core::ErrorCode::Ok);
  fixture.run_for(30s - 1ms);
  CHECK(fixture.begun.empty());
  fixture.run_for(1ms);
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].begun == SimClock::kStart + 30s);
  CHECK(fixture.ended[0].body == R"([{"n":0}])");
}

TEST_CASE("Under load batches have exactly 10,000 events, in the order of the pushes",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  for (int i = 0; i < 50; ++i) {
    REQUIRE(fixture.push("delivery", 1000) == core::ErrorCode::Ok);
    fixture.run_for(1ms);
  }
  fixture.run_for(1s);
  REQUIRE(fixture.ended.size() == 5);
  for (size_t i = 0; i < 5; ++i) {
    CHECK(fixture.ended[i].body == DeliveryFixture::body(i * 10'000, 10'000));
  }
}

TEST_CASE("A webhook gets the types it wants", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of(kTarget, {"delivery", "bounce"})));
  REQUIRE(fixture.engine.put("opens", spec_of("http://127.0.0.1:8080/opens", {"open"})));
  for (const char* type : {"delivery", "open", "bounce", "click"}) fixture.push(type);
  CHECK(fixture.flush());
  REQUIRE(fixture.ended.size() == 2);
  CHECK(fixture.ended[0].body == R"([{"n":0},{"n":2}])");
  CHECK(fixture.ended[1].body == R"([{"n":1}])");
}

TEST_CASE("A body is the same in pieces and after a rewind", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer;
    answer.upload = 2s;
    answer.pieces_count = 97;
    answer.rewinds = true;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 5000);
  fixture.flush();
  fixture.run_for(3s);
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].body == DeliveryFixture::body(0, 5000));
  CHECK_FALSE(fixture.ended[0].has_changed_body);
}

TEST_CASE("A request carries the headers of the original", "[engine][delivery]") {
  DeliveryFixture fixture;
  core::WebhookSpec spec = spec_of("http://user:pass%20word@127.0.0.1:8080/hook?a=b");
  spec.auth_token = "5ebe2294";
  spec.headers = {{"X-Api-Key", "abcd"}, {"x-second", "2"}};
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.ended.size() == 1);
  const SimExchange& exchange = fixture.ended[0];
  CHECK(exchange.request.url == "http://127.0.0.1:8080/hook?a=b");
  CHECK(DeliveryFixture::header(exchange, "Content-Type") == "application/json");
  CHECK(DeliveryFixture::header(exchange, "User-Agent").starts_with("posthaste/"));
  CHECK(DeliveryFixture::header(exchange, "X-MessageSystems-Webhook-Token") == "5ebe2294");
  CHECK(DeliveryFixture::header(exchange, "X-Api-Key") == "abcd");
  CHECK(DeliveryFixture::header(exchange, "x-second") == "2");
  CHECK(DeliveryFixture::batch_id(exchange).size() == 36);
  CHECK(DeliveryFixture::header(exchange, "Authorization").starts_with("Basic "));
}

TEST_CASE("Without a token there is no token header", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].request.headers.size() == 3);
}

TEST_CASE("A request carries the time-outs of its webhook", "[engine][delivery]") {
  DeliveryFixture fixture;
  core::WebhookSpec spec = spec_of();
  spec.overrides["connect.timeout"] = "3s";
  spec.overrides["request.timeout"] = "4s";
  spec.overrides["request.max_time"] = "5s";
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery");
  fixture.flush();
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].request.connect_timeout == 3s);
  CHECK(fixture.ended[0].request.request_timeout == 4s);
  CHECK(fixture.ended[0].request.max_time == 5s);
}

TEST_CASE("Every batch has an id of its own, and every webhook batches of its own",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  for (int i = 0; i < 4; ++i) REQUIRE(fixture.engine.put("w" + std::to_string(i), spec_of()));
  for (int i = 0; i < 5; ++i) {
    fixture.push("delivery", 3);
    fixture.flush();
  }
  std::set<std::string> ids;
  for (const SimExchange& exchange : fixture.ended) ids.insert(DeliveryFixture::batch_id(exchange));
  CHECK(fixture.ended.size() == 20);
  CHECK(ids.size() == 20);
}

TEST_CASE("Events before the activation are not sent, those after are", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.create("w", spec_of()));
  fixture.push("delivery");
  fixture.run_for(60s - 1ms);
  fixture.push("delivery");
  fixture.run_for(1ms);
  fixture.push("delivery");
  CHECK(fixture.flush());
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].body == R"([{"n":2}])");
  CHECK(fixture.states() == std::vector<std::string>{"active"});
}

TEST_CASE("An event keeps its side of the activation however late it is read",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.create("w", spec_of()));
  fixture.step();
  fixture.engine.clock().advance(60s - 1ns);
  fixture.push("delivery");
  fixture.engine.clock().advance(1ns);
  fixture.push("delivery");
  fixture.engine.clock().advance(5s);
  CHECK(fixture.flush());
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].body == R"([{"n":1}])");
}

TEST_CASE("A put webhook takes the next event, and nobody is told that it became active",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.engine.clock().set_coarse_lead(4ms);
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  CHECK(fixture.flush());
  CHECK(fixture.bodies() == std::vector<std::string>{R"([{"n":0}])"});
  CHECK(fixture.states().empty());
}

TEST_CASE("A flush sends what is open and is answered after the first outcomes",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer;
    answer.response = 2s;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  int answers_count = 0;
  fixture.engine.flush([&](const engine::Outcome& outcome) {
    ++answers_count;
    CHECK(outcome.error.code == core::ErrorCode::Ok);
  });
  fixture.push("delivery");
  fixture.run_for(2s - 1ms);
  CHECK(answers_count == 0);
  fixture.run_for(1ms);
  CHECK(answers_count == 1);
  // What was pushed behind the flush is not its business.
  CHECK(fixture.begun.size() == 1);
}

TEST_CASE("A flush of nothing is answered at once", "[engine][delivery]") {
  DeliveryFixture fixture;
  CHECK(fixture.flush());
  REQUIRE(fixture.engine.put("w", spec_of()));
  CHECK(fixture.flush());
}

TEST_CASE("A flush does not wait for an endpoint in trouble", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  CHECK(fixture.flush());
  fixture.push("delivery");
  CHECK(fixture.flush());
  CHECK(fixture.ended.size() == 1);
}

TEST_CASE("A flush does not wait for a paused webhook", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.set_paused("w", true));
  fixture.push("delivery");
  CHECK(fixture.flush());
  CHECK(fixture.begun.empty());
}

TEST_CASE("A delivery is reported and counted", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(204); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 3);
  fixture.flush();
  const auto reports = fixture.reports(ReportKind::Delivered);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].webhook_id == "w");
  CHECK(reports[0].batch_id == DeliveryFixture::batch_id(fixture.ended[0]));
  CHECK(reports[0].status == 204);
  CHECK(reports[0].attempts_count == 1);
  CHECK(reports[0].events_count == 3);
  CHECK(reports[0].bytes == fixture.ended[0].body.size());
  CHECK(reports[0].reached == transport::Reached::Yes);
  CHECK(reports[0].time_ms == core::unix_ms(SimClock::kWallStart));
  const metrics::WebhookCounters& counters = fixture.counters("w");
  CHECK(counters.events_routed.get() == 3);
  CHECK(counters.events_delivered.get() == 3);
  CHECK(counters.batches_delivered.get() == 1);
  CHECK(counters.bytes_delivered.get() == fixture.ended[0].body.size());
  CHECK(counters.attempts.get() == 1);
  CHECK(counters.attempts_failed.get() == 0);
  CHECK(counters.waiting_batches.get() == 0);
  CHECK(counters.waiting_events.get() == 0);
  CHECK(counters.waiting_memory_bytes.get() == 0);
}

TEST_CASE("The open batch of a webhook can be seen from outside", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 3);
  fixture.run_for(20ms);
  CHECK(fixture.counters("w").open_events.get() == 3);
  CHECK(fixture.counters("w").open_bytes.get() == DeliveryFixture::body(0, 3).size());
  fixture.flush();
  CHECK(fixture.counters("w").open_events.get() == 0);
}

TEST_CASE("Never more requests for an endpoint than it may have in flight", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer;
    answer.response = 1s;
    return answer;
  };
  core::WebhookSpec spec = spec_of();
  spec.overrides["request.max_in_flight"] = "3";
  spec.overrides["batch.max_events"] = "1";
  REQUIRE(fixture.engine.put("w", spec));
  fixture.push("delivery", 10);
  fixture.run_for(0s);
  CHECK(fixture.engine.transport().running_count() == 3);
  fixture.run_for(10s);
  CHECK(fixture.ended.size() == 10);
}

TEST_CASE("Verification passes with exactly 200", "[engine][delivery]") {
  for (const int32_t code : {200, 204, 503}) {
    DeliveryFixture fixture;
    fixture.answer = [&](const transport::Request&) { return status(code); };
    REQUIRE(fixture.engine.put("w", spec_of()));
    engine::Outcome outcome;
    fixture.engine.verify("w", [&](engine::Outcome given) { outcome = std::move(given); });
    fixture.step();
    REQUIRE(fixture.ended.size() == 1);
    CHECK(fixture.ended[0].body == R"([{"msys":{}}])");
    if (code == 200) {
      CHECK(outcome.error.code == core::ErrorCode::Ok);
      continue;
    }
    CHECK(outcome.error.code == core::ErrorCode::VerifyFailed);
    REQUIRE(outcome.verify_answer);
    CHECK(outcome.verify_answer->phase == transport::Phase::Http);
    CHECK(outcome.verify_answer->status == code);
    CHECK(outcome.error.message.starts_with("POST to webhook target URL failed with "));
  }
}

TEST_CASE("Verification takes any 2xx when it is told to", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(202); };
  core::WebhookSpec spec = spec_of();
  spec.overrides["verify.accept"] = "2xx";
  REQUIRE(fixture.engine.put("w", spec));
  engine::Outcome outcome{{core::ErrorCode::Internal, {}, {}}, nullptr, {}};
  fixture.engine.verify("w", [&](engine::Outcome given) { outcome = std::move(given); });
  fixture.step();
  CHECK(outcome.error.code == core::ErrorCode::Ok);
}

TEST_CASE("A failed verification tells the phase and the name of the network error",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return fault(SimFault::Refused); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  engine::Outcome outcome;
  fixture.engine.verify("w", [&](engine::Outcome given) { outcome = std::move(given); });
  fixture.step();
  REQUIRE(outcome.verify_answer);
  CHECK(outcome.verify_answer->phase == transport::Phase::Connect);
  CHECK(outcome.verify_answer->network_name == "ECONNREFUSED");
  CHECK(outcome.error.message.find("error code ECONNREFUSED") != std::string::npos);
}

TEST_CASE("Verifications have slots of their own", "[engine][delivery]") {
  core::EngineSettings settings = exact_settings();
  settings.connections_max = 2;
  settings.verify_max_in_flight = 3;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request&) { return fault(SimFault::AnswerHangs); };
  for (int i = 0; i < 5; ++i) REQUIRE(fixture.engine.put("w" + std::to_string(i), spec_of()));
  fixture.push("delivery");
  fixture.flush();
  CHECK(fixture.engine.transport().running_count() == 2);
  int answers_count = 0;
  for (int i = 0; i < 5; ++i) {
    fixture.engine.verify("w0", [&](const engine::Outcome&) { ++answers_count; });
  }
  fixture.step();
  CHECK(fixture.engine.transport().running_count() == 5);
  fixture.run_for(6s);
  CHECK(answers_count == 3);
  fixture.run_for(6s);
  CHECK(answers_count == 5);
}
