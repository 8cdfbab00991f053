// TLS: whom the transport trusts, and what it says about those it does not.
#include <catch2/catch.hpp>

#include "support/certificates.h"
#include "support/receiver.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using transport::Completion;
using transport::Phase;
using transport::Reached;
using transport::Request;

ReceiverOptions tls_options(const Certificate& certificate) {
  ReceiverOptions options;
  options.tls = ReceiverTls{certificate};
  return options;
}

void check_refused(const Completion& completion, const std::string& network_name) {
  CAPTURE(completion.detail);
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Tls);
  CHECK(completion.network_name == network_name);
  CHECK(completion.reached == Reached::No);
  CHECK_FALSE(completion.connected);
  CHECK_FALSE(completion.upload_began);
  CHECK_FALSE(completion.timed_out);
  CHECK(completion.detail.find('\n') == std::string::npos);
}

TEST_CASE("A receiver of the custom authority is trusted, and its connection kept", "[transport]") {
  CertificateDirectory directory;
  Receiver receiver(tls_options(make_server_certificate(directory.authority())));
  TransportFixture fixture;
  for (int i = 0; i < 3; ++i) {
    Request request = fixture.request(receiver.url("/"));
    request.connection.ca_file = directory.ca_file();
    const Completion completion = fixture.post(request);
    CAPTURE(completion.detail);
    CHECK(completion.status == 200);
    if (i == 0) CHECK(completion.timings.tls > 0ns);
  }
  CHECK(receiver.log().connections().size() == 1);
}

TEST_CASE("Certificates that do not hold are refused before anything is sent", "[transport]") {
  CertificateDirectory directory;
  TransportFixture fixture;
  SECTION("of an authority that is not known") {
    Receiver receiver(tls_options(make_server_certificate(directory.authority())));
    check_refused(fixture.post(receiver.url("/")), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    CHECK(receiver.log().requests().empty());
  }
  SECTION("expired") {
    Receiver receiver(tls_options(make_expired_server_certificate(directory.authority())));
    Request request = fixture.request(receiver.url("/"));
    request.connection.ca_file = directory.ca_file();
    check_refused(fixture.post(request), "CERT_HAS_EXPIRED");
  }
  SECTION("for another name") {
    CertificateSubject other;
    other.common_name = "other.example";
    other.dns_names = {"other.example"};
    other.ip_addresses = {};
    Receiver receiver(tls_options(make_server_certificate(directory.authority(), other)));
    Request request = fixture.request(receiver.url("/"));
    request.connection.ca_file = directory.ca_file();
    check_refused(fixture.post(request), "ERR_TLS_CERT_ALTNAME_INVALID");
  }
  SECTION("self-signed") {
    Receiver receiver(tls_options(make_authority("localhost")));
    check_refused(fixture.post(receiver.url("/")), "DEPTH_ZERO_SELF_SIGNED_CERT");
  }
}

TEST_CASE("A CA file that cannot be read is told by name", "[transport]") {
  CertificateDirectory directory;
  Receiver receiver(tls_options(make_server_certificate(directory.authority())));
  TransportFixture fixture;
  Request request = fixture.request(receiver.url("/"));
  request.connection.ca_file = directory.path() + "/missing.pem";
  const Completion completion = fixture.post(request);
  CHECK(completion.phase == Phase::Tls);
  CHECK(completion.detail.find("the CA file cannot be read") == 0);
  CHECK(completion.detail.find("missing.pem") != std::string::npos);
}

TEST_CASE("Requests that check certificates never share connections with those that do not",
          "[transport]") {
  CertificateDirectory directory;
  Receiver receiver(tls_options(make_server_certificate(directory.authority())));
  TransportFixture fixture;
  Request unchecked = fixture.request(receiver.url("/"));
  unchecked.connection.tls_verify = false;
  CHECK(fixture.post(unchecked).status == 200);
  check_refused(fixture.post(receiver.url("/")), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  CHECK(fixture.post(unchecked).status == 200);
}

TEST_CASE("A server without TLS behind an https target fails the handshake", "[transport]") {
  RawServer server([](int socket) {
    char buffer[1024];
    ::recv(socket, buffer, sizeof buffer, 0);
    send_text(socket, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    ::shutdown(socket, SHUT_WR);
    wait_for_close(socket);
  });
  TransportFixture fixture;
  check_refused(fixture.post("https://127.0.0.1:" + std::to_string(server.port()) + "/"), "EPROTO");
}

TEST_CASE("A reset during the handshake is told as one", "[transport]") {
  RawServer server([](int socket) {
    char byte = 0;
    ::recv(socket, &byte, 1, 0);
    reset_on_close(socket);
  });
  TransportFixture fixture;
  check_refused(fixture.post("https://127.0.0.1:" + std::to_string(server.port()) + "/"),
                "ECONNRESET");
}

}  // namespace
}  // namespace posthaste::testing
