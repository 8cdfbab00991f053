// The named scenarios of what durable mode promises, in virtual time: outages, quotas, restarts,
// and disks that refuse, fill up or lose power.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/conf.h"
#include "simulation/batch_text.h"
#include "support/sim_records.h"
#include "support/sim_spool_engine.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using core::ErrorCode;

namespace {

struct Attempt {
  core::WallTime begun;
  std::string url;
  std::string batch_id;
  std::vector<uint64_t> numbers;
  bool is_taken = false;
};

using Settings = std::vector<std::pair<const char*, const char*>>;

core::EngineSettings settings_of(const Settings& values) {
  config::Conf conf;
  REQUIRE(conf.set("spool.dir", "spool"));
  for (const auto& [key, value] : values) REQUIRE(conf.set(key, value));
  auto settings = conf.finalize();
  REQUIRE((settings ? "" : settings.error().message) == "");
  return *settings;
}

// Purpose: an engine over restarts, with all that it sent. Threads: one. Invariants: real time goes
// on over restarts; the clock that the engine reads may be set.
class Durable final : public SimObserver {
 public:
  explicit Durable(const Settings& values = {}) : settings(settings_of(values)) { start(); }

  void on_end(const SimExchange& exchange) override {
    const bool is_taken = !exchange.is_cancelled && exchange.completion.status == 200;
    attempts.push_back({SimClock::kWallStart + (exchange.begun - SimClock::kStart) + before_,
                        exchange.request.url, exchange.request.headers[2].value,
                        simulation::numbers_in(exchange.body), is_taken});
    // What comes again with its id counts once.
    if (!is_taken || !taken_ids_.insert(attempts.back().batch_id).second) return;
    auto& numbers = taken[exchange.request.url];
    numbers.insert(numbers.end(), attempts.back().numbers.begin(), attempts.back().numbers.end());
  }

  void start() {
    auto opened = SimSpoolEngine::open(disk, settings, ++seed_,
                                       SimClock::kWallStart + before_ + wall_shift_, this);
    REQUIRE((opened ? "" : opened.error().message) == "");
    engine = std::move(*opened);
    CHECK(engine->remarks().empty());
    if (script) engine->transport().set_script(script);
  }
  // The process is killed, or the machine loses power; `off` later it is there again.
  void restart(bool loses_power, core::Duration off = {}) {
    disk.stop();
    before_ += engine->clock().elapsed() + off;
    engine.reset();
    disk.restart(loses_power);
    start();
  }
  // Between two runs.
  void set_clock(core::Duration by) { wall_shift_ += by; }
  void answer(std::function<SimAnswer(const transport::Request&)> made) {
    script = std::move(made);
    engine->transport().set_script(script);
  }
  void answer_all(SimAnswer answer_made) {
    answer([answer_made](const transport::Request&) { return answer_made; });
  }

  core::WebhookSpec spec(const std::string& name, std::vector<std::string> events = {"*"}) const {
    core::WebhookSpec spec;
    spec.target = "http://far.example/" + name;
    spec.events = std::move(events);
    return spec;
  }
  void put(const std::string& id, std::vector<std::string> events = {"*"}) {
    REQUIRE(engine->put(id, spec(id, std::move(events))));
  }
  ErrorCode push(uint32_t size_bytes = 500) {
    const core::EventTypeId type = engine->catalogue().find("delivery").id;
    std::string record;
    append_sim_record(engine->catalogue(), type, pushed_count, size_bytes, record);
    const ErrorCode code = engine->push(type, record);
    if (code == ErrorCode::Ok) ++pushed_count;
    return code;
  }
  void push_all(int count, uint32_t size_bytes = 500) {
    for (int i = 0; i < count; ++i) REQUIRE(push(size_bytes) == ErrorCode::Ok);
  }
  void sync() {
    const core::Error error = engine->sync_within(1min);
    REQUIRE(error.message == "");
  }
  // Since the first start, by a clock that nobody sets.
  core::Duration now() const { return before_ + engine->clock().elapsed(); }
  core::Duration since_start(core::WallTime time) const { return time - SimClock::kWallStart; }
  std::vector<uint64_t>& taken_by(const std::string& name) {
    return taken["http://far.example/" + name];
  }
  const metrics::WebhookCounters& counters(const std::string& id) const {
    return *engine->counters_of(engine->registry().find(id)->generation);
  }
  // Pulls everything; reports of that kind whose message contains the text.
  std::vector<engine::Report> reported(engine::ReportKind kind, const std::string& text = {}) {
    while (auto report = engine->poll()) reports.push_back(std::move(*report));
    std::vector<engine::Report> found;
    std::copy_if(reports.begin(), reports.end(), std::back_inserter(found),
                 [&](const auto& report) {
                   return report.kind == kind && report.message.find(text) != std::string::npos;
                 });
    return found;
  }
  uint64_t reported_drops(const std::string& id) {
    uint64_t count = 0;
    for (const engine::Report& report : reported(engine::ReportKind::Dropped)) {
      if (report.webhook_id == id) count += report.events_count;
    }
    return count;
  }

  SimDisk disk{1};
  core::EngineSettings settings;
  std::function<SimAnswer(const transport::Request&)> script;
  std::unique_ptr<SimSpoolEngine> engine;
  std::vector<Attempt> attempts;
  std::map<std::string, std::vector<uint64_t>> taken;  // by URL
  std::vector<engine::Report> reports;
  uint64_t pushed_count = 0;

 private:
  std::set<std::string> taken_ids_;
  core::Duration before_{};  // the present engine started
  core::Duration wall_shift_{};
  uint64_t seed_ = 0;
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

// 0 to count-1.
std::vector<uint64_t> first_numbers(uint64_t count) {
  std::vector<uint64_t> numbers;
  for (uint64_t i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

std::vector<uint64_t> sorted(std::vector<uint64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Quick to seal, so that tests need not wait.
const Settings kQuick = {{"batch.max_age", "100ms"}, {"batch.max_events", "10"}};

Settings with(Settings values) {
  values.insert(values.begin(), kQuick.begin(), kQuick.end());
  return values;
}

}  // namespace

TEST_CASE("One hour of a steady rate leaves the spool no larger than its first minute",
          "[simulation][durable]") {
  Durable durable({{"batch.max_age", "2s"},
                   {"spool.max_bytes", "64MiB"},
                   {"spool.file_bytes", "256KiB"},
                   {"attempts.max_bytes", "64KiB"}});
  durable.put("w");
  // Used when nothing is under way, and at most.
  uint64_t after_minute = 0;
  uint64_t most_in_minute = 0;
  uint64_t most = 0;
  for (int second = 0; second < 3600; ++second) {
    durable.push_all(10, 4000);
    durable.engine->run_for(1s);
    most = std::max(most, durable.disk.used_bytes());
    durable.attempts.clear();
    if (second != 60) continue;
    most_in_minute = most;
    durable.engine->run_for(5s);
    after_minute = durable.disk.used_bytes();
  }
  durable.engine->run_for(5s);
  CHECK((durable.taken_by("w") == first_numbers(durable.pushed_count)));
  // The log of attempts is for a day, within its limit.
  CHECK(durable.disk.used_bytes() <= after_minute + durable.settings.attempts_max_bytes);
  // The log of the database is not full after a minute.
  CHECK(most <= most_in_minute + (5u << 20));
}

TEST_CASE("After an outage of 30 s everything drains, and what waited does so in order",
          "[simulation][durable]") {
  Durable durable(kQuick);
  const bool loses_power = GENERATE(false, true);
  const bool restarts = loses_power || GENERATE(false, true);
  durable.put("w");
  durable.answer_all(failing(SimFault::Refused));
  for (int i = 0; i < 300; ++i) {
    durable.push_all(5);
    durable.engine->run_for(100ms);
    if (i != 150 || !restarts) continue;
    durable.sync();
    durable.restart(loses_power);
  }
  CHECK(durable.taken_by("w").empty());
  const size_t outage_attempts = durable.attempts.size();
  durable.answer_all({});
  durable.engine->run_for(2min);
  CHECK(durable.taken_by("w").size() == 1500);
  CHECK((sorted(durable.taken_by("w")) == first_numbers(1500)));
  // Probes go round over the three oldest batches; all others keep their order.
  CHECK(outage_attempts > 3);
  const std::vector<uint64_t>& numbers = durable.taken_by("w");
  CHECK(std::is_sorted(numbers.begin() + 30, numbers.end()));
  CHECK(durable.reported(engine::ReportKind::Dropped).empty());
}

TEST_CASE("A dead webhook that wants everything costs twenty healthy ones nothing",
          "[simulation][durable]") {
  Durable durable({{"batch.max_age", "1s"},
                   {"batch.max_events", "100"},
                   {"spool.max_bytes", "8MiB"},
                   {"spool.file_bytes", "256KiB"}});
  durable.answer([](const transport::Request& request) {
    return request.url.ends_with("/dead") ? failing(SimFault::ConnectHangs) : SimAnswer{};
  });
  durable.put("dead");
  for (int i = 0; i < 20; ++i) durable.put("w" + std::to_string(i));
  // Three times the quota of the whole spool.
  for (int i = 0; i < 240; ++i) {
    durable.push_all(100, 1000);
    durable.engine->run_for(250ms);
    CHECK(durable.engine->spool().disk_bytes() <= 9u << 20);
  }
  durable.engine->run_for(10s);
  for (int i = 0; i < 20; ++i) {
    CHECK((durable.taken_by("w" + std::to_string(i)) == first_numbers(24'000)));
    CHECK(durable.reported_drops("w" + std::to_string(i)) == 0);
  }
  CHECK(durable.taken_by("dead").empty());
  const uint64_t waiting = durable.counters("dead").waiting_events.get();
  CHECK(waiting > 0);
  CHECK(durable.reported_drops("dead") == 24'000 - waiting);
  durable.answer_all({});
  durable.engine->run_for(1min);
  // The newest are those that are left, and the batch that was being tried.
  CHECK(durable.taken_by("dead").size() == waiting);
  CHECK(sorted(durable.taken_by("dead"))[100] == 24'000 - waiting + 100);
}

TEST_CASE("A clock that was set over a restart holds no batch up for longer than retry.max",
          "[simulation][durable]") {
  Durable durable(with({{"retry.max", "1m"}, {"retry.base", "1m"}}));
  const core::Duration shift = GENERATE(as<core::Duration>{}, -24h, -30s, 30s, 3h);
  durable.answer_all(status(400));
  durable.put("w");
  durable.push_all(1);
  durable.engine->run_for(5s);
  CHECK(durable.attempts.size() == 1);
  durable.sync();
  durable.set_clock(shift);
  durable.restart(false);
  durable.answer_all({});
  durable.engine->run_for(1min);
  CHECK(durable.taken_by("w").size() == 1);
}

TEST_CASE("The time for retries goes on over a restart", "[simulation][durable]") {
  Durable durable(kQuick);
  const auto wrong = GENERATE(SimFault::None, SimFault::Refused);
  SimAnswer answer = failing(wrong);
  answer.status = 503;
  durable.answer_all(answer);
  durable.put("w");
  durable.push_all(1);
  durable.engine->run_for(1h);
  durable.restart(true, 1h);
  durable.engine->run_for(1h);
  durable.restart(false, 30min);
  durable.engine->run_for(29min);
  CHECK(durable.reported(engine::ReportKind::Dropped).empty());
  durable.engine->run_for(1min + 100ms);
  const auto drops = durable.reported(engine::ReportKind::Dropped);
  REQUIRE(drops.size() == 1);
  CHECK(drops[0].reason == engine::DropReason::Expired);
  for (const Attempt& attempt : durable.attempts) {
    CHECK(attempt.batch_id == durable.attempts[0].batch_id);
    CHECK(durable.since_start(attempt.begun) < 4h + 100ms);
  }
  durable.engine->run_for(5h);
  CHECK(durable.reported(engine::ReportKind::Dropped).size() == 1);
}

TEST_CASE("A clock that was set back over a restart gives no batch more time than a fresh one has",
          "[simulation][durable]") {
  Durable durable(kQuick);
  durable.answer_all(status(503));
  durable.put("w");
  durable.push_all(1);
  durable.engine->run_for(1min);
  durable.set_clock(-48h);
  durable.restart(false);
  durable.engine->run_for(4h);
  CHECK(durable.reported(engine::ReportKind::Dropped).size() == 1);
}

TEST_CASE("A clock that was set forward over a restart costs no batch its next attempt",
          "[simulation][durable]") {
  Durable durable(kQuick);
  durable.answer_all(status(503));
  durable.put("w");
  durable.push_all(10);
  durable.engine->run_for(1min);
  durable.set_clock(48h);
  durable.restart(false);
  durable.answer_all({});
  durable.engine->run_for(5min);
  CHECK((durable.taken_by("w") == first_numbers(10)));
  CHECK(durable.reported(engine::ReportKind::Dropped).empty());
}

TEST_CASE("A restart with smaller limits gives up the oldest, with a report, and goes on",
          "[simulation][durable]") {
  Durable durable(with({{"spool.max_bytes", "32MiB"}, {"spool.file_bytes", "256KiB"}}));
  durable.answer_all(failing(SimFault::Refused));
  durable.put("w");
  for (int i = 0; i < 60; ++i) {
    durable.push_all(100, 1000);
    durable.engine->run_for(100ms);
  }
  durable.sync();
  CHECK(durable.engine->spool().disk_bytes() > 5u << 20);
  durable.settings = settings_of(with({{"spool.max_bytes", "2MiB"},
                                       {"webhook.max_spool_bytes", "1MiB"},
                                       {"batch.max_events", "3"},
                                       {"connections.max", "2"}}));
  durable.restart(true);
  durable.engine->run_for(30s);
  CHECK(durable.engine->spool().disk_bytes() <= 2u << 20);
  const uint64_t dropped = durable.reported_drops("w");
  CHECK(dropped > 4000);
  durable.answer_all({});
  durable.engine->run_for(10min);
  durable.push_all(100, 1000);
  durable.engine->run_for(1min);
  CHECK(durable.reported_drops("w") == dropped);
  std::vector<uint64_t> left = first_numbers(6100);
  left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(dropped));
  CHECK((sorted(durable.taken_by("w")) == left));
}

TEST_CASE("While rows cannot be written batches go out all the same, and are reported unsecured",
          "[simulation][durable]") {
  Durable durable(kQuick);
  durable.put("w");
  durable.push_all(10);
  durable.engine->run_for(1s);
  CHECK(durable.taken_by("w").size() == 10);
  SimDiskFaults faults;
  faults.write_fails = 1000;
  faults.hits_journal = false;
  durable.disk.set_faults(faults);
  durable.push_all(10);
  durable.engine->run_for(4900ms);
  CHECK(durable.taken_by("w").size() == 10);
  CHECK(durable.engine->sync_within(1s).code == ErrorCode::SpoolIo);
  durable.engine->run_for(200ms);
  CHECK(durable.taken_by("w").size() == 20);
  CHECK(durable.reported(engine::ReportKind::Spool, "cannot be written: ").size() == 1);
  CHECK(durable.reported(engine::ReportKind::Spool, "unsecured").size() == 1);
  durable.push_all(10);
  durable.engine->run_for(10s);
  CHECK(durable.taken_by("w").size() == 30);
  CHECK(durable.reported(engine::ReportKind::Spool, "unsecured").size() == 2);

  durable.disk.heal();
  durable.engine->run_for(1s);
  CHECK(durable.reported(engine::ReportKind::Spool, "can be written again").size() == 1);
  durable.sync();
  durable.push_all(10);
  durable.sync();
  durable.restart(true);
  durable.engine->run_for(1s);
  CHECK((durable.taken_by("w") == first_numbers(40)));
  CHECK(durable.reported(engine::ReportKind::Spool, "unsecured").size() == 2);
}

TEST_CASE("A full disk costs the ballast, stops no delivery, and is refused only by push",
          "[simulation][durable]") {
  Durable durable(with({{"intake.max_bytes", "4MiB"},
                        {"event.max_bytes", "16KiB"},
                        {"batch.max_bytes", "64KiB"},
                        {"spool.file_bytes", "1MiB"},
                        {"webhook.max_waiting_bytes", "1MiB"},
                        {"waiting.max_bytes", "1MiB"}}));
  const std::string ballast = durable.disk.directory() + "/ballast";
  durable.put("w");
  durable.answer_all(failing(SimFault::Refused));
  durable.push_all(1000, 1000);
  durable.engine->run_for(5s);
  REQUIRE(durable.disk.files().exists(ballast));
  // Nothing can grow any more.
  durable.disk.set_space(durable.disk.used_bytes());
  ErrorCode code = ErrorCode::Ok;
  for (int i = 0; i < 20'000 && code == ErrorCode::Ok; ++i) {
    code = durable.push(1000);
    if (i % 100 == 0) durable.engine->run_for(100ms);
  }
  CHECK(code == ErrorCode::SpoolFull);
  CHECK_FALSE(durable.disk.files().exists(ballast));
  CHECK(durable.engine->sync_within(1s).code == ErrorCode::SpoolFull);
  CHECK(durable.reported(engine::ReportKind::Spool, "cannot be written").size() >= 1);

  SECTION("deliveries free the space themselves") {
    durable.answer_all({});
  }
  SECTION("somebody else frees it") {
    durable.disk.heal();
    durable.engine->run_for(2s);
    CHECK(durable.push() == ErrorCode::Ok);
    durable.answer_all({});
  }
  durable.engine->run_for(10min);
  const uint64_t dropped = durable.reported_drops("w");
  CHECK(dropped == 0);
  CHECK((sorted(durable.taken_by("w")) == first_numbers(durable.pushed_count)));
  CHECK(durable.reported(engine::ReportKind::Spool, "can be written again").size() >= 1);
  CHECK(durable.push() == ErrorCode::Ok);
  durable.sync();
  durable.disk.heal();
  durable.engine->run_for(2s);
  CHECK(durable.disk.files().exists(ballast));
}

TEST_CASE("A burst that is larger than the whole spool goes through it", "[simulation][durable]") {
  Durable durable(with({{"spool.max_bytes", "1MiB"}, {"spool.file_bytes", "64KiB"}}));
  durable.put("w");
  durable.sync();
  durable.push_all(5000, 1000);
  durable.engine->run_for(1min);
  durable.sync();
  // More than a quarter of the spool at once is over the quota of one webhook.
  CHECK(durable.taken_by("w").size() + durable.reported_drops("w") == 5000);
  CHECK(durable.taken_by("w").size() > 200);
  CHECK(durable.engine->worker().health() == ErrorCode::Ok);
}

TEST_CASE("A journal that cannot be synced is given up, and what it held is written elsewhere",
          "[simulation][durable]") {
  Durable durable(kQuick);
  durable.put("w");
  durable.sync();
  const auto journals = [&] {
    std::vector<std::string> found;
    for (const std::string& path : durable.disk.files().paths()) {
      if (path.find("/journal-") != std::string::npos) found.push_back(path);
    }
    return found;
  };
  durable.push_all(5);
  durable.engine->run_for(50ms);
  const auto before = journals();
  SimDiskFaults faults;
  faults.sync_fails = 1000;
  faults.hits_database = false;
  durable.disk.set_faults(faults);
  durable.push_all(5);
  CHECK(durable.engine->sync_within(1s).code == ErrorCode::SpoolIo);
  durable.disk.heal();
  durable.sync();
  CHECK(journals().back() != before.back());
  durable.restart(true);
  durable.engine->run_for(1s);
  CHECK((sorted(durable.taken_by("w")) == first_numbers(10)));
}

TEST_CASE("After a restart the rest of an activation delay is waited out, and never more than all",
          "[simulation][durable]") {
  Durable durable(kQuick);
  const bool loses_power = GENERATE(false, true);
  core::Duration left{};
  core::Duration shift{};
  std::tie(shift, left) = GENERATE(
      table<core::Duration, core::Duration>({{0s, 30s}, {-1h, 60s}, {10s, 20s}, {1h, 0s}}));
  REQUIRE(durable.engine->create("w", durable.spec("w")));
  durable.push_all(1);
  durable.sync();
  durable.engine->run_for(20s - durable.now());
  durable.set_clock(shift);
  durable.restart(loses_power, 10s);
  const uint64_t before = durable.pushed_count;
  if (left > 0s) {
    durable.push_all(1);
    durable.engine->run_for(left - 1ms);
    durable.push_all(1);
    durable.engine->run_for(1ms);
  } else {
    durable.engine->run_for(1ms);
  }
  const uint64_t first_taken = left > 0s ? before + 2 : before;
  durable.push_all(1);
  durable.engine->run_for(1s);
  CHECK((durable.taken_by("w") == std::vector<uint64_t>{first_taken}));
  // What is active stays so.
  durable.sync();
  durable.restart(loses_power);
  durable.push_all(1);
  durable.engine->run_for(1s);
  CHECK((durable.taken_by("w") == std::vector<uint64_t>{first_taken, first_taken + 1}));
}

TEST_CASE("After a restart the small records of a long open batch hold up no event of others",
          "[simulation][durable]") {
  Durable durable(kQuick);
  core::WebhookSpec slow = durable.spec("slow", {"delivery"});
  slow.overrides["batch.max_age"] = "24h";
  slow.overrides["batch.max_events"] = "1000000";
  REQUIRE(durable.engine->put("slow", slow));
  for (int second = 0; second < 1000; ++second) {
    durable.push_all(1);
    durable.engine->run_for(1s);
  }
  durable.put("w");
  durable.sync();
  durable.restart(true);
  durable.push_all(10);
  const core::Duration pushed = durable.now();
  durable.engine->run_for(1s);
  REQUIRE(durable.attempts.size() == 1);
  CHECK(durable.since_start(durable.attempts[0].begun) - pushed <= 20ms);
  CHECK(durable.taken_by("w").size() == 10);
}

TEST_CASE("After a restart what was read before a place that cannot be read is delivered",
          "[simulation][durable]") {
  Durable durable({{"batch.max_age", "10s"}, {"spool.file_bytes", "64KiB"}});
  durable.put("w");
  for (int i = 0; i < 5; ++i) {
    durable.push_all(1, 9000);
    durable.engine->run_for(50ms);
  }
  durable.sync();
  durable.restart(false);
  const std::vector<std::string> paths = durable.disk.files().paths();
  const std::string path = *std::find_if(paths.begin(), paths.end(), [](const std::string& name) {
    return name.find("/journal-") != std::string::npos;
  });
  const std::string bytes = durable.disk.files().bytes(path);
  // Somewhere in the last of them.
  durable.disk.files().fail_reads(path, (bytes.find(R"("n":4,)") + 5000) / 4096);
  durable.engine->run_for(30s);
  CHECK((durable.taken_by("w") == first_numbers(4)));
}
