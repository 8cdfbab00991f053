// Signed and compressed batches over real sockets, verified by independent implementations: see
// verify_webhooks.js.
#include <catch2/catch.hpp>

#include <sys/wait.h>

#include <cctype>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "support/host.h"
#include "support/receiver.h"
#include "support/temporary_directory.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr const char* kNextSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
// RFC 8032, section 7.1, test 1.
constexpr const char* kPrivateKey = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
constexpr const char* kPublicKey = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

// What is sent has no character that JSON would escape.
std::string line_of(const Request& request) {
  std::string headers;
  for (const Header& header : request.headers) {
    std::string name = header.name;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    headers += (headers.empty() ? "\"" : ",\"") + name + "\":\"" + header.value + "\"";
  }
  return "{\"headers\":{" + headers + "},\"body\":\"" + hex(request.body) + "\"}\n";
}

struct Verified {
  std::string id;
  int64_t timestamp_s = 0;
  uint64_t events_count = 0;
};

// What the script says of each request; throws when one does not verify with each of the keys.
std::vector<Verified> verify(const std::vector<Request>& requests,
                             const std::vector<std::string>& keys) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/requests";
  {
    std::ofstream out(file);
    for (const Request& request : requests) out << line_of(request);
  }
  std::string command =
      "node " POSTHASTE_TEST_SOURCES "/verify_webhooks.js " POSTHASTE_NODE_MODULES;
  command += " " + file;
  for (const std::string& key : keys) command += " " + key;
  std::string text;
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  char piece[4096];
  for (size_t size = 0; (size = fread(piece, 1, sizeof piece, pipe)) > 0;) text.append(piece, size);
  const int status = pclose(pipe);
  // scripts/test.sh installs what the script needs.
  INFO(text);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  std::vector<Verified> verified;
  std::istringstream lines(text);
  for (Verified one; lines >> one.id >> one.timestamp_s >> one.events_count;) {
    verified.push_back(one);
  }
  REQUIRE(verified.size() == requests.size());
  return verified;
}

void push_events(const Host& host, int count) {
  for (int i = 0; i < count; ++i) {
    host.must(host.push("delivery",
                        "{\"subject\":\"Gr\xc3\xbc\xc3\x9f"
                        "e \xf0\x9f\x93\xac\",\"n\":" +
                            std::to_string(i) + "}"));
  }
}

}  // namespace

TEST_CASE("Batches verify with the reference library, compressed or not",
          "[integration][signing]") {
  const std::string compression = GENERATE("none", "gzip", "zstd");
  Receiver receiver;
  Host host(Settings{{"compression", compression}});
  host.put("w", receiver.url(), {{"signing.secrets", std::string(kSecret) + " " + kPrivateKey}})
      .start();
  host.must(posthaste_verify(host.get(), "w", 20'000, host.error()));
  push_events(host, 3000);
  host.must(host.flush());
  REQUIRE(receiver.log().wait_for_requests(2, 20s));
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 2);
  for (const Request& request : requests) {
    CHECK(request.header("Content-Encoding").value_or("none") == compression);
    CHECK(request.header("Content-Length") == std::to_string(request.body.size()));
  }
  const std::vector<Verified> verified = verify(requests, {kSecret, kPublicKey});
  // The test POST is signed and compressed like the batch.
  CHECK(verified[0].events_count == 1);
  CHECK(verified[1].events_count == 3000);
  CHECK(verified[1].id == requests[1].header("X-MessageSystems-Batch-ID"));
}

TEST_CASE(
    "Secrets rotate while a batch waits, and each attempt has a time and a signature of its own",
    "[integration][signing]") {
  const std::string compression = GENERATE("none", "zstd");
  Receiver receiver;
  receiver.answer_with(503);
  Host host({{"compression", compression}, {"retry.base", "1100ms"}, {"retry.jitter", "none"}});
  host.put("w", receiver.url(), {{"signing.secrets", kSecret}}).start();
  push_events(host, 10);
  host.flush(0);
  REQUIRE(host.next_report(POSTHASTE_REPORT_RETRYING));
  const WebhookHandle change(posthaste_webhook_new());
  const std::string both = std::string(kNextSecret) + "," + kSecret;
  host.must(posthaste_webhook_set(change.get(), "signing.secrets", both.c_str(), host.error()));
  host.must(posthaste_update(host.get(), "w", change.get(), 20'000, host.error()));
  receiver.behave();
  REQUIRE(receiver.log().wait_for_requests(2, 20s));
  const std::vector<Request> requests = receiver.log().requests();
  const std::vector<Verified> before = verify({requests[0]}, {kSecret});
  const std::vector<Verified> after = verify({requests[1]}, {kSecret, kNextSecret});
  CHECK(after[0].id == before[0].id);
  CHECK(after[0].timestamp_s > before[0].timestamp_s);
  CHECK(after[0].events_count == 10);
}

TEST_CASE("A receiver that begins to refuse compressed bodies gets them as JSON",
          "[integration][signing]") {
  Receiver receiver;
  receiver.set_decide([](const Request& request) {
    Reply reply;
    reply.status = request.header("Content-Encoding") ? 415 : 200;
    return reply;
  });
  Host host(Settings{{"compression", "gzip"}});
  host.put("w", receiver.url(), {{"signing.secrets", kSecret}}).start();
  push_events(host, 100);
  host.must(host.flush());
  const ReportHandle refused = host.next_report(POSTHASTE_REPORT_RETRYING);
  REQUIRE(refused);
  REQUIRE(receiver.log().wait_for_requests(2, 20s));
  CHECK(posthaste_report_status(refused.get()) == 415);
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].header("Content-Encoding") == std::nullopt);
  CHECK(requests[1].event_count == 100);
  verify(requests, {kSecret});
}

TEST_CASE("A bad secret is refused where it is given, and not shown", "[integration][signing]") {
  Host host;
  const WebhookHandle webhook =
      host.webhook("http://127.0.0.1:9/", {{"signing.secrets", "whsec_hunter2"}});
  CHECK(posthaste_put(host.get(), "w", webhook.get(), host.error()) == POSTHASTE_E_BAD_VALUE);
  CHECK(host.message().find("hunter2") == std::string::npos);
  CHECK(host.message().find("signing.secrets") == 0);
  host.put("w", "http://127.0.0.1:9/");
  CHECK(posthaste_set(host.get(), "signing.secrets", "whsec_hunter2", host.error()) ==
        POSTHASTE_E_BAD_VALUE);
}
