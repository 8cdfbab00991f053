// The named scenarios of the product's promises, in virtual time, with every key at its default
// unless a test says otherwise.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/conf.h"
#include "support/sim_engine.h"
#include "support/sim_records.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

struct Attempt {
  core::Instant begun;
  std::string batch_id;
  std::string body;
};

// Purpose: an engine with what it sent. Threads: one.
class Scenario final : public SimObserver {
 public:
  explicit Scenario(const core::EngineSettings& settings = {}) : engine(settings, 1, this) {}

  void on_begin(const SimExchange& exchange) override {
    ++begun_count;
    if (!keeps) return;
    attempts.push_back({exchange.begun, exchange.request.headers[2].value, {}});
  }
  void on_end(const SimExchange& exchange) override {
    if (keeps) attempts.back().body = exchange.body;
  }
  void on_drop(const SimDrop& drop) override {
    drops.push_back(drop);
    last_drop = engine.clock().now();
  }

  core::WebhookSpec spec(int number = 0) const {
    core::WebhookSpec spec;
    spec.target = "http://127.0.0.1:8080/" + std::to_string(number);
    spec.events = std::vector<std::string>{"*"};
    return spec;
  }
  core::ErrorCode push(uint32_t size_bytes = 500) {
    std::string record;
    append_sim_record(engine.catalogue(), type_, pushed_count++, size_bytes, record);
    return engine.push(type_, record);
  }
  // Answers everything in this way.
  void answer(SimAnswer answer) {
    engine.transport().set_script([answer](const transport::Request&) { return answer; });
  }
  core::Duration since_start(core::Instant time) const { return time - SimClock::kStart; }
  metrics::WebhookCounters& counters(const std::string& id) const {
    return *engine.counters_of(engine.registry().find(id)->generation);
  }
  std::vector<engine::Report> poll() {
    std::vector<engine::Report> reports;
    while (auto report = engine.reports().poll(core::Duration::zero())) {
      reports.push_back(std::move(*report));
    }
    return reports;
  }

  SimEngine engine;
  std::vector<Attempt> attempts;
  std::vector<SimDrop> drops;
  core::Instant last_drop{};
  uint64_t begun_count = 0;
  uint64_t pushed_count = 0;
  bool keeps = true;

 private:
  core::EventTypeId type_ = engine.catalogue().find("delivery").id;
};

SimAnswer status(int32_t code) {
  SimAnswer answer;
  answer.status = code;
  return answer;
}

SimAnswer failing(SimFault fault) {
  SimAnswer answer;
  answer.fault = fault;
  return answer;
}

// Events of a webhook, wherever they are by now.
uint64_t accounted(const metrics::WebhookCounters& counters) {
  return counters.events_delivered.get() + counters.events_dropped_quota.get() +
         counters.events_dropped_expired.get() + counters.events_dropped_closed.get() +
         counters.waiting_events.get() + counters.open_events.get();
}

}  // namespace

TEST_CASE("Under load every batch has exactly 10,000 events", "[simulation][scenario]") {
  Scenario scenario;
  scenario.keeps = false;
  std::vector<uint32_t> counts;
  scenario.engine.transport().set_script([](const transport::Request&) {
    SimAnswer answer;
    answer.response = 50ms;
    return answer;
  });
  REQUIRE(scenario.engine.put("w", scenario.spec()));
  for (int i = 0; i < 10'000; ++i) {
    for (int j = 0; j < 20; ++j) REQUIRE(scenario.push() == core::ErrorCode::Ok);
    scenario.engine.run_for(1ms);
  }
  scenario.engine.run_for(1s);
  CHECK(scenario.counters("w").batches_delivered.get() == 20);
  CHECK(scenario.counters("w").events_delivered.get() == 200'000);
  const auto records = scenario.engine.store().batch_status("w", 100, spool::StatusFilter::All,
                                                            scenario.engine.clock().wall_now());
  REQUIRE(records.size() == 20);
  for (const spool::AttemptRecord& record : records) CHECK(record.events_count == 10'000);
}

TEST_CASE("A lone event is not sent at 29.999 s and is at 30 s", "[simulation][scenario]") {
  Scenario scenario;
  REQUIRE(scenario.engine.put("w", scenario.spec()));
  REQUIRE(scenario.push() == core::ErrorCode::Ok);
  scenario.engine.run_for(29'999ms);
  CHECK(scenario.attempts.empty());
  scenario.engine.run_for(1ms);
  REQUIRE(scenario.attempts.size() == 1);
  CHECK(scenario.since_start(scenario.attempts[0].begun) == 30s);
}

TEST_CASE("Events before the activation at 60 s are not sent, those after it are",
          "[simulation][scenario]") {
  Scenario scenario;
  REQUIRE(scenario.engine.create("w", scenario.spec()));
  scenario.push();
  scenario.engine.run_for(59'999ms);
  scenario.push();
  scenario.engine.run_for(1ms);
  const uint64_t first_taken = scenario.pushed_count;
  scenario.push();
  scenario.engine.run_for(30s);
  REQUIRE(scenario.attempts.size() == 1);
  std::string expected = "[";
  append_sim_record(scenario.engine.catalogue(), scenario.engine.catalogue().find("delivery").id,
                    first_taken, 500, expected);
  expected.back() = ']';
  CHECK(scenario.attempts[0].body == expected);
}

TEST_CASE("An event pushed before the activation is not taken by a step that comes after it",
          "[simulation][scenario]") {
  Scenario scenario;
  scenario.engine.step();
  REQUIRE(scenario.engine.create("w", scenario.spec()));
  scenario.push();
  // The delivery thread gets no time for a minute.
  scenario.engine.clock().advance(61s);
  scenario.push();
  scenario.engine.run_for(30s);
  REQUIRE(scenario.attempts.size() == 1);
  CHECK(scenario.attempts[0].body.size() == 501);
}

TEST_CASE("What cannot be delivered is deleted and reported once, 4 h after its first failure",
          "[simulation][scenario]") {
  Scenario scenario;
  SECTION("503") {
    scenario.answer(status(503));
  }
  SECTION("a refused connection") {
    scenario.answer(failing(SimFault::Refused));
  }
  REQUIRE(scenario.engine.put("w", scenario.spec()));
  scenario.push();
  scenario.engine.run_for(30s + 4h - 1ms);
  CHECK(scenario.drops.empty());
  scenario.engine.run_for(1ms);
  REQUIRE(scenario.drops.size() == 1);
  CHECK(scenario.since_start(scenario.last_drop) == 30s + 4h);
  scenario.engine.run_for(24h);
  for (const Attempt& attempt : scenario.attempts) {
    CHECK(scenario.since_start(attempt.begun) < 30s + 4h);
    CHECK(attempt.batch_id == scenario.attempts[0].batch_id);
    CHECK(attempt.body == scenario.attempts[0].body);
  }
  // Five minutes at most, half of that at least, once the delays have grown.
  CHECK(scenario.attempts.size() > 48);
  CHECK(scenario.attempts.size() < 110);
  size_t dropped_count = 0;
  for (const engine::Report& report : scenario.poll()) {
    if (report.kind != engine::ReportKind::Dropped) continue;
    ++dropped_count;
    CHECK(report.reason == engine::DropReason::Expired);
    CHECK(report.events_count == 1);
    CHECK(report.count == 1);
  }
  CHECK(dropped_count == 1);
  CHECK(scenario.counters("w").events_dropped_expired.get() == 1);
}

TEST_CASE("The retry ladder momentum tries at minutes 0, 1, 6, 36, 96, 156 and 216",
          "[simulation][scenario]") {
  config::Conf conf;
  REQUIRE(conf.set("retry.schedule", "momentum"));
  Scenario scenario(*conf.finalize());
  scenario.answer(status(503));
  REQUIRE(scenario.engine.put("w", scenario.spec()));
  scenario.push();
  scenario.engine.run_for(6h);
  std::vector<int64_t> minutes;
  for (const Attempt& attempt : scenario.attempts) {
    const core::Duration since_first = attempt.begun - scenario.attempts[0].begun;
    CHECK(since_first % 1min == 0s);
    minutes.push_back(since_first / 1min);
  }
  CHECK(minutes == std::vector<int64_t>{0, 1, 6, 36, 96, 156, 216});
  CHECK(scenario.last_drop - scenario.attempts[0].begun == 4h);
}

TEST_CASE("A million batches with nobody polling take flat memory and are counted exactly",
          "[simulation][scenario]") {
  constexpr int kWebhooks = 50;
  constexpr uint64_t kBatches = 20'000;
  config::Conf conf;
  REQUIRE(conf.set("batch.max_events", "1"));
  const core::EngineSettings settings = *conf.finalize();
  Scenario scenario(settings);
  scenario.keeps = false;
  for (int i = 0; i < kWebhooks; ++i) {
    REQUIRE(scenario.engine.put("w" + std::to_string(i), scenario.spec(i)));
  }
  for (uint64_t i = 0; i < kBatches; ++i) {
    REQUIRE(scenario.push(100) == core::ErrorCode::Ok);
    scenario.engine.run_for(1ms);
    if (i % 1000 != 0) continue;
    CHECK(scenario.engine.reports().used_bytes() <= settings.report_max_bytes);
    CHECK(scenario.engine.store().used_bytes() <= settings.attempts_max_bytes);
    CHECK(scenario.engine.counters().waiting_memory_bytes.get() <= settings.waiting_max_bytes);
    CHECK(scenario.engine.delivery().scheduler().batches().size() <= kWebhooks);
  }
  scenario.engine.run_for(1s);
  for (int i = 0; i < kWebhooks; ++i) {
    const metrics::WebhookCounters& counters = scenario.counters("w" + std::to_string(i));
    CHECK(counters.batches_delivered.get() == kBatches);
    CHECK(counters.events_delivered.get() == kBatches);
  }
  uint64_t reported_count = 0;
  for (const engine::Report& report : scenario.poll()) {
    if (report.kind == engine::ReportKind::Delivered) ++reported_count;
    if (report.kind == engine::ReportKind::Overflow) reported_count += report.count;
  }
  CHECK(reported_count == kWebhooks * kBatches);
}

TEST_CASE("With every endpoint hanging the host goes on and memory stays under its limits",
          "[simulation][scenario]") {
  constexpr uint32_t kEventSize = 500;
  config::Conf conf;
  REQUIRE(conf.set("intake.max_bytes", "32MiB"));
  const core::EngineSettings settings = *conf.finalize();
  Scenario scenario(settings);
  scenario.keeps = false;
  scenario.answer(failing(SimFault::AnswerHangs));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(scenario.engine.put("w" + std::to_string(i), scenario.spec(i)));
  }
  const uint64_t wanted = 8 * settings.intake_max_bytes / kEventSize;
  uint64_t accepted = 0;
  for (uint64_t i = 0; i < wanted; ++i) {
    if (scenario.push(kEventSize) == core::ErrorCode::Ok) ++accepted;
    if (i % 20 != 19) continue;
    scenario.engine.run_for(1ms);
    if (scenario.engine.intake().used_bytes() > settings.intake_max_bytes ||
        scenario.engine.counters().waiting_memory_bytes.get() > settings.waiting_max_bytes) {
      FAIL("memory is over its limits");
    }
  }
  INFO(accepted << " of " << wanted);
  CHECK(accepted * 1000 >= wanted * 999);
  scenario.engine.run_for(1min);
  for (int i = 0; i < 3; ++i) {
    const metrics::WebhookCounters& counters = scenario.counters("w" + std::to_string(i));
    CHECK(counters.waiting_memory_bytes.get() <= settings.webhook.max_waiting_bytes);
    CHECK(accounted(counters) == accepted);
    CHECK(counters.events_routed.get() == accepted);
  }
  uint64_t reported_count = 0;
  for (const engine::Report& report : scenario.poll()) {
    if (report.kind == engine::ReportKind::Dropped) reported_count += report.events_count;
  }
  uint64_t dropped_count = 0;
  for (int i = 0; i < 3; ++i) {
    dropped_count += scenario.counters("w" + std::to_string(i)).events_dropped_quota.get();
  }
  CHECK(reported_count == dropped_count);
}

TEST_CASE("A webhook that is merely slow fills the intake and loses nothing",
          "[simulation][scenario]") {
  config::Conf conf;
  REQUIRE(conf.set("intake.max_bytes", "8MiB"));
  REQUIRE(conf.set("batch.max_events", "10"));
  REQUIRE(conf.set("event.max_bytes", "16KiB"));
  REQUIRE(conf.set("batch.max_bytes", "256KiB"));
  REQUIRE(conf.set("webhook.max_waiting_bytes", "1MiB"));
  const core::EngineSettings settings = *conf.finalize();
  Scenario scenario(settings);
  scenario.keeps = false;
  SimAnswer slow;
  slow.response = 20ms;
  scenario.answer(slow);
  REQUIRE(scenario.engine.put("w", scenario.spec()));
  uint64_t accepted = 0;
  for (int i = 0; i < 2'000; ++i) {
    for (int j = 0; j < 20; ++j) accepted += scenario.push() == core::ErrorCode::Ok ? 1u : 0u;
    scenario.engine.run_for(1ms);
    CHECK(scenario.counters("w").waiting_memory_bytes.get() <= settings.webhook.max_waiting_bytes);
    CHECK(scenario.engine.intake().used_bytes() <= settings.intake_max_bytes);
  }
  CHECK(accepted < 40'000);
  scenario.engine.run_for(1h);
  CHECK(scenario.counters("w").events_delivered.get() == accepted);
  CHECK(scenario.drops.empty());
}

namespace {

// When each batch of the healthy webhooks began, by webhook, beside what `others` registers.
std::map<std::string, std::vector<core::Duration>> times_beside(
    const std::function<void(Scenario&)>& others) {
  core::EngineSettings settings;
  settings.webhook.batch_max_events = 10;
  settings.random_seed = 7;
  Scenario scenario(settings);
  std::map<std::string, std::vector<core::Duration>> times;
  scenario.engine.transport().set_script([&](const transport::Request& request) {
    SimAnswer answer;
    if (request.url.find("/healthy") == std::string::npos) {
      answer.fault = SimFault::AnswerHangs;
      return answer;
    }
    answer.response = 30ms;
    times[request.url].push_back(scenario.since_start(scenario.engine.clock().now()));
    return answer;
  });
  others(scenario);
  for (int i = 0; i < 99; ++i) {
    core::WebhookSpec spec = scenario.spec();
    spec.target = "http://127.0.0.1:8080/healthy" + std::to_string(i);
    spec.events = std::vector<std::string>{"delivery"};
    REQUIRE(scenario.engine.put("healthy" + std::to_string(i), spec));
  }
  scenario.keeps = false;
  for (int second = 0; second < 600; ++second) {
    for (int i = 0; i < 7; ++i) REQUIRE(scenario.push() == core::ErrorCode::Ok);
    scenario.engine.run_for(1s);
    while (scenario.engine.reports().poll(core::Duration::zero())) continue;
  }
  return times;
}

}  // namespace

TEST_CASE("A dead endpoint and one with a long queue change no delivery time of 99 healthy ones",
          "[simulation][scenario]") {
  const auto alone = times_beside([](Scenario&) {});
  const auto beside = times_beside([](Scenario& scenario) {
    core::WebhookSpec dead = scenario.spec(1);
    REQUIRE(scenario.engine.put("dead", dead));
    // What it does not get out at once waits: one event a second goes, seven come.
    core::WebhookSpec slow = scenario.spec(2);
    slow.target = "http://127.0.0.1:8080/healthy-but-limited";
    slow.overrides["rate.events"] = "1";
    REQUIRE(scenario.engine.put("limited", slow));
  });
  REQUIRE(alone.size() == 99);
  for (const auto& [url, times] : alone) {
    CHECK(times.size() >= 419);
    CHECK(beside.at(url) == times);
  }
}

namespace {

struct Correction {
  const char* key;  // "": the webhook's auth_token
  const char* header;
  const char* wrong;
  const char* right;
  const char* right_value;  // of the header
};

void set_secret(core::WebhookSpec& spec, const Correction& correction, const char* secret) {
  if (correction.key[0] == '\0') {
    spec.auth_token = secret;
  } else {
    spec.overrides[correction.key] = secret;
  }
}

bool has_header(const transport::Request& request, const std::string& name,
                const std::string& value) {
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    return header.name == name && header.value == value;
  });
}

}  // namespace

TEST_CASE(
    "A credential that is wrong for ten minutes and then corrected drains within one round trip",
    "[simulation][scenario]") {
  constexpr core::Duration kRoundTrip = 80ms;
  const Correction correction = GENERATE(
      Correction{"", "X-MessageSystems-Webhook-Token", "wrong", "right", "right"},
      Correction{"auth.bearer", "Authorization", "wrong", "right", "Bearer right"},
      Correction{"auth.password", "Authorization", "wrong", "right", "Basic dXNlcjpyaWdodA=="});
  const std::string in_flight = GENERATE("1", "256");
  CAPTURE(correction.key, in_flight);
  Scenario scenario;
  std::vector<std::string> delivered;
  scenario.engine.transport().set_script([&](const transport::Request& request) {
    const bool is_right = has_header(request, correction.header, correction.right_value);
    SimAnswer answer = status(is_right ? 200 : 401);
    answer.response = kRoundTrip;
    if (is_right) delivered.push_back(request.headers[2].value);
    return answer;
  });
  core::WebhookSpec spec = scenario.spec();
  spec.overrides["request.max_in_flight"] = in_flight;
  spec.overrides["auth.user"] = "user";
  if (std::string(correction.header) == "Authorization") {
    spec.overrides["auth.type"] =
        std::string(correction.key).substr(5) == "bearer" ? "bearer" : "basic";
  }
  set_secret(spec, correction, correction.wrong);
  REQUIRE(scenario.engine.put("w", spec));
  // A batch every 30 s; the last one is sealed when the ten minutes are over.
  for (int second = 0; second < 600; ++second) {
    REQUIRE(scenario.push() == core::ErrorCode::Ok);
    scenario.engine.run_for(1s);
  }
  scenario.engine.flush([](const engine::Outcome&) {});
  scenario.engine.run_for(1s);
  const uint64_t waiting = scenario.counters("w").waiting_batches.get();
  REQUIRE(waiting >= 19);
  CHECK(delivered.empty());
  CHECK(scenario.begun_count >= 6);  // backoff went on all the time

  scenario.attempts.clear();
  const core::Instant corrected = scenario.engine.clock().now();
  core::WebhookSpec change;
  set_secret(change, correction, correction.right);
  REQUIRE(scenario.engine.update("w", change));
  scenario.engine.run_for(10s);
  CHECK(scenario.counters("w").events_delivered.get() == 600);
  CHECK(scenario.drops.empty());
  REQUIRE(scenario.attempts.size() == waiting);
  // The probe goes at once; with its answer the rest goes, in order, and waits for nothing but its
  // turn.
  for (uint64_t i = 0; i < waiting; ++i) {
    const auto turn = in_flight == "1" ? static_cast<int64_t>(i) : i == 0 ? 0 : 1;
    CHECK(scenario.attempts[i].begun == corrected + kRoundTrip * turn);
  }
}
