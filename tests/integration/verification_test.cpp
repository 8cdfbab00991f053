// Creating a webhook sends a test POST; what it takes to pass, and what a failure tells.
#include <catch2/catch.hpp>

#include <chrono>

#include "support/host.h"
#include "support/receiver.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

int32_t create(Host& host, const std::string& target, const Settings& keys = {},
               int32_t timeout_ms = 20'000) {
  const WebhookHandle webhook = host.webhook(target, keys);
  return posthaste_create(host.get(), webhook.get(), timeout_ms, nullptr, host.error());
}

size_t webhooks_count(const Host& host) {
  posthaste_webhook_list_t* list = nullptr;
  host.must(posthaste_list(host.get(), &list, host.error()));
  const size_t count = posthaste_webhook_list_count(list);
  posthaste_webhook_list_free(list);
  return count;
}

}  // namespace

TEST_CASE("Create sends the test POST with all of the webhook's headers and registers after 200",
          "[integration][verification]") {
  Receiver receiver;
  Host host;
  host.start();
  posthaste_webhook_t* made = nullptr;
  const WebhookHandle webhook =
      host.webhook(receiver.url("/hook"),
                   {{"events", "delivery"}, {"auth_token", "sesame"}, {"header.X-Tenant", "7"}});
  host.must(posthaste_create(host.get(), webhook.get(), 20'000, &made, host.error()));
  const WebhookHandle owner(made);
  const std::string id = posthaste_webhook_get(made, "id");
  CHECK(id.size() == 36);
  CHECK(id[14] == '1');
  CHECK(std::string(posthaste_webhook_get(made, "state")) == "activating");

  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].body == R"([{"msys":{}}])");
  CHECK(requests[0].header("X-MessageSystems-Webhook-Token") == "sesame");
  CHECK(requests[0].header("X-Tenant") == "7");
  CHECK(requests[0].header("Content-Type") == "application/json");
  CHECK(requests[0].header("Content-Length") == "13");
  CHECK(webhooks_count(host) == 1);
}

TEST_CASE("A test POST answered by anything but 200 creates nothing",
          "[integration][verification]") {
  const int status = GENERATE(201, 204, 302, 404, 503);
  Receiver receiver;
  receiver.answer_with(status, {{"X-Why", "no"}}, status == 204 ? "" : std::string(5000, 'b'));
  Host host;
  host.start();
  REQUIRE(create(host, receiver.url()) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_error_phase(host.error()) == POSTHASTE_PHASE_HTTP);
  CHECK(posthaste_error_status(host.error()) == status);
  CHECK_THAT(host.message(), Catch::Contains(std::to_string(status)));
  size_t size = 0;
  posthaste_error_body(host.error(), &size);
  CHECK(size == (status == 204 ? 0u : 4096u));
  bool has_header = false;
  for (size_t i = 0; i < posthaste_error_header_count(host.error()); ++i) {
    has_header = has_header || std::string(posthaste_error_header_name(host.error(), i)) == "X-Why";
  }
  CHECK(has_header);
  CHECK(webhooks_count(host) == 0);
}

TEST_CASE("verify.accept=2xx widens what passes", "[integration][verification]") {
  Receiver receiver;
  receiver.answer_with(204);
  Host host(Settings{{"verify.accept", "2xx"}});
  host.start();
  CHECK(create(host, receiver.url()) == POSTHASTE_OK);
  receiver.answer_with(302);
  CHECK(create(host, receiver.url()) == POSTHASTE_E_VERIFY_FAILED);
}

TEST_CASE("A failure without an answer tells the phase and the network error's name",
          "[integration][verification]") {
  Host host(Settings{{"request.timeout", "300ms"}});
  host.start();

  std::string dead;
  { dead = Receiver().url(); }
  REQUIRE(create(host, dead) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_error_phase(host.error()) == POSTHASTE_PHASE_CONNECT);
  CHECK(std::string(posthaste_error_network_name(host.error())) == "ECONNREFUSED");
  CHECK_THAT(host.message(),
             Catch::StartsWith("POST to webhook target URL failed with error code ECONNREFUSED"));

  REQUIRE(create(host, "http://name.invalid/") == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_error_phase(host.error()) == POSTHASTE_PHASE_DNS);
  CHECK(std::string(posthaste_error_network_name(host.error())) == "ENOTFOUND");

  Receiver hanging;
  hanging.hang();
  REQUIRE(create(host, hanging.url()) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_error_phase(host.error()) == POSTHASTE_PHASE_TIMEOUT);
  CHECK(std::string(posthaste_error_network_name(host.error())) == "ETIMEDOUT");
}

TEST_CASE("Create returns within its time-out and then creates nothing",
          "[integration][verification]") {
  Receiver receiver;
  receiver.delay_by(1500ms);
  Host host;
  host.start();
  const auto begin = Clock::now();
  CHECK(create(host, receiver.url(), {}, 200) == POSTHASTE_E_TIMEOUT);
  CHECK(Clock::now() - begin < 1200ms);
  REQUIRE(receiver.log().wait_for_requests(1, 10s));
  // The answer arrives, and must not make a webhook of it; a flush passes through the same thread
  // behind it.
  std::this_thread::sleep_for(1700ms);
  host.must(host.flush());
  CHECK(webhooks_count(host) == 0);
}

TEST_CASE("The ticket form answers at once and completes with a report",
          "[integration][verification]") {
  Receiver receiver;
  Host host;
  host.start();
  uint64_t ticket = 0;
  host.must(posthaste_create_ticket(host.get(), host.webhook(receiver.url()).get(), &ticket,
                                    host.error()));
  ReportHandle report = host.next_report(POSTHASTE_REPORT_TICKET);
  REQUIRE(report);
  CHECK(posthaste_report_ticket(report.get()) == ticket);
  CHECK(posthaste_report_code(report.get()) == POSTHASTE_OK);
  CHECK(std::string(posthaste_report_webhook_id(report.get())).size() == 36);

  receiver.answer_with(410);
  host.must(posthaste_create_ticket(host.get(), host.webhook(receiver.url()).get(), &ticket,
                                    host.error()));
  report = host.next_report(POSTHASTE_REPORT_TICKET);
  REQUIRE(report);
  CHECK(posthaste_report_error(report.get(), host.error()) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_error_status(host.error()) == 410);
}

TEST_CASE("A change of target is verified, and nothing changes when that fails",
          "[integration][verification]") {
  Receiver before;
  Receiver after;
  after.answer_with(503);
  Host host;
  host.put("w", before.url("/old")).start();
  const WebhookHandle change(posthaste_webhook_new());
  host.must(posthaste_webhook_set(change.get(), "target", after.url("/new").c_str(), host.error()));
  CHECK(posthaste_update(host.get(), "w", change.get(), 20'000, host.error()) ==
        POSTHASTE_E_VERIFY_FAILED);
  posthaste_webhook_t* found = nullptr;
  host.must(posthaste_find(host.get(), "w", &found, host.error()));
  CHECK(posthaste_webhook_get(found, "target") == before.url("/old"));
  posthaste_webhook_free(found);

  after.behave();
  CHECK(posthaste_update(host.get(), "w", change.get(), 20'000, host.error()) == POSTHASTE_OK);
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  // The test POST's empty record, and the event.
  CHECK(after.log().wait_for_accepted_events(2, 10s));
  CHECK(before.log().totals().requests == 0);
}

TEST_CASE("Verification never occupies a delivery slot", "[integration][verification]") {
  Receiver hanging;
  hanging.hang();
  Receiver receiver;
  Host host(Settings{{"connections.max", "2"}});
  host.put("busy", hanging.url("/1")).put("busy-too", hanging.url("/2")).start();
  host.must(host.push("delivery", "{}"));
  uint64_t ticket = 0;
  host.must(posthaste_flush_ticket(host.get(), &ticket, host.error()));
  REQUIRE(hanging.log().wait_for_requests(2, 10s));
  const auto begin = Clock::now();
  CHECK(create(host, receiver.url()) == POSTHASTE_OK);
  CHECK(Clock::now() - begin < 3s);
}
