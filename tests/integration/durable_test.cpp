// Durable mode through the C API: what a spool promises over restarts, kills, quotas and closes.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "support/host.h"
#include "support/receiver.h"
#include "support/temporary_directory.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

// Nobody listens there.
const char* const kDeadTarget = "http://127.0.0.1:9/hook";

Settings durable(const TemporaryDirectory& directory, const Settings& more = {}) {
  Settings settings = {{"spool.dir", directory.path()}, {"spool.file_bytes", "1MiB"},
                       {"batch.max_age", "100ms"},      {"retry.base", "50ms"},
                       {"retry.max", "100ms"},          {"webhook.activation_delay", "0s"}};
  for (const auto& [key, value] : more) settings[key] = value;
  return settings;
}

std::string payload(int number) {
  return "{\"event_id\":\"" + std::to_string(number) + "\"}";
}

void push_range(const Host& host, int first, int count, const char* type = "delivery") {
  for (int i = first; i < first + count; ++i) host.push_all(type, payload(i));
}

int32_t sync(Host& host) {
  return posthaste_sync(host.get(), 10'000, host.error());
}

// Runs a host in a process of its own, which ends by SIGKILL behind `body`, the engine running.
// Tests that use it have the tag [unsanitized]: in the child of a process with threads the
// sanitizers' own locks may be held for ever.
void run_and_kill(const Settings& settings, const std::function<void(Host&)>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      Host host(settings);
      body(host);
      ::kill(::getpid(), SIGKILL);
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "%s\n", failure.what());
      ::_exit(1);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

// The event ids that were accepted, each with how often. A batch whose answer was lost with its
// engine comes again, with the same id and bytes, and counts once.
std::map<std::string, int> accepted_ids(const Receiver& receiver) {
  std::map<std::string, int> ids;
  std::map<std::string, std::string> bodies;
  for (const Request& request : receiver.log().requests()) {
    if (request.answered_status != 200) continue;
    const auto [batch, is_new] =
        bodies.emplace(request.header("X-MessageSystems-Batch-ID").value_or(""), request.body);
    if (!is_new && batch->second == request.body) continue;
    static constexpr std::string_view kKey = "\"event_id\":\"";
    for (size_t at = 0; (at = request.body.find(kKey, at)) != std::string::npos;) {
      at += kKey.size();
      ++ids[request.body.substr(at, request.body.find('"', at) - at)];
    }
  }
  return ids;
}

std::map<std::string, int> each_once(int first, int count) {
  std::map<std::string, int> ids;
  for (int i = first; i < first + count; ++i) ids[std::to_string(i)] = 1;
  return ids;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::seconds limit = 20s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

}  // namespace

TEST_CASE("Everything before a returned sync survives kill -9",
          "[integration][durable][unsanitized]") {
  const char* const level = GENERATE("full", "normal");
  TemporaryDirectory directory;
  Receiver receiver;
  run_and_kill(durable(directory, {{"batch.max_age", "1h"}, {"spool.sync", level}}),
               [&](Host& host) {
                 host.put("w", receiver.url()).start();
                 push_range(host, 0, 500);
                 host.must(sync(host));
               });
  CHECK(receiver.log().requests().empty());
  Host host(durable(directory, {{"spool.sync", level}}));
  host.start();
  CHECK(wait_until([&] { return accepted_ids(receiver).size() == 500; }));
  CHECK((accepted_ids(receiver) == each_once(0, 500)));
}

TEST_CASE("A batch that was attempted comes again after a kill with the same id and bytes",
          "[integration][durable][unsanitized]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.answer_with(503);
  run_and_kill(durable(directory), [&](Host& host) {
    host.put("w", receiver.url()).start();
    push_range(host, 0, 20);
    host.must(sync(host));
    wait_until([&] { return host.stat("failed") >= 2; });
  });
  receiver.behave();
  const Request first = receiver.log().requests().at(0);
  Host host(durable(directory));
  host.start();
  REQUIRE(host.next_report(POSTHASTE_REPORT_DELIVERED));
  const Request last = receiver.log().requests().back();
  CHECK(last.body == first.body);
  CHECK(last.header("X-MessageSystems-Batch-ID") == first.header("X-MessageSystems-Batch-ID"));
}

TEST_CASE("A put of the same webhook at every start changes nothing and loses nothing",
          "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  for (int start = 0; start < 4; ++start) {
    Host host(durable(directory, {{"batch.max_age", "1h"}}));
    host.put("w", receiver.url()).start();
    push_range(host, start * 10, 10);
    REQUIRE(sync(host) == POSTHASTE_OK);
    if (start < 3) continue;
    host.must(host.flush());
  }
  CHECK(wait_until([&] { return accepted_ids(receiver).size() == 40; }));
  CHECK((accepted_ids(receiver) == each_once(0, 40)));
}

TEST_CASE("Shutdown in an outage loses nothing and takes no longer than its time-out",
          "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.hang();
  {
    Host host(durable(directory));
    host.put("w", receiver.url()).start();
    push_range(host, 0, 1000);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(host.close(1000) == POSTHASTE_OK);
    CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
    CHECK(host.stat("closed") == 0);
  }
  receiver.behave();
  receiver.forget_requests();
  Host host(durable(directory));
  host.start();
  CHECK(wait_until([&] { return accepted_ids(receiver).size() == 1000; }));
  CHECK((accepted_ids(receiver) == each_once(0, 1000)));
}

TEST_CASE("Edits, pauses and removals survive a restart", "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  {
    Host host(durable(directory));
    host.put("paused", receiver.url("/paused"))
        .put("edited", receiver.url("/before"))
        .put("removed", kDeadTarget)
        .put("inactive", receiver.url("/inactive"), {{"active", "false"}})
        .start();
    host.must(posthaste_pause(host.get(), "paused", host.error()));
    host.put("edited", receiver.url("/after"), {{"events", "bounce"}, {"auth_token", "sesame"}});
    push_range(host, 0, 5, "delivery");
    push_range(host, 5, 5, "bounce");
    host.must(posthaste_remove(host.get(), "removed", 0, host.error()));
    REQUIRE(sync(host) == POSTHASTE_OK);
    host.close();
  }
  Host host(durable(directory));
  host.start();
  const std::string list = host.stats();
  CHECK(list.find("\"id\":\"removed\"") == std::string::npos);
  CHECK(list.find("\"id\":\"paused\"") != std::string::npos);
  CHECK(list.find("\"id\":\"inactive\"") != std::string::npos);
  push_range(host, 100, 1, "delivery");
  push_range(host, 101, 1, "bounce");
  CHECK(wait_until([&] {
    const std::vector<Request> requests = receiver.log().requests();
    return std::any_of(requests.begin(), requests.end(), [](const Request& request) {
      return request.target == "/after" && request.body.find("\"101\"") != std::string::npos &&
             request.header("X-MessageSystems-Webhook-Token") == "sesame";
    });
  }));
  for (const Request& request : receiver.log().requests()) {
    CHECK(request.target != "/paused");
    CHECK(request.target != "/inactive");
    if (request.target == "/after") CHECK(request.body.find("delivery") == std::string::npos);
  }
  host.must(posthaste_resume(host.get(), "paused", host.error()));
  CHECK(wait_until([&] {
    std::set<std::string> seen;
    for (const Request& request : receiver.log().requests()) {
      if (request.target != "/paused") continue;
      for (int i : {0, 4, 5, 9, 100, 101}) {
        if (request.body.find(payload(i).substr(1, payload(i).size() - 2)) != std::string::npos)
          seen.insert(std::to_string(i));
      }
    }
    return seen.size() == 6;
  }));
}

TEST_CASE("A change that leaves the open batch open loses none of its events over a kill",
          "[integration][durable][unsanitized]") {
  TemporaryDirectory directory;
  Receiver receiver;
  run_and_kill(durable(directory, {{"batch.max_age", "1h"}}), [&](Host& host) {
    host.put("w", receiver.url()).start();
    push_range(host, 0, 10);
    host.must(sync(host));
    host.put("w", receiver.url(), {{"name", "renamed"}});
    push_range(host, 10, 10);
    host.must(sync(host));
  });
  Host host(durable(directory));
  host.start();
  CHECK(wait_until([&] { return accepted_ids(receiver).size() == 20; }));
  CHECK((accepted_ids(receiver) == each_once(0, 20)));
}

TEST_CASE("What a paused webhook had when it was removed is delivered after a kill",
          "[integration][durable][unsanitized]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.answer_with(503);
  run_and_kill(durable(directory, {{"retry.base", "1h"}, {"retry.max", "1h"}}), [&](Host& host) {
    host.put("w", receiver.url()).start();
    host.must(posthaste_pause(host.get(), "w", host.error()));
    push_range(host, 0, 10);
    host.must(sync(host));
    host.must(posthaste_remove(host.get(), "w", POSTHASTE_REMOVE_DRAIN, host.error()));
    host.must(sync(host));
  });
  receiver.behave();
  Host host(durable(directory));
  host.start();
  CHECK(wait_until([&] { return accepted_ids(receiver).size() == 10; }));
  CHECK((accepted_ids(receiver) == each_once(0, 10)));
  CHECK(wait_until([&] { return host.stats().find("\"id\":\"w\"") == std::string::npos; }));
}

TEST_CASE("A webhook that is removed with its batches gives up those whose rows are still to come",
          "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.hang();
  Host host(durable(directory, {{"batch.max_age", "1h"}, {"batch.max_events", "5"}}));
  host.put("w", receiver.url()).start();
  push_range(host, 0, 1003);
  host.must(posthaste_remove(host.get(), "w", POSTHASTE_REMOVE_DROP, host.error()));
  host.must(sync(host));
  uint64_t dropped = 0;
  CHECK(wait_until([&] {
    for (const ReportHandle& report : host.take_reports()) {
      if (posthaste_report_reason(report.get()) != POSTHASTE_REASON_REMOVED) continue;
      dropped += posthaste_report_events(report.get());
    }
    // At most the batch that is under way is left.
    return dropped >= 998;
  }));
}

TEST_CASE("One engine has a spool directory", "[integration][durable]") {
  TemporaryDirectory directory;
  Host first(durable(directory));
  first.start();
  Host second(durable(directory));
  CHECK(posthaste_start(second.get(), second.error()) == POSTHASTE_E_STATE);
  CHECK(second.message().find(directory.path()) != std::string::npos);
  first.close();
}

TEST_CASE("The spool's directory and files are nobody else's", "[integration][durable]") {
  TemporaryDirectory parent;
  const std::string path = parent.path("spool");
  {
    Host host({{"spool.dir", path}, {"spool.file_bytes", "1MiB"}});
    host.start();
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      INFO(entry.path());
      REQUIRE(::stat(entry.path().c_str(), &info) == 0);
      CHECK((info.st_mode & 07777) == 0600);
    }
  }
  REQUIRE(::chmod(path.c_str(), 0777) == 0);
  Host host({{"spool.dir", path}});
  CHECK(posthaste_start(host.get(), host.error()) == POSTHASTE_E_SPOOL_IO);
  CHECK(host.message().find("writ") != std::string::npos);
}

TEST_CASE("A dead webhook gives up its oldest batches over its quota and hurts nobody",
          "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  Host host(durable(directory, {{"batch.max_events", "100"}}));
  host.put("dead", kDeadTarget, {{"webhook.max_spool_bytes", "64KiB"}})
      .put("well", receiver.url())
      .start();
  constexpr int kEvents = 5000;
  for (int i = 0; i < kEvents; ++i) REQUIRE(host.push("delivery", payload(i)) == POSTHASTE_OK);
  CHECK(wait_until([&] { return accepted_ids(receiver).size() == kEvents; }));
  CHECK((accepted_ids(receiver) == each_once(0, kEvents)));
  uint64_t dropped = 0;
  REQUIRE(wait_until([&] {
    while (const ReportHandle report = host.next_report(POSTHASTE_REPORT_DROPPED, 0)) {
      CHECK(posthaste_report_webhook_id(report.get()) == std::string("dead"));
      CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_QUOTA);
      dropped += posthaste_report_events(report.get());
    }
    return dropped > kEvents / 2;
  }));
}

TEST_CASE("Space of delivered batches is used again", "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  Host host(durable(directory, {{"spool.file_bytes", "256KiB"}, {"batch.max_events", "1000"}}));
  host.put("w", receiver.url()).start();
  uint64_t first_size = 0;
  for (int round = 0; round < 12; ++round) {
    push_range(host, round * 5000, 5000);
    host.must(host.flush());
    std::this_thread::sleep_for(round < 3 ? 1200ms : 300ms);
    if (round == 2) first_size = directory.size_bytes();
  }
  CHECK(wait_until([&] { return directory.size_bytes() <= first_size + (2u << 20); }, 5s));
}

TEST_CASE("An expired batch is kept as a dead letter when that is wanted",
          "[integration][durable]") {
  TemporaryDirectory directory;
  Host host(durable(directory, {{"retry.max_age", "300ms"}, {"dead_letter", "on"}}));
  host.put("w", kDeadTarget).start();
  push_range(host, 0, 7);
  const ReportHandle report = host.next_report(POSTHASTE_REPORT_DEAD_LETTERED);
  REQUIRE(report);
  CHECK(posthaste_report_events(report.get()) == 7);
  CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_EXPIRED);
}

TEST_CASE("Losses are reported after a restart until they were pulled", "[integration][durable]") {
  TemporaryDirectory directory;
  {
    Host host(durable(directory, {{"retry.max_age", "200ms"}}));
    host.put("w", kDeadTarget).start();
    push_range(host, 0, 7);
    REQUIRE(wait_until([&] { return host.stat("expired") == 7; }));
    REQUIRE(sync(host) == POSTHASTE_OK);
  }
  for (int start = 0; start < 2; ++start) {
    Host host(durable(directory, {{"retry.max_age", "200ms"}}));
    host.start();
    const ReportHandle report = host.next_report(POSTHASTE_REPORT_DROPPED, 300);
    CHECK((report != nullptr) == (start == 0));
    if (report) {
      CHECK(posthaste_report_webhook_id(report.get()) == std::string("w"));
      CHECK(posthaste_report_events(report.get()) == 7);
      CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_EXPIRED);
    }
  }
}

TEST_CASE("The retry age goes on over a restart, but nothing expires before a first outcome",
          "[integration][durable]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.answer_with(503);
  {
    Host host(durable(directory, {{"retry.max_age", "1s"}}));
    host.put("w", receiver.url()).start();
    push_range(host, 0, 3);
    REQUIRE(host.next_report(POSTHASTE_REPORT_RETRYING));
    host.close(0);
  }
  std::this_thread::sleep_for(1100ms);
  SECTION("the endpoint answers now: one attempt more") {
    receiver.behave();
    Host host(durable(directory, {{"retry.max_age", "1s"}}));
    host.start();
    CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED));
  }
  SECTION("the endpoint fails still: the first failure ends it") {
    const size_t before = receiver.log().requests().size();
    Host host(durable(directory, {{"retry.max_age", "1s"}}));
    host.start();
    const ReportHandle report = host.next_report(POSTHASTE_REPORT_DROPPED);
    REQUIRE(report);
    CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_EXPIRED);
    CHECK(receiver.log().requests().size() == before + 1);
  }
}

TEST_CASE("Sync answers E_STATE in memory mode and before the start", "[integration][durable]") {
  Host memory;
  memory.start();
  CHECK(sync(memory) == POSTHASTE_E_STATE);
  TemporaryDirectory directory;
  Host host(durable(directory));
  CHECK(sync(host) == POSTHASTE_E_STATE);
}

TEST_CASE("A sync by ticket ends in a report", "[integration][durable]") {
  TemporaryDirectory directory;
  Host host(durable(directory));
  host.put("w", kDeadTarget).start();
  push_range(host, 0, 3);
  uint64_t ticket = 0;
  host.must(posthaste_sync_ticket(host.get(), &ticket, host.error()));
  const ReportHandle report = host.next_report(POSTHASTE_REPORT_TICKET);
  REQUIRE(report);
  CHECK(posthaste_report_ticket(report.get()) == ticket);
  CHECK(posthaste_report_code(report.get()) == POSTHASTE_OK);
}

TEST_CASE("A type that the host defined is known after a restart",
          "[integration][durable][unsanitized]") {
  TemporaryDirectory directory;
  Receiver receiver;
  run_and_kill(durable(directory, {{"batch.max_age", "1h"}}), [&](Host& host) {
    host.must(posthaste_define_type(host.get(), "greylisted", "message_event", host.error()));
    host.put("w", receiver.url()).start();
    push_range(host, 0, 3, "greylisted");
    host.must(sync(host));
  });
  Host host(durable(directory));
  host.start();
  CHECK(wait_until([&] { return accepted_ids(receiver) == each_once(0, 3); }));
}
