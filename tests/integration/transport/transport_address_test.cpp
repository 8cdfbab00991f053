// The address policy at the sockets: whatever a target or the DNS says, what counts is the address
// that libcurl is about to connect to. Every refusal here comes before a socket exists, so no test
// leaves this machine.
#include <catch2/catch.hpp>

#include "interposed.h"
#include "support/proxy.h"
#include "support/receiver.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using core::AddressPolicy;
using core::AddressRule;
using transport::Completion;
using transport::Phase;
using transport::Reached;
using transport::Request;

std::shared_ptr<const AddressPolicy> make_policy(AddressRule rule, const std::string& allow,
                                                 const std::string& deny,
                                                 const std::string& ports = {}) {
  auto policy = std::make_shared<AddressPolicy>();
  policy->rule = rule;
  policy->allow = *core::parse_networks(allow);
  policy->deny = *core::parse_networks(deny);
  policy->ports = *core::parse_ports(ports);
  return policy;
}

std::shared_ptr<const AddressPolicy> no_loopback() {
  return make_policy(AddressRule::Any, "", "127.0.0.0/8, ::1");
}

Completion post(TransportFixture& fixture, const std::string& url,
                const std::shared_ptr<const AddressPolicy>& policy) {
  Request request = fixture.patient_request(url);
  request.addresses = policy;
  return fixture.post(request);
}

void check_refused(const Completion& completion, const std::string& detail) {
  CAPTURE(completion.detail, completion.network_name);
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Connect);
  CHECK(completion.network_name == "EACCES");
  CHECK(completion.reached == Reached::No);
  CHECK_FALSE(completion.connected);
  CHECK_FALSE(completion.upload_began);
  CHECK(completion.detail == "the address policy refuses the connection: " + detail);
}

TEST_CASE("A denied address is refused in every spelling", "[transport]") {
  Receiver receiver;
  const std::string port = ":" + std::to_string(receiver.port()) + "/";
  TransportFixture fixture;
  for (const char* host : {"127.0.0.1",
                           "127.1",
                           "127.0.1",
                           "2130706433",
                           "0x7f000001",
                           "0x7f.1",
                           "017700000001",
                           "0177.0.0.1",

                           "localhost",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]",
                           "[::1]",
                           "[0:0:0:0:0:0:0:1]",
                           "0",
                           "0.0.0.0",
                           "[::]",
                           "[64:ff9b::127.0.0.1]",
                           "[64:ff9b::7f00:1]",
                           "[64:ff9b:1::7f00:1]",
                           "[2002:7f00:1::]",
                           "[::127.0.0.1]",
                           "name.loopback.test"}) {
    INFO(host);
    const Completion completion =
        post(fixture, "http://" + std::string(host) + port, no_loopback());
    CHECK(completion.network_name == "EACCES");
    CHECK(completion.detail.find(" of address.deny") != std::string::npos);
  }
  CHECK(receiver.log().connections().empty());
  check_refused(post(fixture, receiver.url("/"), no_loopback()),
                "127.0.0.1 is in 127.0.0.0/8 of address.deny");
}

TEST_CASE("Link-local and metadata addresses are refused by default in every spelling",
          "[transport]") {
  TransportFixture fixture;
  const auto policy = std::make_shared<AddressPolicy>();
  for (const char* host :
       {"169.254.169.254", "0251.0376.0251.0376", "0xa9fea9fe", "2852039166", "169.16689662",
        "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1%25lo]",
        "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200"}) {
    INFO(host);
    const Completion completion = post(fixture, "http://" + std::string(host) + "/", policy);
    CHECK(completion.network_name == "EACCES");
    CHECK(completion.detail.find("which address.allow does not name") != std::string::npos);
  }
}

TEST_CASE("The default policy and an allowed network let loopback pass", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  CHECK(post(fixture, receiver.url("/"), std::make_shared<AddressPolicy>()).status == 200);
  check_refused(post(fixture, receiver.url("/"), make_policy(AddressRule::Public, "", "")),
                "127.0.0.1 is a loopback address, which address.policy=public refuses");
  const auto allowed = make_policy(AddressRule::Public, "127.0.0.0/8", "");
  CHECK(post(fixture, receiver.url("/"), allowed).status == 200);
}

TEST_CASE("A port that is not listed is refused", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  const std::string port = std::to_string(receiver.port());
  check_refused(post(fixture, receiver.url("/"), make_policy(AddressRule::Any, "", "", "443")),
                "port " + port + " is not among those of address.ports");
  CHECK(post(fixture, receiver.url("/"), make_policy(AddressRule::Any, "", "", port)).status ==
        200);
}

TEST_CASE("A name is refused for what it resolves to at the time of the connection",
          "[transport]") {
  Receiver receiver;
  const std::string url = "http://rebinding.chosen.test:" + std::to_string(receiver.port()) + "/";
  const auto policy = std::make_shared<AddressPolicy>();
  chosen_addresses = "127.0.0.1";
  CHECK(post(*std::make_unique<TransportFixture>(), url, policy).status == 200);
  chosen_addresses = "169.254.169.254";
  check_refused(post(*std::make_unique<TransportFixture>(), url, policy),
                "169.254.169.254 is a link-local address, which address.allow does not name");
  CHECK(receiver.log().requests().size() == 1);
}

TEST_CASE("A refused address leaves the others of the name", "[transport]") {
  Receiver receiver;
  const std::string url = "http://both.chosen.test:" + std::to_string(receiver.port()) + "/";
  for (const char* addresses : {"169.254.1.1 127.0.0.1", "fe80::1 127.0.0.1",
                                "169.254.1.1 fe80::1 169.254.1.2 127.0.0.1"}) {
    INFO(addresses);
    chosen_addresses = addresses;
    TransportFixture fixture;
    CHECK(post(fixture, url, std::make_shared<AddressPolicy>()).status == 200);
  }
  // One that may be connected to and is dead says more than one that may not.
  chosen_addresses = "127.0.0.1 169.254.1.1";
  TransportFixture fixture;
  CHECK(post(fixture, "http://both.chosen.test:" + std::to_string(closed_port()) + "/",
             std::make_shared<AddressPolicy>())
            .network_name == "ECONNREFUSED");
}

TEST_CASE("A name of both families is reached when one of them is dead", "[transport]") {
  const bool is_v6 = GENERATE(false, true);
  ReceiverOptions options;
  options.ipv6 = is_v6;
  Receiver receiver(options);
  for (const char* addresses : {"::1 127.0.0.1", "127.0.0.1 ::1"}) {
    INFO(addresses);
    chosen_addresses = addresses;
    TransportFixture fixture;
    const Completion completion =
        post(fixture, "http://both.chosen.test:" + std::to_string(receiver.port()) + "/",
             std::make_shared<AddressPolicy>());
    CHECK(completion.status == 200);
    CHECK(completion.remote_address == (is_v6 ? "::1" : "127.0.0.1"));
  }
}

TEST_CASE("A receiver that has IPv6 only is reached by name and by address", "[transport]") {
  ReceiverOptions options;
  options.ipv6 = true;
  Receiver receiver(options);
  chosen_addresses = "::1";
  TransportFixture fixture;
  CHECK(fixture.post("http://six.chosen.test:" + std::to_string(receiver.port()) + "/").status ==
        200);
  CHECK(fixture.post(receiver.url("/")).status == 200);
}

TEST_CASE("Connections are kept under a policy, and refused when it has changed", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  const auto policy = make_policy(AddressRule::Public, "127.0.0.1", "");
  for (int i = 0; i < 3; ++i) CHECK(post(fixture, receiver.url("/"), policy).status == 200);
  CHECK(receiver.log().connections().size() == 1);
  check_refused(post(fixture, receiver.url("/"), no_loopback()),
                "127.0.0.1 is in 127.0.0.0/8 of address.deny");
  CHECK(receiver.log().requests().size() == 3);
  // The one it was kept on is closed by then.
  CHECK(post(fixture, receiver.url("/"), policy).status == 200);
  CHECK(receiver.log().connections().size() == 2);
}

TEST_CASE("Behind a proxy a restrictive policy refuses everything", "[transport]") {
  Receiver receiver;
  Proxy proxy;
  TransportFixture fixture;
  const auto post_through = [&](const std::string& url,
                                const std::shared_ptr<const AddressPolicy>& policy) {
    Request request = fixture.patient_request(url);
    request.connection.proxy = proxy.url("http");
    request.addresses = policy;
    return fixture.post(request);
  };
  for (const auto& policy : {make_policy(AddressRule::Public, "127.0.0.1", ""),
                             make_policy(AddressRule::Any, "", "192.0.2.1"),
                             make_policy(AddressRule::Any, "", "", "1-65535")}) {
    check_refused(post_through(receiver.url("/"), policy),
                  "the target is behind a proxy, where the keys address.* cannot be applied");
  }
  CHECK(post_through(receiver.url("/"), std::make_shared<AddressPolicy>()).status == 200);
  check_refused(post_through("http://0xa9fea9fe/", std::make_shared<AddressPolicy>()),
                "169.254.169.254 is a link-local address, which address.allow does not name");
  CHECK(proxy.requests().size() == 1);
}

TEST_CASE("A host of the no-proxy list is reached under a restrictive policy", "[transport]") {
  Receiver receiver;
  Proxy proxy;
  TransportFixture fixture;
  Request request = fixture.patient_request(receiver.url("/"));
  request.connection.proxy = proxy.url("http");
  request.connection.no_proxy = "127.0.0.0/8";
  request.addresses = make_policy(AddressRule::Public, "127.0.0.1", "");
  CHECK(fixture.post(request).status == 200);
  CHECK(proxy.requests().empty());
}

}  // namespace
}  // namespace posthaste::testing
