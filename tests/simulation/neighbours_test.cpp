// Healthy webhooks beside bad ones in durable mode: what one webhook with a long queue in the spool
// and one whose endpoint is dead do to the delivery times of 99 others, in virtual time. A disk
// step takes none of it, so what is compared is what the engine itself makes one webhook wait for
// another: turns, connections, syncs and quotas.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/conf.h"
#include "simulation/batch_text.h"
#include "simulation/chance.h"
#include "support/sim_records.h"
#include "support/sim_spool_engine.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

constexpr int kHealthy = 99;
constexpr uint32_t kEventBytes = 500;
constexpr std::string_view kHost = "http://far.example/";

// One attempt of a healthy webhook, from when it began to its end, and what it carried.
struct Attempt {
  core::Duration begun{};
  core::Duration ended{};
  int32_t status = 0;
  std::vector<uint64_t> numbers;

  bool operator==(const Attempt&) const = default;
};

core::EngineSettings spool_settings() {
  config::Conf conf;
  REQUIRE(conf.set("spool.dir", "spool"));
  auto settings = conf.finalize();
  REQUIRE((settings ? "" : settings.error().message) == "");
  return *settings;
}

// Purpose: one run: 99 healthy webhooks, with or without two bad ones beside them. The host does
// the same at the same time in both. Ownership: owns everything of it. Threads: one. Invariants:
// times are since the first start, by a clock that goes on over restarts.
class Neighbours final : public SimObserver {
 public:
  // `down`: what the endpoint of the one with the queue answers until it is back.
  Neighbours(bool has_bad_ones, const SimAnswer& down) : has_bad_ones_(has_bad_ones), down_(down) {
    start();
  }

  void on_end(const SimExchange& exchange) override {
    const std::string name = exchange.request.url.substr(kHost.size());
    const int32_t status = exchange.is_cancelled ? -1 : exchange.completion.status;
    if (name == "waiting" && status == 200) {
      for (const uint64_t number : simulation::numbers_in(exchange.body)) {
        if (number >= drained.size()) drained.resize(number + 1);
        ++drained[number];
      }
    }
    if (!name.starts_with("healthy")) return;
    attempts[name].push_back({since_start(exchange.begun), since_start(exchange.ends), status,
                              simulation::numbers_in(exchange.body)});
  }

  // The one has a queue, and is back at the end; the other is dead all the time.
  void put_bad_ones() {
    if (!has_bad_ones_) return;
    put("waiting", {"bounce", "delivery"},
        {{"request.max_in_flight", "16"}, {"batch.max_events", "1000"}, {"retry.max", "10s"}});
    put("dead", {"delivery"}, {});
  }
  // Batches are sealed by count at some, by age at others, and in the time of a slow answer several
  // of them come to wait at a few.
  void put_healthy_ones() {
    for (int i = 0; i < kHealthy; ++i) {
      Overrides overrides = {{"batch.max_events", i % 2 == 0 ? "10" : "10000"}};
      overrides.emplace_back("batch.max_age", i % 3 == 0 ? "700ms" : "5s");
      put("healthy-" + std::to_string(i), {"delivery"}, overrides);
    }
  }
  // What only the webhook with the queue wants, if it is there.
  void push_queue(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      push("bounce");
      if (i % 10'000 == 9'999) engine->run_for(100ms);
    }
    sync();
    poll();
  }
  // Fresh events for everybody, some 14 a second.
  void push_fresh(core::Duration length) {
    const core::Instant until = engine->clock().now() + length;
    while (engine->clock().now() < until) {
      push("delivery");
      engine->run_for(chance_.up_to(140ms));
      poll();
    }
  }
  // The power fails in a quiet moment; the queue is in the spool.
  void restart() {
    sync();
    disk_.stop();
    before_ += engine->clock().elapsed();
    engine.reset();
    disk_.restart(true);
    start();
  }
  void sync() { REQUIRE(engine->sync_within(1min).message == ""); }

  // Of a bad one.
  uint64_t waiting_events_of(const std::string& id) const {
    const core::WebhookPtr webhook = engine->registry().find(id);
    return webhook ? engine->counters_of(webhook->generation)->waiting_events.get() : 0;
  }

  std::unique_ptr<SimSpoolEngine> engine;
  std::map<std::string, std::vector<Attempt>> attempts;  // by webhook
  std::vector<uint8_t> drained;  // how often each event came to the one with the queue
  uint64_t drops_count = 0;
  uint64_t pushed_count = 0;
  bool is_back = false;  // the endpoint of the one with the queue

 private:
  using Overrides = std::vector<std::pair<const char*, const char*>>;

  void start() {
    auto opened =
        SimSpoolEngine::open(disk_, settings_, ++seed_, SimClock::kWallStart + before_, this);
    REQUIRE((opened ? "" : opened.error().message) == "");
    engine = std::move(*opened);
    engine->transport().set_script(
        [this](const transport::Request& request) { return answer(request.url); });
  }
  SimAnswer answer(const std::string& url) const {
    const std::string name = url.substr(kHost.size());
    SimAnswer answer;
    if (name == "dead") {
      answer.fault = SimFault::AnswerHangs;
    } else if (name == "waiting") {
      if (!is_back) answer = down_;
      answer.upload = 700ms;
      answer.response = 300ms;
      answer.pieces_count = 5;
    } else if (name.starts_with("healthy")) {
      const int number = std::stoi(name.substr(name.find('-') + 1));
      answer.connect = 1ms * (number % 7);
      answer.response = number % 10 == 0 ? 1100ms : 10ms + 1ms * number;
    }
    return answer;
  }
  void put(const std::string& id, std::vector<std::string> events, const Overrides& overrides) {
    core::WebhookSpec spec;
    spec.target = std::string(kHost) + id;
    spec.events = std::move(events);
    for (const auto& [key, value] : overrides) spec.overrides[key] = value;
    REQUIRE(engine->put(id, spec));
  }
  void push(const char* type_name) {
    const core::EventTypeId type = engine->catalogue().find(type_name).id;
    record_.clear();
    append_sim_record(engine->catalogue(), type, pushed_count++, kEventBytes, record_);
    if (engine->push(type, record_) != core::ErrorCode::Ok) FAIL("an event is not taken");
  }
  void poll() {
    while (auto report = engine->poll()) {
      if (report->kind == engine::ReportKind::Dropped) ++drops_count;
    }
  }
  core::Duration since_start(core::Instant time) const {
    return before_ + (time - SimClock::kStart);
  }

  const bool has_bad_ones_;
  const SimAnswer down_;
  const core::EngineSettings settings_ = spool_settings();
  SimDisk disk_{1};
  simulation::Chance chance_{7};
  std::string record_;
  core::Duration before_{};  // the present engine started
  uint64_t seed_ = 0;
};

using Look = std::function<void()>;

// Looks at the run while the one with the queue is down, twice, and at its end.
void live(Neighbours& run, uint64_t queue_count, const Look& while_down, const Look& at_the_end) {
  run.put_bad_ones();
  run.push_queue(queue_count);
  run.put_healthy_ones();
  run.push_fresh(1min);
  while_down();
  run.restart();
  run.push_fresh(30s);
  while_down();
  run.is_back = true;
  run.push_fresh(2min);
  at_the_end();
}

uint64_t drained_count(const Neighbours& run, uint64_t queue_count) {
  return static_cast<uint64_t>(std::count(
      run.drained.begin(),
      run.drained.begin() +
          static_cast<std::ptrdiff_t>(std::min<uint64_t>(queue_count, run.drained.size())),
      uint8_t{1}));
}

void compare_beside(uint64_t queue_count, const SimAnswer& down) {
  Neighbours alone(false, down);
  live(
      alone, queue_count, [] {}, [] {});
  Neighbours beside(true, down);
  live(
      beside, queue_count,
      [&] {
        CHECK(beside.drained.empty());
        CHECK(beside.waiting_events_of("waiting") >= queue_count);
        CHECK(beside.waiting_events_of("dead") > 0);
      },
      [&] {
        // The last fresh ones may wait still.
        CHECK(beside.waiting_events_of("waiting") < 1'000);
        CHECK(beside.waiting_events_of("dead") > 0);
      });
  // All of the queue came, each event of it once.
  CHECK(alone.drained.empty());
  CHECK(drained_count(beside, queue_count) == queue_count);
  CHECK(beside.drops_count == 0);

  REQUIRE(alone.attempts.size() == kHealthy);
  for (const auto& [name, attempts] : alone.attempts) {
    CAPTURE(name);
    CHECK(attempts.size() > 30);
    const bool is_equal = beside.attempts[name] == attempts;
    CHECK(is_equal);
  }
}

SimAnswer answer_of(SimFault fault, int32_t status) {
  SimAnswer answer;
  answer.fault = fault;
  answer.status = status;
  return answer;
}

}  // namespace

TEST_CASE("A million events in the spool and a dead endpoint change no time of 99 healthy ones",
          "[simulation][durable]") {
  compare_beside(1'000'000, answer_of(SimFault::ConnectHangs, 0));
}

TEST_CASE("However an endpoint with a queue in the spool fails, 99 healthy ones keep their times",
          "[simulation][durable]") {
  // The time-outs make its batches smaller, and what is refused is taken apart.
  const SimAnswer down = GENERATE(answer_of(SimFault::AnswerHangs, 0),
                                  answer_of(SimFault::None, 400), answer_of(SimFault::None, 429));
  CAPTURE(down.status);
  compare_beside(20'000, down);
}
