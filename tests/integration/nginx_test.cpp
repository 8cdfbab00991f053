// Deliveries to a receiver behind nginx: TLS, client certificates, and its limit for a body.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "support/certificates.h"
#include "support/host.h"
#include "support/nginx.h"
#include "support/receiver.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

// Purpose: a receiver behind nginx that wants client certificates, and files for a client.
struct GuardedReceiver {
  CertificateDirectory directory;
  Receiver receiver;
  Nginx nginx{{.server = make_server_certificate(directory.authority()),
               .client_authority_pem = directory.authority().certificate_pem,
               .upstream_port = receiver.port()}};

  GuardedReceiver() {
    directory.write("mail", make_client_certificate(directory.authority(), "mail.example"));
  }
  Settings keys() const {
    return {{"tls.ca_file", directory.ca_file()},
            {"tls.client_cert", directory.certificate_file("mail")},
            {"tls.client_key", directory.key_file("mail")}};
  }
};

}  // namespace

TEST_CASE("nginx takes batches of a client with its certificate, and knows who it is",
          "[integration][nginx]") {
  const GuardedReceiver guarded;
  Host host;
  host.put("w", guarded.nginx.url("/hook"), guarded.keys()).start();
  host.must(posthaste_verify(host.get(), "w", 20'000, host.error()));
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  REQUIRE(guarded.receiver.log().wait_for_requests(2, 20s));
  for (const Request& request : guarded.receiver.log().requests()) {
    CHECK(request.target == "/hook");
    CHECK(request.header("X-Client-Name") == "CN=mail.example");
    CHECK(request.body_complete);
  }
}

TEST_CASE("nginx refuses a client without a certificate, and one of a stranger",
          "[integration][nginx]") {
  const GuardedReceiver guarded;
  const CertificateDirectory stranger;
  stranger.write("mail", make_client_certificate(stranger.authority(), "mail.example"));
  Settings keys = {{"tls.ca_file", guarded.directory.ca_file()}};
  const bool is_stranger = GENERATE(false, true);
  if (is_stranger) {
    keys["tls.client_cert"] = stranger.certificate_file("mail");
    keys["tls.client_key"] = stranger.key_file("mail");
  }
  Host host;
  host.put("w", guarded.nginx.url(), keys).start();
  // nginx answers these on the connection, with a status.
  CHECK(posthaste_verify(host.get(), "w", 20'000, host.error()) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_error_status(host.error()) == 400);
  CHECK(guarded.receiver.log().requests().empty());
}

TEST_CASE("A body above nginx's limit of 1 MiB is refused with 413, one below it passes",
          "[integration][nginx]") {
  const GuardedReceiver guarded;
  Settings keys = guarded.keys();
  const bool is_compressed = GENERATE(false, true);
  if (is_compressed) keys["compression"] = "gzip";
  Host host;
  host.put("w", guarded.nginx.url(), keys).start();
  const std::string payload = "{\"subject\":\"" + std::string(1000, 'x') + "\"}";
  for (int i = 0; i < 1500; ++i) host.must(host.push("delivery", payload));
  host.flush(0);
  if (is_compressed) {
    // What counts is what goes over the wire.
    REQUIRE(host.next_report(POSTHASTE_REPORT_DELIVERED));
    CHECK(guarded.receiver.log().requests().at(0).header("Content-Encoding") == "gzip");
  } else {
    const ReportHandle refused = host.next_report(POSTHASTE_REPORT_RETRYING);
    REQUIRE(refused);
    CHECK(posthaste_report_status(refused.get()) == 413);
  }
}

TEST_CASE("After nginx's limit was learned, 300 batches pass without a 413",
          "[integration][nginx]") {
  const GuardedReceiver guarded;
  Settings keys = guarded.keys();
  keys["batch.max_events"] = "2000";
  const Settings quick = {{"retry.base", "10ms"}};
  Host host(quick);
  host.put("w", guarded.nginx.url(), keys).start();
  const std::string payload = "{\"subject\":\"" + std::string(1000, 'x') + "\"}";
  uint64_t pushed = 0;
  uint64_t delivered_events = 0;
  uint64_t delivered_batches = 0;
  uint64_t refusals = 0;
  const auto push_and_wait = [&](int events_count) {
    for (int i = 0; i < events_count; ++i) host.push_all("delivery", payload);
    pushed += static_cast<uint64_t>(events_count);
    host.must(host.flush());
    while (delivered_events < pushed) {
      for (const ReportHandle& report : host.take_reports()) {
        const int32_t kind = posthaste_report_kind(report.get());
        if (kind == POSTHASTE_REPORT_RETRYING) {
          CHECK(posthaste_report_status(report.get()) == 413);
          ++refusals;
        } else if (kind == POSTHASTE_REPORT_DELIVERED) {
          ++delivered_batches;
          delivered_events += posthaste_report_events(report.get());
        }
      }
      std::this_thread::sleep_for(1ms);
    }
  };
  push_and_wait(4000);
  CHECK(refusals > 0);
  const uint64_t refusals_before = refusals;
  const uint64_t batches_before = delivered_batches;
  while (delivered_batches < batches_before + 300) push_and_wait(20'000);
  CHECK(refusals == refusals_before);
  CHECK(host.stat("limits_learned") == refusals);
}
