// The engine as a host sees it, with its own thread and a network that answers at once.
#include "engine/engine.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <unistd.h>

#include "spool/memory_store.h"
#include "unit/engine/quick_transport.h"

using namespace posthaste;
using namespace posthaste::engine;
using core::ErrorCode;
using test::QuickNetwork;
using namespace std::chrono_literals;

namespace {

constexpr const char* kTarget = "http://127.0.0.1:8080/hook";
constexpr const char* kOther = "http://127.0.0.1:9090/other";
// Long enough for a busy machine; a test that comes near it has failed.
constexpr int32_t kPatience = 30'000;

core::WebhookSpec spec_of(std::string target = kTarget, std::vector<std::string> events = {"*"}) {
  core::WebhookSpec spec;
  spec.name = "name";
  spec.target = std::move(target);
  spec.events = std::move(events);
  return spec;
}

core::EngineSettings test_settings() {
  core::EngineSettings settings;
  settings.webhook.activation_delay = 0s;
  return settings;
}

EngineParts parts_of(const std::shared_ptr<QuickNetwork>& network) {
  EngineParts parts;
  parts.clock = std::make_unique<platform::SystemClock>();
  parts.store = std::make_unique<spool::MemoryStore>(24h, 4u << 20);
  parts.make_transport =
      [network](
          const platform::Clock& clock) -> core::Result<std::unique_ptr<transport::Transport>> {
    return std::unique_ptr<transport::Transport>(
        std::make_unique<test::QuickTransport>(network, clock));
  };
  return parts;
}

// An engine that is closed before it goes.
struct Harness {
  explicit Harness(const core::EngineSettings& settings = test_settings())
      : engine(settings, parts_of(network)) {}
  ~Harness() { static_cast<void>(engine.close(kPatience)); }

  std::vector<std::string> bodies_for(const std::string& url) const {
    std::vector<std::string> bodies;
    for (const QuickNetwork::Post& post : network->posts()) {
      if (post.url == url) bodies.push_back(post.body);
    }
    return bodies;
  }
  std::vector<std::string> ids() const {
    std::vector<std::string> result;
    const auto snapshots = engine.list();
    for (const Snapshot& snapshot : *snapshots) result.push_back(snapshot.webhook->id);
    return result;
  }
  Report poll_ticket(uint64_t ticket) {
    while (auto report = engine.poll(kPatience)) {
      if (report->ticket == ticket) return std::move(*report);
    }
    return {};
  }

  std::shared_ptr<QuickNetwork> network = std::make_shared<QuickNetwork>();
  Engine engine;
};

// A file that goes with the test.
struct TemporaryFile {
  explicit TemporaryFile(const std::string& name)
      : path((std::filesystem::temp_directory_path() /
              ("posthaste_engine_test_" + std::to_string(::getpid()) + "_" + name))
                 .string()) {}
  ~TemporaryFile() { std::remove(path.c_str()); }
  void write(const std::string& text) const { std::ofstream(path, std::ios::trunc) << text; }
  std::string path;
};

std::string entry(const std::string& name, const std::string& target) {
  return R"({"name":")" + name + R"(","events":["delivery"],"target":")" + target + R"("})";
}

}  // namespace

TEST_CASE("Nothing is pushed before start or after close", "[engine]") {
  Harness harness;
  Engine& engine = harness.engine;
  CHECK(engine.push("delivery", "{}") == ErrorCode::State);
  CHECK(engine.flush(0).error.code == ErrorCode::State);
  CHECK(engine.create(spec_of(), 0).error.code == ErrorCode::State);
  REQUIRE(engine.start());
  CHECK(engine.push("delivery", "{}") == ErrorCode::Ok);
  REQUIRE(engine.close(kPatience));
  CHECK(engine.push("delivery", "{}") == ErrorCode::State);
  CHECK(engine.put("w", spec_of()).code() == ErrorCode::State);
  CHECK(engine.set("batch.max_events", "5").code() == ErrorCode::State);
  CHECK(engine.flush(0).error.code == ErrorCode::State);
}

TEST_CASE("An engine starts once and closes as often as one likes", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  CHECK(harness.engine.start().code() == ErrorCode::State);
  CHECK(harness.engine.close(kPatience));
  CHECK(harness.engine.close(kPatience));
  CHECK(harness.engine.start().code() == ErrorCode::State);
}

TEST_CASE("An engine that was never started closes at once", "[engine]") {
  Harness harness;
  CHECK(harness.engine.close(0));
  CHECK(harness.engine.start().code() == ErrorCode::State);
}

TEST_CASE("Webhooks put before start take the first event", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  REQUIRE(harness.engine.push_trusted("delivery", R"({"n":1})") == ErrorCode::Ok);
  REQUIRE(harness.engine.flush(kPatience).error.code == ErrorCode::Ok);
  REQUIRE(harness.bodies_for(kTarget).size() == 1);
  CHECK(harness.bodies_for(kTarget)[0].find(R"("n":1)") != std::string::npos);
}

TEST_CASE("A change of the registry that returned holds for every push behind it", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  for (int i = 0; i < 50; ++i) {
    const std::string target = "http://127.0.0.1:8080/" + std::to_string(i);
    REQUIRE(harness.engine.put("w", spec_of(target)));
    REQUIRE(harness.engine.push_trusted("delivery", "{\"n\":" + std::to_string(i) + "}") ==
            ErrorCode::Ok);
  }
  REQUIRE(harness.engine.remove("w", false));
  REQUIRE(harness.engine.push_trusted("delivery", R"({"n":"late"})") == ErrorCode::Ok);
  REQUIRE(harness.engine.flush(kPatience).error.code == ErrorCode::Ok);
  REQUIRE(harness.engine.close(kPatience));
  for (int i = 0; i < 50; ++i) {
    const auto bodies = harness.bodies_for("http://127.0.0.1:8080/" + std::to_string(i));
    REQUIRE(bodies.size() == 1);
    CHECK(bodies[0].find("\"n\":" + std::to_string(i)) != std::string::npos);
  }
  CHECK(harness.network->posts().size() == 50);
}

TEST_CASE("wants tells what some webhook wants", "[engine]") {
  Harness harness;
  CHECK_FALSE(harness.engine.wants(std::nullopt));
  REQUIRE(harness.engine.put("w", spec_of(kTarget, {"delivery", "injection"})));
  CHECK(harness.engine.wants(std::nullopt));
  CHECK(harness.engine.wants("delivery"));
  CHECK(harness.engine.wants("reception"));
  CHECK_FALSE(harness.engine.wants("bounce"));
  CHECK_FALSE(harness.engine.wants("no such type"));
  REQUIRE(harness.engine.remove("w", false));
  CHECK_FALSE(harness.engine.wants("delivery"));
  CHECK_FALSE(harness.engine.wants(std::nullopt));
}

TEST_CASE("An inactive webhook wants nothing, a paused one does", "[engine]") {
  Harness harness;
  core::WebhookSpec spec = spec_of();
  spec.active = false;
  REQUIRE(harness.engine.put("w", spec));
  CHECK_FALSE(harness.engine.wants("delivery"));
  spec.active = true;
  REQUIRE(harness.engine.put("w", spec));
  REQUIRE(harness.engine.set_paused("w", true));
  CHECK(harness.engine.wants("delivery"));
}

TEST_CASE("Events that nobody wants are accepted and cost no memory", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(harness.engine.push_trusted("delivery", "{}") == ErrorCode::Ok);
  }
  CHECK(harness.engine.stats_json()->find("1000") != std::string::npos);
}

TEST_CASE("A bad event is refused with its own code and changes nothing", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  CHECK(harness.engine.push("delivery", "{") == ErrorCode::BadJson);
  CHECK(harness.engine.push("nonsense", "{}") == ErrorCode::UnknownType);
  CHECK(harness.engine.push("delivery", "{\"a\":\"\xff\"}") == ErrorCode::BadUtf8);
  CHECK(harness.engine.push("delivery", std::string((1u << 20) + 1, ' ')) == ErrorCode::TooLarge);
  CHECK(harness.engine.check("delivery", "{").error().message.size() > 0);
  CHECK(harness.engine.check("delivery", "{}"));
  REQUIRE(harness.engine.flush(kPatience).error.code == ErrorCode::Ok);
  CHECK(harness.network->posts().empty());
}

TEST_CASE("Event types are defined before start", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.define_type("parked", "parking_event"));
  CHECK(harness.engine.define_type("parked", "parking_event").code() == ErrorCode::Exists);
  REQUIRE(harness.engine.put("w", spec_of(kTarget, {"parked"})));
  REQUIRE(harness.engine.start());
  CHECK(harness.engine.define_type("late", "parking_event").code() == ErrorCode::State);
  REQUIRE(harness.engine.push("parked", "{}") == ErrorCode::Ok);
  REQUIRE(harness.engine.flush(kPatience).error.code == ErrorCode::Ok);
  REQUIRE(harness.bodies_for(kTarget).size() == 1);
  CHECK(harness.bodies_for(kTarget)[0].find(R"({"msys":{"parking_event":{)") == 1);
}

TEST_CASE("Ids of webhooks are plain and short", "[engine]") {
  Harness harness;
  CHECK(harness.engine.put("", spec_of()).code() == ErrorCode::Invalid);
  CHECK(harness.engine.put("a b", spec_of()).code() == ErrorCode::Invalid);
  CHECK(harness.engine.put("a/b", spec_of()).code() == ErrorCode::Invalid);
  CHECK(harness.engine.put(std::string(65, 'a'), spec_of()).code() == ErrorCode::Invalid);
  CHECK(harness.engine.put(std::string(64, 'a'), spec_of()));
  CHECK(harness.engine.put("A-z_0.9", spec_of()));
}

TEST_CASE("Webhooks are found and listed as they are now", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("b", spec_of()));
  REQUIRE(harness.engine.put("a", spec_of(kOther)));
  CHECK(harness.ids() == std::vector<std::string>{"b", "a"});
  CHECK(harness.engine.find("a")->webhook->target == kOther);
  CHECK(harness.engine.find("a")->facts.state == core::WebhookState::Active);
  CHECK(harness.engine.find("c").code() == ErrorCode::NotFound);
  CHECK(harness.engine.remove("c", false).code() == ErrorCode::NotFound);
  CHECK(harness.engine.set_paused("c", true).code() == ErrorCode::NotFound);
  CHECK(harness.engine.open_batch("c").code() == ErrorCode::NotFound);
}

TEST_CASE("Create verifies first, and a failure creates nothing", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  for (const int32_t status : {204, 301, 404, 503}) {
    harness.network->answer(kTarget, status);
    const Outcome outcome = harness.engine.create(spec_of(), kPatience);
    CHECK(outcome.error.code == ErrorCode::VerifyFailed);
    REQUIRE(outcome.verify_answer);
    CHECK(outcome.verify_answer->status == status);
    CHECK(harness.ids().empty());
  }
  harness.network->answer(kTarget, 200);
  const Outcome outcome = harness.engine.create(spec_of(), kPatience);
  CHECK(outcome.error.code == ErrorCode::Ok);
  CHECK(harness.ids() == std::vector<std::string>{outcome.webhook_id});
  CHECK(outcome.webhook_id.size() == 36);
  CHECK(harness.bodies_for(kTarget).back() == R"([{"msys":{}}])");
}

TEST_CASE("Create without verification sends nothing", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  harness.network->answer(kTarget, 503);
  core::WebhookSpec spec = spec_of();
  spec.overrides["verify"] = "off";
  CHECK(harness.engine.create(spec, kPatience).error.code == ErrorCode::Ok);
  CHECK(harness.network->posts().empty());
}

TEST_CASE("A create that timed out creates nothing, even when the answer comes", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  harness.network->answer(kTarget, QuickNetwork::kSilence);
  CHECK(harness.engine.create(spec_of(), 1).error.code == ErrorCode::Timeout);
  CHECK(harness.ids().empty());
  // The test POST that still runs is broken off.
  REQUIRE(harness.engine.close(0));
  CHECK(harness.ids().empty());
}

TEST_CASE("A ticket ends in one report with its outcome", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  const auto created = harness.engine.create_ticket(spec_of());
  REQUIRE(created);
  const Report report = harness.poll_ticket(*created);
  CHECK(report.kind == ReportKind::Ticket);
  CHECK(report.outcome.error.code == ErrorCode::Ok);
  CHECK(harness.ids() == std::vector<std::string>{report.webhook_id});

  harness.network->answer(kTarget, 500);
  const auto verified = harness.engine.verify_ticket(report.webhook_id);
  REQUIRE(verified);
  CHECK(*verified != *created);
  CHECK(harness.poll_ticket(*verified).outcome.error.code == ErrorCode::VerifyFailed);
}

TEST_CASE("Put neither verifies nor waits", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  harness.network->answer(kTarget, 503);
  REQUIRE(harness.engine.put("w", spec_of()));
  CHECK(harness.engine.find("w")->facts.state == core::WebhookState::Active);
  CHECK(harness.network->posts().empty());
}

TEST_CASE("A change of target is verified, other changes are not", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  core::WebhookSpec rename;
  rename.name = "renamed";
  CHECK(harness.engine.update("w", rename, kPatience).error.code == ErrorCode::Ok);
  CHECK(harness.network->posts().empty());

  core::WebhookSpec move;
  move.target = kOther;
  harness.network->answer(kOther, 503);
  CHECK(harness.engine.update("w", move, kPatience).error.code == ErrorCode::VerifyFailed);
  CHECK(harness.engine.find("w")->webhook->target == kTarget);
  harness.network->answer(kOther, 200);
  CHECK(harness.engine.update("w", move, kPatience).error.code == ErrorCode::Ok);
  CHECK(harness.engine.find("w")->webhook->target == kOther);
  CHECK(harness.engine.find("w")->webhook->name == "renamed");
  CHECK(harness.engine.update("x", move, kPatience).error.code == ErrorCode::NotFound);
}

TEST_CASE("Settings can be changed while the engine runs, if they fit every webhook", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  REQUIRE(harness.engine.set("batch.max_events", "7"));
  CHECK(*harness.engine.get("batch.max_events") == "7");
  CHECK(harness.engine.find("w")->webhook->settings.batch_max_events == 7);
  CHECK(harness.engine.set("intake.max_bytes", "64MiB").code() == ErrorCode::NotChangeable);
  CHECK(harness.engine.set("no.such.key", "1").code() == ErrorCode::UnknownKey);
  CHECK(harness.engine.set("batch.max_events", "many").code() == ErrorCode::BadValue);

  core::WebhookSpec own = spec_of();
  own.overrides["request.max_time"] = "8s";
  REQUIRE(harness.engine.put("own", own));
  CHECK(harness.engine.set("request.timeout", "20s").code() == ErrorCode::BadValue);
  CHECK(*harness.engine.get("request.timeout") == "6s");
}

TEST_CASE("An open batch can be seen, and a flush empties it", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("w", spec_of()));
  CHECK(harness.engine.open_batch("w")->events_count == 0);
  REQUIRE(harness.engine.start());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(harness.engine.push_trusted("delivery", "{}") == ErrorCode::Ok);
  }
  while (harness.engine.open_batch("w")->events_count < 3) std::this_thread::yield();
  CHECK(harness.engine.open_batch("w")->size_bytes > 30);
  REQUIRE(harness.engine.flush(kPatience).error.code == ErrorCode::Ok);
  while (harness.engine.open_batch("w")->events_count > 0) std::this_thread::yield();
  CHECK(harness.bodies_for(kTarget).size() == 1);
  CHECK(harness.engine.batch_status("w", 10, spool::StatusFilter::All)->size() == 1);
  CHECK(harness.engine.batch_status("w", 10, spool::StatusFilter::FailedOnly)->empty());
}

TEST_CASE("There is nothing to sync in memory mode", "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.start());
  CHECK(harness.engine.sync(0).error.code == ErrorCode::State);
}

TEST_CASE("Close tells what it could not deliver", "[engine]") {
  Harness harness;
  harness.network->answer(kTarget, QuickNetwork::kSilence);
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  for (int i = 0; i < 5; ++i) {
    REQUIRE(harness.engine.push_trusted("delivery", "{}") == ErrorCode::Ok);
  }
  const auto closed = harness.engine.close(0);
  CHECK(closed.code() == ErrorCode::Timeout);
  CHECK(closed.error().message.find("5 events") != std::string::npos);
  CHECK(harness.engine.close_to_destroy());
  uint64_t dropped_count = 0;
  while (auto report = harness.engine.poll(0)) {
    if (report->reason == DropReason::Closed) dropped_count += report->events_count;
  }
  CHECK(dropped_count == 5);
}

TEST_CASE("Close by ticket delivers what is open, and its report comes when all is over",
          "[engine]") {
  Harness harness;
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  REQUIRE(harness.engine.push_trusted("delivery", "{}") == ErrorCode::Ok);
  const auto ticket = harness.engine.close_ticket(kPatience);
  REQUIRE(ticket);
  CHECK(harness.engine.push_trusted("delivery", "{}") == ErrorCode::State);
  const Report report = harness.poll_ticket(*ticket);
  CHECK(report.kind == ReportKind::Ticket);
  CHECK(report.outcome.error.code == ErrorCode::Ok);
  CHECK(harness.bodies_for(kTarget).size() == 1);
  CHECK(harness.engine.close(0));
  CHECK(harness.engine.close_to_destroy());
}

TEST_CASE("A ticket of close tells what could not be delivered, after the drops it tells of",
          "[engine]") {
  Harness harness;
  harness.network->answer(kTarget, QuickNetwork::kSilence);
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  REQUIRE(harness.engine.push_trusted("delivery", "{}") == ErrorCode::Ok);
  const auto ticket = harness.engine.close_ticket(1);
  REQUIRE(ticket);
  bool has_drop = false;
  for (;;) {
    const auto report = harness.engine.poll(kPatience);
    REQUIRE(report);
    if (report->kind == ReportKind::Dropped) has_drop = true;
    if (report->ticket != *ticket) continue;
    CHECK(report->outcome.error.code == ErrorCode::Timeout);
    CHECK(report->message.find("1 events") != std::string::npos);
    break;
  }
  CHECK(has_drop);
  CHECK_FALSE(harness.engine.poll(kPatience));
}

TEST_CASE("Close by ticket of an engine that is new or closed completes at once", "[engine]") {
  Harness harness;
  const auto first = harness.engine.close_ticket(0);
  REQUIRE(first);
  CHECK(harness.poll_ticket(*first).outcome.error.code == ErrorCode::Ok);
  CHECK(harness.engine.start().code() == ErrorCode::State);
  const auto second = harness.engine.close_ticket(0);
  REQUIRE(second);
  CHECK(*second != *first);
  CHECK(harness.poll_ticket(*second).outcome.error.code == ErrorCode::Ok);
}

TEST_CASE("Every ticket of one close completes, and a blocking close keeps to its own time-out",
          "[engine]") {
  Harness harness;
  harness.network->answer(kTarget, QuickNetwork::kSilence);
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  REQUIRE(harness.engine.push_trusted("delivery", "{}") == ErrorCode::Ok);
  const auto first = harness.engine.close_ticket(1'500);
  const auto second = harness.engine.close_ticket(0);
  REQUIRE(first);
  REQUIRE(second);
  const auto hasty = harness.engine.close(0);
  CHECK(hasty.code() == ErrorCode::Timeout);
  CHECK_FALSE(harness.engine.close_to_destroy());
  CHECK(harness.poll_ticket(*first).outcome.error.code == ErrorCode::Timeout);
  CHECK(harness.poll_ticket(*second).outcome.error.code == ErrorCode::Timeout);
  CHECK(harness.engine.close(kPatience));
  CHECK(harness.engine.close_to_destroy());
}

TEST_CASE("Events of many threads all arrive, each once", "[engine][threads]") {
  core::EngineSettings settings = test_settings();
  settings.intake_max_bytes = 8u << 20;
  Harness harness(settings);
  REQUIRE(harness.engine.put("w", spec_of()));
  REQUIRE(harness.engine.start());
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  std::vector<std::thread> producers;
  for (int thread = 0; thread < kThreads; ++thread) {
    producers.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const std::string payload = "{\"n\":" + std::to_string(thread * kEach + i) + "}";
        while (harness.engine.push_trusted("delivery", payload) != ErrorCode::Ok) {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  REQUIRE(harness.engine.close(kPatience));
  std::set<int> numbers;
  size_t count = 0;
  for (const std::string& body : harness.bodies_for(kTarget)) {
    for (size_t at = body.find("\"n\":"); at != std::string::npos; at = body.find("\"n\":", at)) {
      at += 4;
      numbers.insert(std::stoi(body.substr(at, 12)));
      ++count;
    }
  }
  CHECK(count == kThreads * kEach);
  CHECK(numbers.size() == kThreads * kEach);
}

TEST_CASE("Entries of a file have stable ids, and ten reloads double nothing",
          "[engine][webhooks_file]") {
  Harness harness;
  const TemporaryFile file("one.json");
  file.write("[" + entry("a", kTarget) + "," + entry("b", kTarget) + "," + entry("a", kOther) +
             R"(,{"events":["bounce"],"target":"http://127.0.0.1:7070/unnamed"}])");
  const auto first = harness.engine.load(file.path);
  REQUIRE(first);
  CHECK(first->added_count == 4);
  const auto ids = harness.ids();
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == 4);
  CHECK(ids[0] == core::uuid_of_name("a\n0"));
  CHECK(ids[2] == core::uuid_of_name("a\n1"));
  CHECK(ids[3] == core::uuid_of_name("http://127.0.0.1:7070/unnamed\n0"));
  CHECK(harness.engine.find(ids[3])->webhook->name == "http://127.0.0.1:7070/unnamed");
  for (int i = 0; i < 10; ++i) {
    const auto again = harness.engine.load(file.path);
    REQUIRE(again);
    CHECK(again->unchanged_count == 4);
    CHECK(again->added_count + again->changed_count + again->removed_count == 0);
  }
  CHECK(harness.ids() == ids);
}

TEST_CASE("Reading a file again touches the entries of that file only", "[engine][webhooks_file]") {
  Harness harness;
  const TemporaryFile one("one.json");
  const TemporaryFile two("two.json");
  one.write("[" + entry("a", kTarget) + "," + entry("b", kTarget) + "]");
  two.write("[" + entry("x", kTarget) + "]");
  REQUIRE(harness.engine.put("own", spec_of()));
  REQUIRE(harness.engine.load(one.path));
  REQUIRE(harness.engine.load(two.path));
  one.write("[" + entry("a", kOther) + "," + entry("c", kTarget) + "]");
  const auto again = harness.engine.load(one.path);
  REQUIRE(again);
  CHECK(again->changed_count == 1);
  CHECK(again->added_count == 1);
  CHECK(again->removed_count == 1);
  CHECK(again->unchanged_count == 0);
  const std::vector<std::string> expected = {
      "own", core::uuid_of_name("a\n0"), core::uuid_of_name("x\n0"), core::uuid_of_name("c\n0")};
  CHECK(harness.ids() == expected);
  CHECK(harness.engine.find(expected[1])->webhook->target == kOther);
}

TEST_CASE("Two spellings of one file are one file", "[engine][webhooks_file]") {
  Harness harness;
  const TemporaryFile file("one.json");
  file.write("[" + entry("a", kTarget) + "]");
  REQUIRE(harness.engine.load(file.path));
  const std::filesystem::path path(file.path);
  const auto other = harness.engine.load((path.parent_path() / "." / path.filename()).string());
  REQUIRE(other);
  CHECK(other->unchanged_count == 1);
  CHECK(harness.ids().size() == 1);
}

TEST_CASE("A bad file changes nothing and names its bad entry", "[engine][webhooks_file]") {
  Harness harness;
  const TemporaryFile file("one.json");
  CHECK(harness.engine.load(file.path).code() == ErrorCode::BadFile);
  file.write("[" + entry("a", kTarget) + "," + entry("b", "ftp://127.0.0.1/") + "]");
  const auto loaded = harness.engine.load(file.path);
  CHECK(loaded.code() == ErrorCode::BadTarget);
  CHECK(loaded.error().message.find("entry 2 of " + file.path) != std::string::npos);
  CHECK(harness.ids().empty());
  file.write("not json");
  CHECK_FALSE(harness.engine.load(file.path));
}
