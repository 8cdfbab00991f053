// The memory rules of design 2c.
#include <catch2/catch.hpp>
#include <map>

#include "core/limits.h"
#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using core::ErrorCode;
using engine::DropReason;
using engine::ReportKind;

namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
// About a thousand bytes an event, so that a batch of a hundred has about 100 KiB.
constexpr size_t kPadding = 1000;
constexpr const char* kSlow = "http://127.0.0.1:8080/slow";
constexpr const char* kFast = "http://127.0.0.1:8080/fast";

core::EngineSettings small_settings() {
  core::EngineSettings settings = exact_settings();
  settings.event_max_bytes = 64 * kKiB;
  settings.webhook.batch_max_events = 100;
  settings.webhook.batch_max_bytes = 256 * kKiB;
  settings.webhook.max_waiting_bytes = kMiB;
  settings.waiting_max_bytes = 4 * kMiB;
  settings.intake_max_bytes = 16 * kMiB;
  return settings;
}

uint64_t records_size(size_t first, size_t count) {
  return DeliveryFixture::body(first, count, kPadding).size() - 1;
}

SimAnswer slow(core::Duration response) {
  SimAnswer answer;
  answer.response = response;
  return answer;
}

uint64_t dropped_events(DeliveryFixture& fixture, const std::string& id) {
  uint64_t count = 0;
  for (const engine::Report& report : fixture.reports(ReportKind::Dropped)) {
    if (report.webhook_id == id) count += report.events_count;
  }
  return count;
}

}  // namespace

TEST_CASE("What waits behind an endpoint in trouble is detached and charged to its webhook",
          "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  fixture.answer = [](const transport::Request&) {
    SimAnswer answer = slow(1s);
    answer.status = 503;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 300, kPadding);
  fixture.run_for(500ms);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() == 0);
  fixture.run_for(500ms);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() == records_size(0, 300));
  // Later batches are detached as they come.
  fixture.push("delivery", 100, kPadding);
  fixture.run_for(20ms);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() == records_size(0, 400));
  CHECK(fixture.engine.counters().waiting_memory_bytes.get() == records_size(0, 400));
}

TEST_CASE("A paused webhook's batches are detached as they are sealed", "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  REQUIRE(fixture.engine.put("w", spec_of()));
  REQUIRE(fixture.engine.set_paused("w", true));
  fixture.push("delivery", 200, kPadding);
  fixture.run_for(20ms);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() == records_size(0, 200));
}

TEST_CASE("Over its quota a webhook in trouble loses its oldest waiting batches, reported",
          "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  bool is_up = false;
  fixture.answer = [&](const transport::Request&) { return status(is_up ? 200 : 503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  for (int i = 0; i < 30; ++i) {
    REQUIRE(fixture.push("delivery", 100, kPadding) == ErrorCode::Ok);
    fixture.run_for(20ms);
    CHECK(fixture.counters("w").waiting_memory_bytes.get() <= kMiB);
  }
  const uint64_t dropped = dropped_events(fixture, "w");
  CHECK(dropped == 3000 - fixture.counters("w").waiting_events.get());
  CHECK(fixture.counters("w").waiting_batches.get() == kMiB / records_size(2900, 100));
  for (const engine::Report& report : fixture.reports(ReportKind::Dropped)) {
    CHECK(report.reason == DropReason::Quota);
  }
  is_up = true;
  const size_t failed_count = fixture.ended.size();
  fixture.run_for(1h);
  uint64_t delivered = 0;
  std::map<std::string, bool> seen;
  for (size_t i = failed_count; i < fixture.ended.size(); ++i) {
    if (fixture.ended[i].completion.status == 200) delivered += 100;
    seen[fixture.ended[i].body] = true;
  }
  CHECK(delivered == 3000 - dropped);
  CHECK(seen.contains(DeliveryFixture::body(2900, 100, kPadding)));
  CHECK_FALSE(seen.contains(DeliveryFixture::body(0, 100, kPadding)));
}

TEST_CASE("A batch in flight is never dropped for want of memory", "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  bool is_up = false;
  fixture.answer = [&](const transport::Request&) { return is_up ? slow(5s) : status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 100, kPadding);
  fixture.step();
  is_up = true;
  // The probe is in flight for five seconds, while far more than the quota comes.
  fixture.run_for(1s);
  CHECK(fixture.engine.transport().running_count() == 1);
  for (int i = 0; i < 40; ++i) {
    fixture.push("delivery", 100, kPadding);
    fixture.run_for(20ms);
    CHECK(fixture.counters("w").waiting_memory_bytes.get() <= kMiB);
  }
  CHECK(dropped_events(fixture, "w") > 0);
  fixture.run_for(5s);
  const auto delivered = fixture.reports(ReportKind::Delivered);
  REQUIRE_FALSE(delivered.empty());
  CHECK(delivered[0].batch_id == DeliveryFixture::batch_id(fixture.begun[0]));
}

TEST_CASE("Over the engine's limit the webhook with most gives first", "[engine][delivery]") {
  core::EngineSettings settings = small_settings();
  settings.webhook.max_waiting_bytes = 8 * kMiB;
  settings.waiting_max_bytes = 2 * kMiB;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("much", spec_of(kTarget, {"delivery"})));
  REQUIRE(fixture.engine.put("little", spec_of(kTarget, {"bounce"})));
  for (int i = 0; i < 3; ++i) {
    fixture.push("bounce", 100, kPadding);
    fixture.run_for(20ms);
  }
  for (int i = 0; i < 40; ++i) {
    fixture.push("delivery", 100, kPadding);
    fixture.run_for(20ms);
    CHECK(fixture.engine.counters().waiting_memory_bytes.get() <= 2 * kMiB);
  }
  CHECK(dropped_events(fixture, "much") > 0);
  CHECK(dropped_events(fixture, "little") == 0);
  CHECK(fixture.counters("little").waiting_batches.get() == 3);
}

TEST_CASE("A webhook that is merely slower than the host loses nothing; push says queue full",
          "[engine][delivery]") {
  for (const core::Duration response : {core::Duration(300ms), core::Duration(5s)}) {
    DeliveryFixture fixture(small_settings());
    fixture.answer = [&](const transport::Request&) { return slow(response); };
    REQUIRE(fixture.engine.put("w", spec_of()));
    bool was_full = false;
    for (int i = 0; i < 4000 && !was_full; ++i) {
      was_full = fixture.push("delivery", 10, kPadding) == ErrorCode::QueueFull;
      fixture.run_for(1ms);
      REQUIRE(fixture.engine.intake().used_bytes() <= 16 * kMiB);
      REQUIRE(fixture.counters("w").waiting_memory_bytes.get() <= kMiB);
    }
    CHECK(was_full);
    CHECK(fixture.reports(ReportKind::Dropped).empty());
    fixture.run_for(1h);
    CHECK(fixture.counters("w").events_delivered.get() == fixture.pushed_count);
  }
}

TEST_CASE("Small batches of a slow webhook keep to the limits, too", "[engine][delivery]") {
  core::EngineSettings settings = small_settings();
  settings.webhook.batch_max_events = 5;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request&) { return slow(300ms); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  bool was_full = false;
  for (int i = 0; i < 4000 && !was_full; ++i) {
    was_full = fixture.push("delivery", 10, kPadding) == ErrorCode::QueueFull;
    fixture.run_for(1ms);
    REQUIRE(fixture.counters("w").waiting_memory_bytes.get() <= kMiB);
  }
  CHECK(was_full);
  CHECK(fixture.reports(ReportKind::Dropped).empty());
}

TEST_CASE("A slow webhook over its quota loses batches while another one keeps up",
          "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  fixture.answer = [](const transport::Request& request) {
    return request.url == kSlow ? slow(5s) : status(200);
  };
  REQUIRE(fixture.engine.put("slow", spec_of(kSlow)));
  REQUIRE(fixture.engine.put("fast", spec_of(kFast)));
  for (int i = 0; i < 4000; ++i) {
    REQUIRE(fixture.push("delivery", 10, kPadding) == ErrorCode::Ok);
    fixture.run_for(1ms);
    REQUIRE(fixture.counters("slow").waiting_memory_bytes.get() <= kMiB + 256 * kKiB);
  }
  CHECK(dropped_events(fixture, "slow") > 0);
  CHECK(dropped_events(fixture, "fast") == 0);
  fixture.run_for(30s);
  CHECK(fixture.counters("fast").events_delivered.get() == fixture.pushed_count);
}

TEST_CASE("If all are merely slower than the host nobody loses anything", "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  fixture.answer = [](const transport::Request&) { return slow(5s); };
  REQUIRE(fixture.engine.put("one", spec_of(kSlow, {"delivery"})));
  REQUIRE(fixture.engine.put("two", spec_of(kFast, {"delivery"})));
  // One that wants nothing of this keeps up, but that says nothing.
  REQUIRE(fixture.engine.put("other", spec_of(kTarget, {"bounce"})));
  bool was_full = false;
  for (int i = 0; i < 4000 && !was_full; ++i) {
    was_full = fixture.push("delivery", 10, kPadding) == ErrorCode::QueueFull;
    fixture.run_for(1ms);
  }
  CHECK(was_full);
  CHECK(fixture.reports(ReportKind::Dropped).empty());
}

TEST_CASE("With every endpoint dead push goes on and memory stays within its limits",
          "[engine][delivery]") {
  core::EngineSettings settings = small_settings();
  settings.webhook.max_waiting_bytes = 24 * kMiB;
  settings.waiting_max_bytes = 80 * kMiB;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request&) { return fault(SimFault::ConnectHangs); };
  for (int i = 0; i < 3; ++i) REQUIRE(fixture.engine.put("w" + std::to_string(i), spec_of()));
  // Eight times the intake.
  for (int i = 0; i < 12'800; ++i) {
    REQUIRE(fixture.push("delivery", 10, kPadding) == ErrorCode::Ok);
    fixture.run_for(2ms);
    REQUIRE(fixture.engine.intake().used_bytes() <= 16 * kMiB);
    REQUIRE(fixture.engine.counters().waiting_memory_bytes.get() <= 80 * kMiB);
  }
  fixture.run_for(1s);
  for (int i = 0; i < 3; ++i) {
    const std::string id = "w" + std::to_string(i);
    const metrics::WebhookCounters& counters = fixture.counters(id);
    CHECK(counters.events_routed.get() == fixture.pushed_count);
    CHECK(counters.events_routed.get() ==
          dropped_events(fixture, id) + counters.waiting_events.get() + counters.open_events.get());
  }
}

TEST_CASE("A half-full intake takes the memory of an upload away, not its bytes",
          "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  fixture.answer = [](const transport::Request& request) {
    SimAnswer answer;
    if (request.url != kSlow) return answer;
    answer.upload = 20s;
    answer.pieces_count = 200;
    answer.rewinds = true;
    return answer;
  };
  REQUIRE(fixture.engine.put("slow", spec_of(kSlow, {"bounce"})));
  REQUIRE(fixture.engine.put("fast", spec_of(kFast, {"delivery"})));
  fixture.push("bounce", 100, kPadding);
  fixture.run_for(20ms);
  CHECK(fixture.counters("slow").waiting_memory_bytes.get() == 0);
  for (int i = 0; i < 1500; ++i) {
    REQUIRE(fixture.push("delivery", 10, kPadding) == ErrorCode::Ok);
    fixture.run_for(5ms);
  }
  // The intake fills behind one that holds on to its segments.
  REQUIRE(fixture.engine.set_paused("fast", true));
  for (int i = 0; i < 1500; ++i) {
    fixture.push("delivery", 10, kPadding);
    fixture.run_for(1ms);
  }
  fixture.run_for(30s);
  for (const SimExchange& exchange : fixture.ended) {
    if (exchange.request.url != kSlow) continue;
    CHECK(exchange.body == DeliveryFixture::body(0, 100, kPadding));
    CHECK_FALSE(exchange.has_changed_body);
  }
  CHECK(fixture.reports(ReportKind::Delivered).size() > 1);
}

TEST_CASE("A removed webhook is forgotten when its last batch is dropped for another's sake",
          "[engine][delivery]") {
  core::EngineSettings settings = small_settings();
  settings.webhook.batch_max_events = 120;
  settings.waiting_max_bytes = kMiB;
  DeliveryFixture fixture(settings);
  fixture.answer = [](const transport::Request&) { return status(503); };
  core::WebhookSpec spec = spec_of(kTarget, {"bounce"});
  spec.overrides["batch.max_events"] = "240";
  REQUIRE(fixture.engine.put("removed", spec));
  for (int i = 0; i < 8; ++i) {
    REQUIRE(fixture.engine.put("w" + std::to_string(i), spec_of(kTarget, {"delivery"})));
  }
  const uint64_t generation = fixture.engine.registry().find("removed")->generation;
  fixture.push("bounce", 240, kPadding);
  fixture.run_for(20ms);
  REQUIRE(fixture.engine.remove("removed", false));
  fixture.step();
  CHECK(fixture.engine.counters_of(generation) != nullptr);
  // One batch for each of eight: no one of them has as much, but together it is too much.
  fixture.push("delivery", 120, kPadding);
  fixture.run_for(20ms);
  CHECK(dropped_events(fixture, "removed") == 240);
  CHECK(fixture.engine.counters_of(generation) == nullptr);
}

TEST_CASE("A higher limit of memory holds at once, a lower one with the next batch",
          "[engine][delivery]") {
  DeliveryFixture fixture(small_settings());
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 100, kPadding);
  fixture.run_for(20ms);
  core::WebhookSpec change;
  change.overrides["webhook.max_waiting_bytes"] = "2MiB";
  REQUIRE(fixture.engine.update("w", change));
  fixture.push("delivery", 1900, kPadding);
  fixture.run_for(20ms);
  CHECK(fixture.counters("w").waiting_batches.get() == 20);
  change.overrides["webhook.max_waiting_bytes"] = "1MiB";
  REQUIRE(fixture.engine.update("w", change));
  fixture.run_for(20ms);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() <= kMiB);
  CHECK(dropped_events(fixture, "w") > 0);
}

TEST_CASE("A small batch is copied out when it is sealed, a larger one is not",
          "[engine][delivery]") {
  for (const size_t count : {15u, 17u}) {
    DeliveryFixture fixture(small_settings());
    fixture.answer = [](const transport::Request&) { return slow(1s); };
    REQUIRE(fixture.engine.put("w", spec_of()));
    fixture.push("delivery", count, kPadding);
    fixture.flush();
    CHECK(fixture.counters("w").waiting_memory_bytes.get() ==
          (count == 15 ? records_size(0, count) : 0));
  }
}
