// Poison isolation and learned limits, from pushed events to what receivers get (design 2a).
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::DropReason;
using engine::ReportKind;

namespace {

std::string text_of(const transport::Request& request) {
  std::string text(request.body->size_bytes(), '\0');
  text.resize(request.body->read(0, text.data(), text.size()));
  return text;
}

// The numbers of the events of a body; it must be a whole array of them.
std::vector<size_t> numbers_of(const std::string& body) {
  REQUIRE(body.size() > 2);
  CHECK(body.front() == '[');
  CHECK(body.substr(body.size() - 2) == "}]");
  std::vector<size_t> numbers;
  for (size_t at = body.find("{\"n\":"); at != std::string::npos;
       at = body.find("{\"n\":", at + 1)) {
    numbers.push_back(std::stoul(body.substr(at + 5, 10)));
  }
  return numbers;
}

// A receiver that refuses every body with a bad event in it, and counts what it takes.
struct Receiver {
  std::function<bool(size_t)> is_bad;
  int32_t refusal = 400;
  std::map<size_t, size_t> taken = {};  // how often, by number
  std::map<std::string, std::string> bodies = {};
  size_t requests_count = 0;

  SimAnswer operator()(const transport::Request& request) {
    ++requests_count;
    const std::string body = text_of(request);
    for (const transport::HeaderField& header : request.headers) {
      if (header.name != "X-MessageSystems-Batch-ID") continue;
      const auto [place, is_new] = bodies.emplace(header.value, body);
      CHECK((is_new || place->second == body));
    }
    const std::vector<size_t> numbers = numbers_of(body);
    if (std::any_of(numbers.begin(), numbers.end(), is_bad)) return status(refusal);
    for (const size_t number : numbers) ++taken[number];
    return status(200);
  }
};

}  // namespace

TEST_CASE(
    "Of 3 bad events among 10,000 the other 9,997 are delivered once and the 3 are reported, "
    "within the bound of requests",
    "[engine][delivery]") {
  for (const int32_t refusal : {400, 500, 422}) {
    DeliveryFixture fixture;
    const std::set<size_t> bad = {17, 4242, 9001};
    Receiver receiver{[&](size_t number) { return bad.count(number) > 0; }, refusal};
    fixture.answer = [&](const transport::Request& request) { return receiver(request); };
    REQUIRE(fixture.engine.put("w", spec_of()));
    REQUIRE(fixture.push("delivery", 10'000) == core::ErrorCode::Ok);
    fixture.run_for(3min);
    CHECK(receiver.taken.size() == 9997);
    for (const auto& [number, count] : receiver.taken) CHECK(count == 1);
    // Three times whole, then two requests a level for each, 14 levels; and the retries of those
    // that were found, which have backed off since.
    CHECK(receiver.requests_count <= 3 + 2 * 3 * 14 + 30);
    fixture.run_for(4h);
    const auto drops = fixture.reports(ReportKind::Dropped);
    uint64_t dropped = 0;
    for (const auto& drop : drops) {
      CHECK(drop.reason == DropReason::Expired);
      dropped += drop.events_count;
    }
    CHECK(dropped == 3);
    CHECK(fixture.counters("w").events_delivered.get() == 9997);
    CHECK(fixture.counters("w").waiting_batches.get() == 0);
    CHECK(fixture.counters("w").waiting_memory_bytes.get() == 0);
  }
}

TEST_CASE("With one bad event in every batch everything else arrives", "[engine][delivery]") {
  for (const int32_t refusal : {400, 500}) {
    core::EngineSettings settings = exact_settings();
    settings.webhook.batch_max_events = 500;
    DeliveryFixture fixture(settings);
    Receiver receiver{[](size_t number) { return number % 500 == 123; }, refusal};
    fixture.answer = [&](const transport::Request& request) { return receiver(request); };
    REQUIRE(fixture.engine.put("w", spec_of()));
    constexpr size_t kBatches = 20;
    for (size_t i = 0; i < kBatches; ++i) {
      REQUIRE(fixture.push("delivery", 500) == core::ErrorCode::Ok);
      fixture.run_for(10s);
    }
    fixture.run_for(30min);
    CHECK(receiver.taken.size() == kBatches * 499);
    for (const auto& [number, count] : receiver.taken) CHECK(count == 1);
    CHECK(fixture.counters("w").waiting_events.get() == kBatches);
  }
}

TEST_CASE("A quiet webhook with one lone poisoned batch gets the rest of it",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  Receiver receiver{[](size_t number) { return number == 3; }};
  fixture.answer = [&](const transport::Request& request) { return receiver(request); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 9);
  fixture.run_for(2min);
  CHECK(receiver.taken.size() == 8);
}

TEST_CASE("Parts have ids of their own that are the same whenever they are made",
          "[engine][delivery]") {
  std::set<std::string> ids[2];
  for (auto& run : ids) {
    DeliveryFixture fixture;
    Receiver receiver{[](size_t number) { return number == 3; }};
    fixture.answer = [&](const transport::Request& request) { return receiver(request); };
    REQUIRE(fixture.engine.put("w", spec_of()));
    fixture.push("delivery", 9);
    fixture.run_for(2min);
    for (const auto& [id, body] : receiver.bodies) run.insert(id);
    CHECK(run.size() > 4);
  }
  CHECK(ids[0] == ids[1]);
}

TEST_CASE("Parts are charged and counted as what they were part of", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(400); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 100, 1000);
  fixture.run_for(1h);
  CHECK(fixture.counters("w").waiting_events.get() == 100);
  CHECK(fixture.counters("w").waiting_batches.get() > 2);
  CHECK(fixture.counters("w").batches_split.get() + 1 ==
        fixture.counters("w").waiting_batches.get());
  uint64_t records_bytes = 0;
  for (const auto& [sequence, batch] : fixture.engine.delivery().scheduler().batches()) {
    records_bytes += batch->body.records_bytes();
  }
  CHECK(fixture.counters("w").waiting_memory_bytes.get() == records_bytes);
  CHECK(records_bytes == DeliveryFixture::body(0, 100, 1000).size() - 1);
  fixture.run_for(4h);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() == 0);
  CHECK(fixture.counters("w").events_dropped_expired.get() == 100);
}

TEST_CASE("An hour of full batches to a receiver that takes 1 MiB settles without a 413",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  std::vector<int32_t> answers;
  size_t events_taken = 0;
  fixture.answer = [&](const transport::Request& request) {
    const bool is_large = request.body->size_bytes() > (1u << 20);
    answers.push_back(is_large ? 413 : 200);
    if (!is_large) events_taken += numbers_of(text_of(request)).size();
    return status(answers.back());
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  size_t settled_at = 0;
  for (int i = 0; i < 60; ++i) {
    REQUIRE(fixture.push("delivery", 10'000, 490) == core::ErrorCode::Ok);
    fixture.run_for(1min);
    if (i == 0) settled_at = answers.size();
  }
  CHECK(events_taken == 600'000);
  CHECK(std::count(answers.begin(), answers.end(), 413) == 3);
  CHECK(answers.size() - settled_at >= 300);
  CHECK(std::count(answers.begin() + static_cast<std::ptrdiff_t>(settled_at), answers.end(), 413) ==
        0);
  // The first batch and its parts; what is sealed later is within the limit.
  CHECK(fixture.counters("w").batches_split.get() == 7);
  const auto limits = fixture.reports(ReportKind::Limit);
  REQUIRE(limits.size() == 3);
  CHECK(limits.back().events_count == fixture.counters("w").learned_events_max.get());
  CHECK(limits.back().bytes == fixture.counters("w").learned_bytes_max.get());
  CHECK(limits.back().bytes <= (1u << 20));
}

TEST_CASE("A receiver that needs 1 ms an event settles into a steady state", "[engine][delivery]") {
  DeliveryFixture fixture;
  size_t slow_count = 0;
  fixture.answer = [&](const transport::Request& request) {
    SimAnswer answer;
    answer.response = 1ms * static_cast<int64_t>(numbers_of(text_of(request)).size());
    if (answer.response >= 6s) ++slow_count;
    return answer;
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  for (int i = 0; i < 20; ++i) {
    REQUIRE(fixture.push("delivery", 10'000) == core::ErrorCode::Ok);
    fixture.run_for(1min);
  }
  CHECK(slow_count == 3);
  CHECK(fixture.counters("w").events_delivered.get() == 200'000);
  CHECK(fixture.counters("w").learned_events_max.get() == 5000);
}

TEST_CASE("A learned limit is forgotten when the webhook is edited, and that is reported",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  bool refuses = true;
  fixture.answer = [&](const transport::Request& request) {
    return status(refuses && request.body->size_bytes() > 3000 ? 413 : 200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 100, 40);
  fixture.run_for(1min);
  CHECK(fixture.counters("w").learned_events_max.get() == 50);
  refuses = false;
  REQUIRE(fixture.engine.set_paused("w", true));
  REQUIRE(fixture.engine.set_paused("w", false));
  fixture.step();
  CHECK(fixture.counters("w").learned_events_max.get() == 50);
  core::WebhookSpec change;
  change.name = "other";
  REQUIRE(fixture.engine.update("w", change));
  fixture.step();
  CHECK(fixture.counters("w").learned_events_max.get() == 0);
  CHECK(fixture.reports(ReportKind::Limit).back().events_count == 0);
  const size_t before = fixture.ended.size();
  fixture.push("delivery", 100, 40);
  fixture.run_for(1min);
  CHECK(fixture.ended.size() == before + 1);
}

TEST_CASE("One event alone that is answered by 413 ends at once with its own reason",
          "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request& request) {
    return status(request.body->size_bytes() > 1000 ? 413 : 200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 3);
  fixture.push("delivery", 1, 2000);
  fixture.push("delivery", 3);
  fixture.run_for(1min);
  const auto drops = fixture.reports(ReportKind::Dropped);
  REQUIRE(drops.size() == 1);
  CHECK(drops[0].reason == DropReason::Refused);
  CHECK(drops[0].events_count == 1);
  CHECK(drops[0].reached == transport::Reached::Maybe);
  CHECK(fixture.counters("w").events_dropped_refused.get() == 1);
  CHECK(fixture.counters("w").events_delivered.get() == 6);
  CHECK(fixture.counters("w").waiting_batches.get() == 0);
}

TEST_CASE("A body that is no array of objects stays whole", "[engine][delivery]") {
  DeliveryFixture fixture;
  fixture.answer = [](const transport::Request&) { return status(400); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  const core::EventTypeId type = fixture.engine.catalogue().find("delivery").id;
  REQUIRE(fixture.engine.push(type, "{\"never ends,") == core::ErrorCode::Ok);
  REQUIRE(fixture.engine.push(type, "{},") == core::ErrorCode::Ok);
  fixture.run_for(1h);
  CHECK(fixture.counters("w").waiting_batches.get() == 1);
  CHECK(fixture.counters("w").waiting_events.get() == 2);
  CHECK(fixture.ended.size() > 10);
}
