#include "core/address_policy.h"

#include <catch2/catch.hpp>

using namespace posthaste::core;

namespace {

Address address(std::string_view text) {
  const auto parsed = Address::parse(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

bool passes(const AddressPolicy& policy, std::string_view text, uint16_t port = 443) {
  return !policy.refusal(address(text), port).has_value();
}

std::vector<Network> networks(std::initializer_list<const char*> texts) {
  std::vector<Network> list;
  for (const char* text : texts) list.push_back(*Network::parse(text));
  return list;
}

AddressPolicy public_only() {
  AddressPolicy policy;
  policy.rule = AddressRule::Public;
  return policy;
}

}  // namespace

TEST_CASE("An address has one text, whatever spelling it was read from", "[core][address_policy]") {
  for (const auto& [given, text] : std::vector<std::pair<const char*, const char*>>{
           {"192.0.2.1", "192.0.2.1"},
           {"::ffff:192.0.2.1", "192.0.2.1"},
           {"::FFFF:C000:201", "192.0.2.1"},
           {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
           {"2001:db8::", "2001:db8::"},
           {"::", "::"},
           {"0:0:0:0:0:0:0:1", "::1"},
           {"fe80::1:2:3:4", "fe80::1:2:3:4"},
           {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
           {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
           {"1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"}}) {
    CHECK(address(given).text() == text);
  }
}

TEST_CASE("What is not an address in its usual spelling is none", "[core][address_policy]") {
  for (const char* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.1.1.1",
                           "01.2.3.4",
                           "0x7f.0.0.1",
                           "1.2.3.4 ",
                           "1..2.3",
                           ":",
                           ":::",
                           "1:2",
                           "1::2::3",
                           "12345::",
                           "g::",
                           "fe80::1%eth0",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7::8",
                           "::1.2.3",
                           "1.2.3.4::",
                           "1:2:3:4:5:6:7:",
                           "[::1]",
                           "-1::"}) {
    INFO(text);
    CHECK_FALSE(Address::parse(text));
  }
}

TEST_CASE("A network is an address and a prefix with nothing behind it", "[core][address_policy]") {
  for (const char* text :
       {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "2001:db8::/32", "::/0", "::1"}) {
    const auto network = Network::parse(text);
    INFO(text);
    REQUIRE(network);
    CHECK(network->text() == text);
  }
  for (const char* text : {"10.0.0.1/8", "10.0.0.0/33", "2001:db8::1/64", "::/129", "10.0.0.0/",
                           "10.0.0.0/-1", "/8", "10.0.0.0/8/8"}) {
    INFO(text);
    CHECK_FALSE(Network::parse(text));
  }
  CHECK(Network::parse("172.16.0.0/12")->contains(address("172.31.255.255")));
  CHECK_FALSE(Network::parse("172.16.0.0/12")->contains(address("172.32.0.0")));
  CHECK_FALSE(Network::parse("10.0.0.0/8")->contains(address("a00::")));
}

TEST_CASE("By default all addresses pass but link-local and cloud metadata ones",
          "[core][address_policy]") {
  const AddressPolicy policy;
  for (const char* text : {"127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fc00::1", "8.8.8.8",
                           "2606:4700::1111", "100.64.0.1"}) {
    INFO(text);
    CHECK(passes(policy, text));
  }
  for (const char* text :
       {"169.254.169.254", "169.254.0.1", "fe80::1", "febf::1", "100.100.100.200", "168.63.129.16",
        "fd00:ec2::254", "fd20:ce::254", "192.0.0.192", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254",
        // Teredo has the client's address inverted.
        "2001:0:4136:e378:8000:63bf:5601:5601"}) {
    INFO(text);
    CHECK_FALSE(passes(policy, text));
  }
}

TEST_CASE("The public rule passes what the registries call globally reachable",
          "[core][address_policy]") {
  const AddressPolicy policy = public_only();
  for (const char* text : {"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255",
                           "100.128.0.0", "198.17.255.255", "223.255.255.255", "2606:4700::1111",
                           "64:ff9b::808:808", "2002:808:808::1"}) {
    INFO(text);
    CHECK(passes(policy, text));
  }
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "100.64.0.1",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.1.1",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::1",
                           "2002:a00:1::1",
                           "3fff::1",
                           "4000::1",
                           "5f00::1",
                           "fc00::1",
                           "fd12::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1"}) {
    INFO(text);
    CHECK_FALSE(passes(policy, text));
  }
}

TEST_CASE("The most specific network of both lists decides, deny among equals",
          "[core][address_policy]") {
  AddressPolicy policy = public_only();
  policy.allow = networks({"10.0.0.0/8", "10.2.3.4", "192.0.2.0/24", "169.254.169.254"});
  policy.deny = networks({"10.2.0.0/16", "192.0.2.0/24", "8.8.8.0/24"});
  CHECK(passes(policy, "10.1.0.1"));
  CHECK_FALSE(passes(policy, "10.2.0.1"));
  CHECK(passes(policy, "10.2.3.4"));
  CHECK_FALSE(passes(policy, "192.0.2.1"));
  CHECK_FALSE(passes(policy, "8.8.8.8"));
  CHECK(passes(policy, "8.8.4.4"));
  CHECK(passes(policy, "169.254.169.254"));
  CHECK_FALSE(passes(policy, "169.254.169.253"));
  CHECK_FALSE(passes(policy, "64:ff9b::10.2.0.1"));
  CHECK(passes(policy, "64:ff9b::10.1.0.1"));
}

TEST_CASE("Ports that are not listed are refused when any are", "[core][address_policy]") {
  AddressPolicy policy;
  policy.ports = {*PortRange::parse("443"), *PortRange::parse("8000-8999")};
  CHECK(passes(policy, "8.8.8.8", 443));
  CHECK(passes(policy, "8.8.8.8", 8999));
  CHECK_FALSE(passes(policy, "8.8.8.8", 80));
  CHECK_FALSE(passes(policy, "8.8.8.8", 9000));
  CHECK(policy.ports[1].text() == "8000-8999");
  for (const char* text : {"", "0", "65536", "80-79", "80-", "-80", "http", "1-2-3"}) {
    INFO(text);
    CHECK_FALSE(PortRange::parse(text));
  }
}

TEST_CASE("A refusal names the address, what it is and the key", "[core][address_policy]") {
  CHECK(*AddressPolicy{}.refusal(address("169.254.169.254"), 80) ==
        "169.254.169.254 is a link-local address, which address.allow does not name");
  CHECK(*public_only().refusal(address("::ffff:127.0.0.1"), 80) ==
        "127.0.0.1 is a loopback address, which address.policy=public refuses");
  CHECK(*public_only().refusal(address("64:ff9b::7f00:1"), 80) ==
        "64:ff9b::7f00:1 stands for an IPv4 address: 127.0.0.1 is a loopback address, which "
        "address.policy=public refuses");
  AddressPolicy policy;
  policy.deny = networks({"127.0.0.0/8"});
  CHECK(*policy.refusal(address("127.0.0.1"), 80) == "127.0.0.1 is in 127.0.0.0/8 of address.deny");
  policy.ports = {{443, 443}};
  CHECK(*policy.refusal(address("8.8.8.8"), 80) == "port 80 is not among those of address.ports");
}

TEST_CASE("Lists of networks and ports are read whole or not at all", "[core][address_policy]") {
  using posthaste::core::parse_networks;
  using posthaste::core::parse_ports;
  CHECK(parse_networks("")->empty());
  CHECK(parse_networks("  ")->empty());
  const auto networks = parse_networks("10.0.0.0/8 , fd00::/8,127.0.0.1");
  REQUIRE(networks);
  REQUIRE(networks->size() == 3);
  CHECK((*networks)[1].text() == "fd00::/8");
  CHECK((*parse_ports("443, 8000-8999"))[1].text() == "8000-8999");
  for (const char* text : {",", "10.0.0.0/8,", ",::1", "10.0.0.1/8", "example.com", "::1 ::2"}) {
    CHECK_FALSE(parse_networks(text));
  }
  for (const char* text : {",", "0", "443,", "9-8", "http", "65536"})
    CHECK_FALSE(parse_ports(text));
}

TEST_CASE("The unspecified address is refused where this machine is", "[core][address_policy]") {
  AddressPolicy policy;
  policy.deny = {*Network::parse("127.0.0.0/8"), *Network::parse("::1")};
  CHECK(*policy.refusal(*Address::parse("0.0.0.0"), 80) ==
        "0.0.0.0 stands for this machine: 127.0.0.1 is in 127.0.0.0/8 of address.deny");
  CHECK(policy.refusal(*Address::parse("::"), 80));
  CHECK_FALSE(AddressPolicy().refusal(*Address::parse("0.0.0.0"), 80));
}
