// Batches over real sockets: what is sent, how it is tried again, and how it ends.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "support/host.h"
#include "support/receiver.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

const Settings kQuickRetry = {{"retry.base", "50ms"}, {"retry.max", "100ms"}};

std::string payload(int number) {
  return "{\"message_id\":\"" + std::to_string(number) + "\"}";
}

}  // namespace

TEST_CASE("A batch carries exactly the headers of the original", "[integration][delivery]") {
  Receiver receiver;
  Host host;
  host.put("w", receiver.url("/hook?a=1"), {{"auth_token", "sesame"}, {"header.X-Tenant", "7"}})
      .start();
  host.must(host.push("delivery", R"({"timestamp":"1","event_id":"2","type":"delivery"})"));
  host.must(host.flush());
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 1);
  const Request& request = requests[0];
  CHECK(request.method == "POST");
  CHECK(request.target == "/hook?a=1");
  CHECK(request.body ==
        R"([{"msys":{"message_event":{"timestamp":"1","event_id":"2","type":"delivery"}}}])");
  std::set<std::string> names;
  for (const Header& header : request.headers) names.insert(header.name);
  CHECK(names ==
        std::set<std::string>{"Host", "Content-Type", "User-Agent", "X-MessageSystems-Batch-ID",
                              "X-MessageSystems-Webhook-Token", "X-Tenant", "Content-Length"});
  CHECK(request.header("User-Agent") == "posthaste/" + std::string(posthaste_version()));
  CHECK(request.header("Content-Length") == std::to_string(request.body.size()));
  CHECK(request.header("X-MessageSystems-Batch-ID")->size() == 36);
}

TEST_CASE("A batch comes again with the same id and the same bytes until it is accepted",
          "[integration][delivery]") {
  Receiver receiver;
  receiver.answer_sequence({500, 500, 503, 200});
  Host host(kQuickRetry);
  host.put("w", receiver.url()).start();
  for (int i = 0; i < 100; ++i) host.must(host.push("delivery", payload(i)));
  host.must(host.flush());
  const ReportHandle delivered = host.next_report(POSTHASTE_REPORT_DELIVERED);
  REQUIRE(delivered);
  CHECK(posthaste_report_attempts(delivered.get()) == 4);
  CHECK(posthaste_report_events(delivered.get()) == 100);
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 4);
  for (const Request& request : requests) {
    CHECK(request.body == requests[0].body);
    CHECK(request.header("X-MessageSystems-Batch-ID") ==
          requests[0].header("X-MessageSystems-Batch-ID"));
  }
  CHECK(requests[0].event_count == 100);
}

TEST_CASE("Any 2xx is success and no redirect is followed", "[integration][delivery]") {
  const int status = GENERATE(200, 201, 204, 299);
  Receiver elsewhere;
  Receiver receiver;
  receiver.set_rules(
      {{.first = 1, .statuses = {302}, .reply = {.headers = {{"Location", elsewhere.url()}}}}});
  receiver.set_default({.status = status});
  Host host(kQuickRetry);
  host.put("w", receiver.url()).start();
  host.must(host.push("open", "{}"));
  const ReportHandle retrying = (host.flush(), host.next_report(POSTHASTE_REPORT_RETRYING));
  REQUIRE(retrying);
  CHECK(posthaste_report_status(retrying.get()) == 302);
  const ReportHandle delivered = host.next_report(POSTHASTE_REPORT_DELIVERED);
  REQUIRE(delivered);
  CHECK(posthaste_report_status(delivered.get()) == status);
  CHECK(elsewhere.log().connections().empty());
}

TEST_CASE("A batch that is refused until retry.max_age is deleted and reported once",
          "[integration][delivery]") {
  const bool is_listening = GENERATE(true, false);
  Receiver receiver;
  receiver.answer_with(503);
  const std::string target = receiver.url();
  if (!is_listening) receiver.stop();
  Host host(Settings{{"retry.base", "100ms"}, {"retry.max", "200ms"}, {"retry.max_age", "1s"}});
  host.put("w", target).start();
  host.must(host.push("bounce", "{}"));
  host.must(host.flush());
  const ReportHandle dropped = host.next_report(POSTHASTE_REPORT_DROPPED);
  REQUIRE(dropped);
  CHECK(posthaste_report_reason(dropped.get()) == POSTHASTE_REASON_EXPIRED);
  CHECK(posthaste_report_events(dropped.get()) == 1);
  CHECK(posthaste_report_count(dropped.get()) == 1);
  CHECK_FALSE(host.next_report(POSTHASTE_REPORT_DROPPED, 500));
  CHECK(host.stat("expired") == 1);
  const size_t attempts = receiver.log().requests().size();
  std::this_thread::sleep_for(400ms);
  CHECK(receiver.log().requests().size() == attempts);
}

TEST_CASE("Flush does not wait for an endpoint that is backing off", "[integration][delivery]") {
  Receiver receiver;
  receiver.answer_with(503);
  Host host;
  host.put("w", receiver.url()).start();
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  host.must(host.push("delivery", "{}"));
  const auto begin = Clock::now();
  host.must(host.flush());
  CHECK(Clock::now() - begin < 900ms);
}

TEST_CASE("Queued batches of an edited webhook keep their old target", "[integration][delivery]") {
  Receiver before;
  before.fail_first(2);
  Receiver after;
  Host host(kQuickRetry);
  host.put("w", before.url("/old"), {{"auth_token", "first"}}).start();
  host.must(host.push("delivery", payload(1)));
  host.must(host.flush());
  host.put("w", after.url("/new"), {{"auth_token", "second"}});
  host.must(host.push("delivery", payload(2)));
  host.must(host.flush());
  REQUIRE(before.log().wait_for_accepted_events(1, 10s));
  REQUIRE(after.log().wait_for_accepted_events(1, 10s));
  CHECK_THAT(after.log().requests()[0].body, Catch::Contains("\"message_id\":\"2\""));
  CHECK(after.log().requests()[0].header("X-MessageSystems-Webhook-Token") == "second");
  // Another origin: the new token never goes to the old target.
  for (const Request& request : before.log().requests()) {
    CHECK(request.header("X-MessageSystems-Webhook-Token") == "first");
  }
}

TEST_CASE("Queued batches of a removed webhook drain, and a flag drops them",
          "[integration][delivery]") {
  const bool drops = GENERATE(false, true);
  Receiver receiver;
  receiver.fail_first(1);
  Host host(Settings{{"retry.base", "300ms"}});
  host.put("w", receiver.url()).start();
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  host.must(posthaste_remove(host.get(), "w",
                             drops ? POSTHASTE_REMOVE_DROP : POSTHASTE_REMOVE_DRAIN, host.error()));
  CHECK(posthaste_wants(host.get(), nullptr) == 0);
  if (drops) {
    const ReportHandle dropped = host.next_report(POSTHASTE_REPORT_DROPPED);
    REQUIRE(dropped);
    CHECK(posthaste_report_reason(dropped.get()) == POSTHASTE_REASON_REMOVED);
    CHECK(receiver.log().totals().accepted_events == 0);
  } else {
    CHECK(receiver.log().wait_for_accepted_events(1, 10s));
  }
}

TEST_CASE("A paused webhook takes events and sends them after resume", "[integration][delivery]") {
  Receiver receiver;
  Host host;
  host.put("w", receiver.url()).start();
  host.must(posthaste_pause(host.get(), "w", host.error()));
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  CHECK(receiver.log().totals().requests == 0);
  host.must(posthaste_resume(host.get(), "w", host.error()));
  CHECK(receiver.log().wait_for_accepted_events(1, 10s));
}

TEST_CASE("A batch leaves by count, by age and by bytes", "[integration][delivery]") {
  Receiver receiver;
  Host host;
  host.put("count", receiver.url("/count"), {{"batch.max_events", "10"}})
      .put("age", receiver.url("/age"), {{"batch.max_age", "300ms"}})
      .put("idle", receiver.url("/idle"))
      .start();
  for (int i = 0; i < 25; ++i) host.must(host.push("delivery", payload(i)));
  REQUIRE(receiver.log().wait_for_requests(3, 10s));
  std::map<std::string, std::vector<uint64_t>> counts;
  for (const Request& request : receiver.log().requests())
    counts[request.path].push_back(request.event_count);
  CHECK(counts["/count"] == std::vector<uint64_t>{10, 10});
  CHECK(counts["/age"] == std::vector<uint64_t>{25});
  CHECK(counts.count("/idle") == 0);
}

TEST_CASE("Batch status lists failed batches, and all of them when asked",
          "[integration][delivery]") {
  Receiver receiver;
  receiver.fail_first(1);
  Host host(kQuickRetry);
  host.put("w", receiver.url()).start();
  for (int i = 0; i < 2; ++i) {
    host.must(host.push("delivery", "{}"));
    host.must(host.flush());
    REQUIRE(host.next_report(POSTHASTE_REPORT_DELIVERED));
  }
  const auto status = [&](int32_t which) {
    posthaste_text_t* text = nullptr;
    host.must(posthaste_batch_status(host.get(), "w", 0, which, &text, host.error()));
    const TextHandle owner(text);
    return std::string(posthaste_text_data(text));
  };
  const auto count = [](const std::string& text) {
    size_t found = 0;
    for (size_t at = 0; (at = text.find("\"batch_id\"", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  const std::string failed = status(POSTHASTE_STATUS_FAILED);
  CHECK(count(failed) == 1);
  CHECK_THAT(failed,
             Catch::Contains("\"attempts\":1") && Catch::Contains("\"response_code\":\"200\""));
  CHECK(count(status(POSTHASTE_STATUS_ALL)) == 2);
}

TEST_CASE("Of 3 bad events among 1,000 the others arrive once, and the 3 are known alone",
          "[integration][delivery]") {
  Receiver receiver;
  std::vector<Rule> rules;
  for (const char* bad : {"\"poison-1\"", "\"poison-2\"", "\"poison-3\""}) {
    rules.emplace_back().marker = bad;
    rules.back().reply.status = 422;
  }
  receiver.set_rules(rules);
  Host host({{"retry.base", "1ms"}, {"retry.max", "20ms"}, {"retry.max_age", "8s"}});
  host.put("w", receiver.url()).start();
  for (int i = 0; i < 1000; ++i) {
    const bool is_bad = i == 17 || i == 420 || i == 999;
    const std::string poison = i == 17 ? "poison-1" : i == 420 ? "poison-2" : "poison-3";
    host.must(host.push("delivery", "{\"message_id\":\"" + std::to_string(i) + "\",\"reason\":\"" +
                                        (is_bad ? poison : std::string("fine")) + "\"}"));
  }
  host.must(host.flush());
  uint64_t expired = 0;
  while (expired < 3) {
    const ReportHandle report = host.next_report(POSTHASTE_REPORT_DROPPED);
    REQUIRE(report);
    CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_EXPIRED);
    expired += posthaste_report_events(report.get());
  }
  CHECK(expired == 3);
  std::map<std::string, int> taken;
  size_t isolating = 0;
  for (const Request& request : receiver.log().requests()) {
    const bool is_single = request.body.find("},{") == std::string::npos;
    if (!is_single) ++isolating;
    if (request.body.find("poison") != std::string::npos) continue;
    size_t at = 0;
    while ((at = request.body.find("\"message_id\":\"", at)) != std::string::npos) {
      at += 14;
      ++taken[request.body.substr(at, request.body.find('"', at) - at)];
    }
  }
  CHECK(taken.size() == 997);
  for (const auto& [id, count] : taken) CHECK(count == 1);
  CHECK(isolating <= 3 + 2 * 3 * 10);
  CHECK(host.stat("split") > 10);
}
