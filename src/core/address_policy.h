// Which network addresses webhooks may be sent to (keys address.*): a target is somebody's text,
// and names resolve to whatever their owner likes, so it is the address of each connection that is
// judged. Pure: the transport asks before it opens a socket and before it uses a kept connection
// (docs/decisions/0010).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste::core {

// Purpose: an IPv4 or IPv6 address. Invariants: an IPv4 address is kept as ::ffff:a.b.c.d, so that
// its two spellings are one.
struct Address {
  std::array<uint8_t, 16> bytes{};

  static Address v4(uint32_t number);
  // "192.0.2.1", "2001:db8::1"; no zone, no other spelling of IPv4.
  static std::optional<Address> parse(std::string_view text);
  bool is_v4() const;
  std::string text() const;

  bool operator==(const Address&) const = default;
};

// "10.0.0.0/8", "fd00::/8", or one address. Bits behind the prefix must be zero.
struct Network {
  Address address;
  uint8_t prefix_bits = 128;  // of the 16 bytes: an IPv4 prefix counts from bit 96 on

  static std::optional<Network> parse(std::string_view text);
  bool contains(const Address& other) const;
  std::string text() const;

  bool operator==(const Network&) const = default;
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;

  // "443" or "8000-8999".
  static std::optional<PortRange> parse(std::string_view text);
  std::string text() const;

  bool operator==(const PortRange&) const = default;
};

enum class AddressRule {
  Any,     // all but link-local and the metadata services of clouds
  Public,  // what IANA's registries of special addresses call globally reachable
};

// The items of a list between commas, blanks around them ignored, none for an empty text; nothing
// when one does not parse.
std::optional<std::vector<Network>> parse_networks(std::string_view text);
std::optional<std::vector<PortRange>> parse_ports(std::string_view text);

// Purpose: judges addresses. Ownership: a value. Threads: any. Invariants: of the networks in both
// lists that contain an address the most specific one decides, deny when there are two; where there
// is none, the rule does. An IPv6 address that stands for an IPv4 one (NAT64, 6to4, Teredo,
// IPv4-compatible) passes only when that one does as well.
struct AddressPolicy {
  AddressRule rule = AddressRule::Any;
  std::vector<Network> allow;
  std::vector<Network> deny;
  std::vector<PortRange> ports;  // empty: all

  // None: it may be connected to. Else why not, as the end of a sentence: "127.0.0.1 is a loopback
  // address, which address.policy=public refuses".
  std::optional<std::string> refusal(const Address& address, uint16_t port) const;
  // Whether it could tell two addresses of the Internet apart; what only a proxy sees cannot be
  // judged then.
  bool is_restrictive() const {
    return rule != AddressRule::Any || !deny.empty() || !ports.empty();
  }

  bool operator==(const AddressPolicy&) const = default;
};

}  // namespace posthaste::core
