// Proxies, client certificates and versions of TLS: what a connection is made of, and that requests
// which differ in it never share one.
#include <catch2/catch.hpp>

#include "support/certificates.h"
#include "support/proxy.h"
#include "support/receiver.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using transport::Completion;
using transport::Phase;
using transport::Request;

ReceiverOptions tls_options(const Certificate& certificate) {
  ReceiverOptions options;
  options.tls = ReceiverTls{certificate};
  return options;
}

// "host:port" of a target that only the proxy can resolve.
std::string hidden_host(const Receiver& receiver) {
  return "hidden.invalid:" + std::to_string(receiver.port());
}

TEST_CASE("An http target goes through an HTTP proxy, credentials and all", "[transport]") {
  Receiver receiver;
  Proxy proxy;
  TransportFixture fixture;
  Request request = fixture.patient_request("http://" + hidden_host(receiver) + "/hook");
  request.connection.proxy = proxy.url("http", "user:hunter2");
  const Completion completion = fixture.post(request);
  CAPTURE(completion.detail);
  CHECK(completion.status == 200);
  CHECK(proxy.requests() ==
        std::vector<std::string>{"POST http://" + hidden_host(receiver) + "/hook"});
  CHECK(proxy.seen().find("Proxy-Authorization: Basic dXNlcjpodW50ZXIy") != std::string::npos);
}

TEST_CASE("An https target goes through CONNECT, which sees none of its headers", "[transport]") {
  CertificateDirectory directory;
  CertificateSubject subject;
  subject.dns_names = {"hidden.invalid"};
  Receiver receiver(tls_options(make_server_certificate(directory.authority(), subject)));
  Proxy proxy;
  TransportFixture fixture;
  for (int i = 0; i < 2; ++i) {
    Request request = fixture.patient_request("https://" + hidden_host(receiver) + "/hook");
    request.headers.push_back({"X-Secret", "hunter2"});
    request.connection.proxy = proxy.url("http");
    request.connection.ca_file = directory.ca_file();
    const Completion completion = fixture.post(request);
    CAPTURE(completion.detail);
    CHECK(completion.status == 200);
  }
  CHECK(proxy.requests() == std::vector<std::string>{"CONNECT " + hidden_host(receiver)});
  CHECK(proxy.seen().find("hunter2") == std::string::npos);
  CHECK(receiver.log().requests().at(0).header("X-Secret") == "hunter2");
}

TEST_CASE("An https proxy takes http and https targets, and sees no header of the latter",
          "[transport]") {
  CertificateDirectory directory;
  CertificateSubject subject;
  subject.dns_names = {"hidden.invalid"};
  Receiver plain;
  Receiver tls(tls_options(make_server_certificate(directory.authority(), subject)));
  Proxy proxy(make_server_certificate(directory.authority()));
  TransportFixture fixture;
  const std::string http_url = "http://" + hidden_host(plain) + "/hook";
  for (const std::string& url : {http_url, "https://" + hidden_host(tls) + "/hook"}) {
    Request request = fixture.patient_request(url);
    request.headers.push_back({"X-Secret", "hunter2"});
    request.connection.proxy = proxy.url("https", "user:password");
    request.connection.ca_file = directory.ca_file();
    const Completion completion = fixture.post(request);
    CAPTURE(url, completion.detail);
    CHECK(completion.status == 200);
  }
  CHECK(proxy.requests() ==
        std::vector<std::string>{"POST " + http_url, "CONNECT " + hidden_host(tls)});
  const std::string seen = proxy.seen();
  const std::string credentials = "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==";
  CHECK(seen.find(credentials) < seen.rfind(credentials));
  // A plain target's headers are the proxy's to pass on.
  CHECK(seen.find("hunter2") == seen.rfind("hunter2"));
  CHECK(tls.log().requests().at(0).header("X-Secret") == "hunter2");
}

TEST_CASE("An https proxy is trusted by tls.ca_file only, and gets nothing before that",
          "[transport]") {
  CertificateDirectory trusted;
  CertificateDirectory other;
  Receiver receiver;
  Proxy proxy(make_server_certificate(other.authority()));
  TransportFixture fixture;
  for (const bool verifies_target : {true, false}) {
    Request request = fixture.patient_request(receiver.url("/"));
    request.connection.proxy = proxy.url("https", "user:hunter2");
    request.connection.ca_file = trusted.ca_file();
    // That is about the target.
    request.connection.tls_verify = verifies_target;
    const Completion completion = fixture.post(request);
    CAPTURE(completion.detail, completion.network_name);
    CHECK(completion.status == 0);
    CHECK(completion.phase == Phase::Tls);
    CHECK_FALSE(completion.upload_began);
    CHECK(completion.detail.find("hunter2") == std::string::npos);
  }
  CHECK(proxy.requests().empty());
  CHECK(receiver.log().requests().empty());
}

TEST_CASE("An https proxy whose certificate has another name is refused", "[transport]") {
  CertificateDirectory directory;
  CertificateSubject subject;
  subject.dns_names = {"other.invalid"};
  subject.ip_addresses = {};
  Receiver receiver;
  Proxy proxy(make_server_certificate(directory.authority(), subject));
  TransportFixture fixture;
  Request request = fixture.patient_request(receiver.url("/"));
  request.connection.proxy = proxy.url("https");
  request.connection.ca_file = directory.ca_file();
  const Completion completion = fixture.post(request);
  CAPTURE(completion.detail, completion.network_name);
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Tls);
  CHECK(proxy.requests().empty());
}

TEST_CASE("A SOCKS5 proxy resolves the name only with socks5h", "[transport]") {
  Receiver receiver;
  Proxy proxy;
  TransportFixture fixture;
  Request request = fixture.patient_request("http://" + hidden_host(receiver) + "/hook");
  request.connection.proxy = proxy.url("socks5h", "user:hunter2");
  CHECK(fixture.post(request).status == 200);
  request =
      fixture.patient_request("http://127.0.0.1:" + std::to_string(receiver.port()) + "/hook");
  request.connection.proxy = proxy.url("socks5");
  CHECK(fixture.post(request).status == 200);
  CHECK(proxy.requests() ==
        std::vector<std::string>{"SOCKS5 " + hidden_host(receiver),
                                 "SOCKS5 127.0.0.1:" + std::to_string(receiver.port())});
  CHECK(proxy.seen() == "user:hunter2\n");
}

TEST_CASE("A proxy that is not there is told without its credentials", "[transport]") {
  TransportFixture fixture;
  for (const char* scheme : {"http", "socks5h"}) {
    Request request = fixture.patient_request("http://127.0.0.1:1/");
    request.connection.proxy =
        std::string(scheme) + "://user:hunter2@127.0.0.1:" + std::to_string(closed_port());
    const Completion completion = fixture.post(request);
    CHECK(completion.network_name == "ECONNREFUSED");
    CHECK(completion.detail.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("A proxy that cannot reach the target fails the attempt", "[transport]") {
  Proxy proxy;
  TransportFixture fixture;
  for (const std::string scheme : {"http", "socks5h"}) {
    Request request =
        fixture.patient_request("https://hidden.invalid:" + std::to_string(closed_port()));
    request.connection.proxy = proxy.url(scheme, "user:hunter2");
    const Completion completion = fixture.post(request);
    CAPTURE(completion.detail);
    CHECK(completion.status == 0);
    CHECK(completion.phase == Phase::Connect);
    CHECK(completion.network_name == "ERR_PROXY_CONNECTION_FAILED");
    CHECK(completion.detail.find(scheme == "http" ? "the proxy answered HTTP 502"
                                                  : "the proxy does not connect: ") == 0);
    CHECK(completion.detail.find("hunter2") == std::string::npos);
    CHECK_FALSE(completion.upload_began);
  }
}

TEST_CASE("Requests through a proxy and past it never share a connection", "[transport]") {
  Receiver receiver;
  Proxy proxy;
  TransportFixture fixture;
  for (const std::string& url : {std::string(), proxy.url("http"), proxy.url("http", "a:b"),
                                 proxy.url("http", "a:c"), std::string()}) {
    Request request = fixture.patient_request(receiver.url("/"));
    request.connection.proxy = url;
    CHECK(fixture.post(request).status == 200);
  }
  CHECK(proxy.requests().size() == 3);
}

TEST_CASE("A receiver that wants a client certificate gets the one of the request", "[transport]") {
  CertificateDirectory directory;
  directory.write("client", make_client_certificate(directory.authority(), "posthaste"));
  ReceiverOptions options = tls_options(make_server_certificate(directory.authority()));
  options.tls->client_certificates = ClientCertificates::Required;
  options.tls->client_authority_pem = directory.authority().certificate_pem;
  Receiver receiver(options);
  TransportFixture fixture;
  const auto post = [&](bool has_certificate) {
    Request request = fixture.patient_request(receiver.url("/"));
    request.connection.ca_file = directory.ca_file();
    if (has_certificate) {
      request.connection.client_cert = directory.certificate_file("client");
      request.connection.client_key = directory.key_file("client");
    }
    return fixture.post(request);
  };
  CHECK(post(true).status == 200);
  // Nothing of the kept connection is left to the one without.
  const Completion refused = post(false);
  CAPTURE(refused.network_name, refused.detail);
  CHECK(refused.status == 0);
  CHECK(refused.reached != transport::Reached::Yes);
  CHECK(post(true).status == 200);
  CHECK(receiver.log().requests().size() == 2);
}

TEST_CASE("A receiver whose TLS is older than the minimum is refused", "[transport]") {
  struct Case {
    int receiver_max;
    core::TlsVersion minimum;
    bool passes;
  };
  const Case cases[] = {{TLS1_2_VERSION, core::TlsVersion::V1_2, true},
                        {TLS1_2_VERSION, core::TlsVersion::V1_3, false},
                        {TLS1_3_VERSION, core::TlsVersion::V1_3, true},
                        {TLS1_1_VERSION, core::TlsVersion::V1_2, false},
                        {TLS1_1_VERSION, core::TlsVersion::V1_1, true},
                        {TLS1_VERSION, core::TlsVersion::V1_1, false},
                        {TLS1_VERSION, core::TlsVersion::V1_0, true}};
  CertificateDirectory directory;
  for (const Case& each : cases) {
    CAPTURE(each.receiver_max, static_cast<int>(each.minimum));
    ReceiverOptions options = tls_options(make_server_certificate(directory.authority()));
    options.tls->version_max = each.receiver_max;
    Receiver receiver(options);
    TransportFixture fixture;
    Request request = fixture.patient_request(receiver.url("/"));
    request.connection.ca_file = directory.ca_file();
    request.connection.tls_min_version = each.minimum;
    const Completion completion = fixture.post(request);
    CAPTURE(completion.network_name, completion.detail);
    CHECK((completion.status == 200) == each.passes);
    if (!each.passes) CHECK(completion.phase == Phase::Tls);
  }
}

TEST_CASE("A client certificate that cannot be read is told by its file", "[transport]") {
  CertificateDirectory directory;
  Receiver receiver(tls_options(make_server_certificate(directory.authority())));
  TransportFixture fixture;
  Request request = fixture.patient_request(receiver.url("/"));
  request.connection.ca_file = directory.ca_file();
  request.connection.client_cert = directory.path() + "/missing.pem";
  request.connection.key_password = "hunter2";
  const Completion completion = fixture.post(request);
  CAPTURE(completion.detail);
  CHECK(completion.phase == Phase::Tls);
  CHECK(completion.detail.find("missing.pem") != std::string::npos);
  CHECK(completion.detail.find("hunter2") == std::string::npos);
}

TEST_CASE("Requests with unequal TLS options never share a connection", "[transport]") {
  CertificateDirectory directory;
  directory.write("one", make_client_certificate(directory.authority(), "one"));
  directory.write("two", make_client_certificate(directory.authority(), "two"));
  Receiver receiver(tls_options(make_server_certificate(directory.authority())));
  TransportFixture fixture;
  transport::ConnectionOptions options;
  options.ca_file = directory.ca_file();
  std::vector<transport::ConnectionOptions> all = {options};
  options.client_cert = directory.certificate_file("one");
  options.client_key = directory.key_file("one");
  all.push_back(options);
  options.client_cert = directory.certificate_file("two");
  options.client_key = directory.key_file("two");
  all.push_back(options);
  options.tls_min_version = core::TlsVersion::V1_3;
  all.push_back(options);
  options.tls_verify = false;
  all.push_back(options);
  for (const transport::ConnectionOptions& each : all) {
    Request request = fixture.patient_request(receiver.url("/"));
    request.connection = each;
    const Completion completion = fixture.post(request);
    CAPTURE(completion.detail);
    CHECK(completion.status == 200);
  }
  CHECK(receiver.log().connections().size() == all.size());
}

TEST_CASE("Unequal private keys of one certificate never share a connection", "[transport]") {
  CertificateDirectory directory;
  directory.write("one", make_client_certificate(directory.authority(), "one"));
  directory.write("two", make_client_certificate(directory.authority(), "two"));
  ReceiverOptions server = tls_options(make_server_certificate(directory.authority()));
  server.tls->client_certificates = ClientCertificates::Required;
  server.tls->client_authority_pem = directory.authority().certificate_pem;
  Receiver receiver(server);
  TransportFixture fixture;
  Request request = fixture.patient_request(receiver.url("/"));
  request.connection.ca_file = directory.ca_file();
  request.connection.client_cert = directory.certificate_file("one");
  request.connection.client_key = directory.key_file("one");
  CHECK(fixture.post(request).status == 200);
  Request other = fixture.patient_request(receiver.url("/"));
  other.connection = request.connection;
  other.connection.client_key = directory.key_file("two");
  CHECK(fixture.post(other).status == 0);
}

}  // namespace
}  // namespace posthaste::testing
