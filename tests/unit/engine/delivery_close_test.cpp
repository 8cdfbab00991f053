// Closing: what is delivered still, what is given up and how that is told.
#include <catch2/catch.hpp>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::DropReason;
using engine::ReportKind;

TEST_CASE("Closing delivers what is open and then ends", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 3);
  REQUIRE(fixture.engine.close(core::kNever));
  fixture.step();
  CHECK(fixture.engine.is_closed());
  CHECK(fixture.bodies() == std::vector<std::string>{DeliveryFixture::body(0, 3)});
  CHECK(fixture.engine.delivery().given_up_events_count() == 0);
  CHECK(fixture.push("delivery") == core::ErrorCode::State);
}

TEST_CASE("Closing waits for what is in flight, up to its deadline", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer;
    answer.response = 3s;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  REQUIRE(fixture.engine.close(fixture.engine.clock().now() + 5s));
  fixture.run_for(3s - 1ms);
  CHECK_FALSE(fixture.engine.is_closed());
  fixture.run_for(1ms);
  CHECK(fixture.engine.is_closed());
  CHECK(fixture.reports(ReportKind::Delivered).size() == 1);
}

TEST_CASE(
    "Closing has no patience with an endpoint in trouble beyond its deadline, and tells what "
    "it gave up",
    "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return fault(SimFault::AnswerHangs); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 4);
  fixture.flush();
  fixture.push("delivery", 2);
  fixture.flush();
  fixture.push("delivery", 1);
  REQUIRE(fixture.engine.close(fixture.engine.clock().now() + 2s));
  fixture.run_for(2s - 1ms);
  CHECK_FALSE(fixture.engine.is_closed());
  fixture.run_for(1ms);
  CHECK(fixture.engine.is_closed());
  CHECK(fixture.engine.delivery().given_up_events_count() == 7);
  uint64_t events_count = 0;
  uint64_t batches_count = 0;
  for (const engine::Report& report : fixture.reports(ReportKind::Dropped)) {
    CHECK(report.reason == DropReason::Closed);
    events_count += report.events_count;
    batches_count += report.count;
  }
  CHECK(events_count == 7);
  CHECK(batches_count == 3);
  REQUIRE(fixture.ended.size() == 1);
  CHECK(fixture.ended[0].is_cancelled);
  CHECK(fixture.engine.transport().running_count() == 0);
}

TEST_CASE("Closing with a deadline that has passed gives up at once", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 5);
  REQUIRE(fixture.engine.close(fixture.engine.clock().now()));
  fixture.step();
  CHECK(fixture.engine.is_closed());
  CHECK(fixture.counters("w").events_delivered.get() +
            fixture.engine.delivery().given_up_events_count() ==
        5);
}

TEST_CASE("A batch that expires while the engine closes is not given up twice",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 5);
  fixture.flush();
  fixture.run_for(4h - 10s);
  REQUIRE(fixture.engine.close(fixture.engine.clock().now() + 1min));
  fixture.run_for(10s);
  CHECK(fixture.engine.is_closed());
  CHECK(fixture.engine.delivery().given_up_events_count() == 0);
  CHECK(fixture.reports(ReportKind::Dropped).size() == 1);
}

TEST_CASE("Closing answers flushes and verifications that wait", "[engine][delivery]") {
  core::EngineSettings settings = exact_settings();
  settings.verify_max_in_flight = 1;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request&) { return fault(SimFault::AnswerHangs); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery");
  std::vector<core::ErrorCode> codes;
  const auto keep = [&](const engine::Outcome& outcome) { codes.push_back(outcome.error.code); };
  fixture.engine.verify("w", keep);
  fixture.engine.verify("w", keep);
  fixture.engine.flush(keep);
  REQUIRE(fixture.engine.close(fixture.engine.clock().now() + 1s));
  fixture.run_for(1s);
  CHECK(fixture.engine.is_closed());
  REQUIRE(codes.size() == 3);
  CHECK(codes[0] == core::ErrorCode::State);
  CHECK(codes[1] == core::ErrorCode::State);
}

TEST_CASE("An engine with nothing to do closes at once", "[engine][delivery]") {
  DeliveryFixture fixture;
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.close(core::kNever));
  fixture.step();
  CHECK(fixture.engine.is_closed());
}
