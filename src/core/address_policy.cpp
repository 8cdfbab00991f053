#include "core/address_policy.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

namespace posthaste::core {

namespace {

constexpr size_t kV4Offset = 12;  // of an IPv4 address among the sixteen bytes
constexpr uint8_t kV4Bits = 96;

struct Special {
  std::string_view network;
  std::string_view what;  // with its article
};

// Reachable only from the machine or link itself, or answering with secrets to whoever asks from
// inside a cloud: Amazon's, Google's and others' at the link-local address, the rest here.
constexpr Special kNeverByDefault[] = {
    {"169.254.0.0/16", "a link-local address"},      {"fe80::/10", "a link-local address"},
    {"100.100.100.200", "a cloud metadata address"}, {"168.63.129.16", "a cloud metadata address"},
    {"192.0.0.192", "a cloud metadata address"},     {"fd00:ec2::/32", "a cloud metadata address"},
    {"fd20:ce::254", "a cloud metadata address"},
};

// IANA, special-purpose address registries for IPv4 and IPv6 (RFC 6890 and later), where "globally
// reachable" is not true, and multicast.
constexpr Special kNotPublic[] = {
    {"0.0.0.0/8", "an address of this network"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "an address shared by a carrier's customers"},
    {"127.0.0.0/8", "a loopback address"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "an address for protocols"},
    {"192.0.2.0/24", "an address for documentation"},
    {"192.88.99.0/24", "a reserved address"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "an address for benchmarks"},
    {"198.51.100.0/24", "an address for documentation"},
    {"203.0.113.0/24", "an address for documentation"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::", "the unspecified address"},
    {"::1", "a loopback address"},
    {"64:ff9b:1::/48", "a local translated address"},
    {"100::/64", "an address that discards"},
    {"2001::/23", "an address for protocols"},
    {"2001:db8::/32", "an address for documentation"},
    {"3fff::/20", "an address for documentation"},
    {"5f00::/16", "a segment routing address"},
    {"fc00::/7", "a private address"},
    {"fec0::/10", "a private address"},
    {"ff00::/8", "a multicast address"},
};

// All that has been handed out to the Internet lies in it.
constexpr std::string_view kGlobalUnicast = "2000::/3";
constexpr std::string_view kNat64 = "64:ff9b::/96";
constexpr std::string_view kNat64Local = "64:ff9b:1::/48";
constexpr std::string_view kV4Compatible = "::/96";
constexpr std::string_view kSixToFour = "2002::/16";
constexpr std::string_view kTeredo = "2001::/32";

Network known(std::string_view text) {
  return *Network::parse(text);
}

// Nothing of it needs a destructor: a static object with one would run at the end of the process.
template <size_t Count>
std::array<std::pair<Network, std::string_view>, Count> parsed(const Special (&specials)[Count]) {
  std::array<std::pair<Network, std::string_view>, Count> networks;
  for (size_t i = 0; i < Count; ++i) networks[i] = {known(specials[i].network), specials[i].what};
  return networks;
}

template <typename Networks>
std::string_view what_of(const Networks& networks, const Address& address) {
  const auto found = std::find_if(networks.begin(), networks.end(),
                                  [&](const auto& entry) { return entry.first.contains(address); });
  return found == networks.end() ? std::string_view() : found->second;
}

std::string_view never_by_default(const Address& address) {
  static const auto networks = parsed(kNeverByDefault);
  return what_of(networks, address);
}

std::string_view not_public(const Address& address) {
  static const auto networks = parsed(kNotPublic);
  static const Network global = known(kGlobalUnicast);
  static const Network translated = known(kNat64);
  const std::string_view what = what_of(networks, address);
  if (!what.empty()) return what;
  const bool is_global =
      address.is_v4() || global.contains(address) || translated.contains(address);
  return is_global ? std::string_view() : "a reserved address";
}

Address v4_at(const Address& address, size_t offset, uint8_t mask = 0) {
  Address found = Address::v4(0);
  for (size_t i = 0; i < 4; ++i) {
    found.bytes[kV4Offset + i] = static_cast<uint8_t>(address.bytes[offset + i] ^ mask);
  }
  return found;
}

// Linux takes a connection to the unspecified address for one to itself.
std::optional<Address> loopback_behind(const Address& address) {
  if (address == Address::v4(0)) return Address::v4(0x7f000001);
  if (address == Address()) return Address::parse("::1");
  return std::nullopt;
}

// The IPv4 address that packets to it end at.
std::optional<Address> embedded_v4(const Address& address) {
  static const Network at_end[] = {known(kNat64), known(kNat64Local), known(kV4Compatible)};
  static const Network six_to_four = known(kSixToFour);
  static const Network teredo = known(kTeredo);
  static const Address loopback = *Address::parse("::1");
  if (address.is_v4()) return std::nullopt;
  for (const Network& network : at_end) {
    // `::` and `::1` are no IPv4 addresses.
    if (network.contains(address) && address != loopback && address != Address()) {
      return v4_at(address, kV4Offset);
    }
  }
  if (six_to_four.contains(address)) return v4_at(address, 2);
  if (teredo.contains(address)) return v4_at(address, kV4Offset, 0xff);
  return std::nullopt;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text, Number maximum, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size() || number > maximum) {
    return std::nullopt;
  }
  return number;
}

std::optional<std::array<uint8_t, 4>> parse_v4(std::string_view text) {
  std::array<uint8_t, 4> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == bytes.size() - 1)) return std::nullopt;
    const std::string_view part = text.substr(0, dot);
    // A leading zero means octal to some.
    if (part.size() > 3 || (part.size() > 1 && part[0] == '0')) return std::nullopt;
    const auto number = number_of<uint16_t>(part, 255);
    if (!number) return std::nullopt;
    bytes[i] = static_cast<uint8_t>(*number);
    text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
  }
  return bytes;
}

template <typename Item>
std::optional<std::vector<Item>> parse_list(std::string_view text) {
  std::vector<Item> items;
  const auto trimmed = [](std::string_view part) {
    const size_t begin = part.find_first_not_of(' ');
    if (begin == std::string_view::npos) return std::string_view();
    return part.substr(begin, part.find_last_not_of(' ') - begin + 1);
  };
  if (trimmed(text).empty()) return items;
  for (;;) {
    const size_t comma = text.find(',');
    const auto item = Item::parse(trimmed(text.substr(0, comma)));
    if (!item) return std::nullopt;
    items.push_back(*item);
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

// Groups of an IPv6 address without `::`, an IPv4 address at the end perhaps; false: not that.
bool parse_groups(std::string_view text, std::vector<uint8_t>& out) {
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(group);
      if (!v4) return false;
      out.insert(out.end(), v4->begin(), v4->end());
      return true;
    }
    const auto number = number_of<uint16_t>(group, 0xffff, 16);
    if (!number || group.size() > 4) return false;
    out.push_back(static_cast<uint8_t>(*number >> 8));
    out.push_back(static_cast<uint8_t>(*number & 0xff));
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
  }
  return true;
}

std::optional<Address> parse_v6(std::string_view text) {
  Address address;
  const size_t gap = text.find("::");
  std::vector<uint8_t> head;
  std::vector<uint8_t> tail;
  if (!parse_groups(text.substr(0, gap), head)) return std::nullopt;
  if (gap == std::string_view::npos) {
    if (head.size() != address.bytes.size()) return std::nullopt;
  } else if (!parse_groups(text.substr(gap + 2), tail) ||
             head.size() + tail.size() > address.bytes.size() - 2) {
    return std::nullopt;
  }
  // An IPv4 address stands at the end only.
  if (gap != std::string_view::npos && text.substr(0, gap).find('.') != std::string_view::npos) {
    return std::nullopt;
  }
  std::copy(head.begin(), head.end(), address.bytes.begin());
  std::copy(tail.rbegin(), tail.rend(), address.bytes.rbegin());
  return address;
}

}  // namespace

Address Address::v4(uint32_t number) {
  Address address;
  address.bytes[10] = address.bytes[11] = 0xff;
  for (size_t i = 0; i < 4; ++i) {
    address.bytes[kV4Offset + i] = static_cast<uint8_t>(number >> (24 - 8 * i));
  }
  return address;
}

std::optional<Address> Address::parse(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  const auto bytes = parse_v4(text);
  if (!bytes) return std::nullopt;
  Address address = v4(0);
  std::copy(bytes->begin(), bytes->end(), address.bytes.begin() + kV4Offset);
  return address;
}

bool Address::is_v4() const {
  return Network{v4(0), kV4Bits}.contains(*this);
}

std::string Address::text() const {
  char out[64];
  if (is_v4()) {
    std::snprintf(out, sizeof out, "%u.%u.%u.%u", bytes[12], bytes[13], bytes[14], bytes[15]);
    return out;
  }
  // RFC 5952: the longest run of zero groups, the first among equals, is `::`.
  std::array<unsigned, 8> groups{};
  for (size_t i = 0; i < 8; ++i) groups[i] = unsigned{bytes[2 * i]} << 8 | bytes[2 * i + 1];
  size_t gap = 8;
  size_t gap_size = 1;
  for (size_t i = 0; i < 8; ++i) {
    size_t size = 0;
    while (i + size < 8 && groups[i + size] == 0) ++size;
    if (size > gap_size) {
      gap = i;
      gap_size = size;
    }
  }
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      text += "::";
      i += gap_size - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::snprintf(out, sizeof out, "%x", groups[i]);
    text += out;
  }
  return text;
}

std::optional<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Network network{*address, 128};
  if (slash != std::string_view::npos) {
    const bool is_v4 = text.substr(0, slash).find(':') == std::string_view::npos;
    const auto bits = number_of<uint8_t>(text.substr(slash + 1), is_v4 ? 32 : 128);
    if (!bits) return std::nullopt;
    network.prefix_bits = static_cast<uint8_t>(is_v4 ? kV4Bits + *bits : *bits);
  }
  for (size_t bit = network.prefix_bits; bit < 128; ++bit) {
    if (network.address.bytes[bit / 8] & (0x80 >> bit % 8)) return std::nullopt;
  }
  return network;
}

bool Network::contains(const Address& other) const {
  const size_t whole = prefix_bits / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, other.bytes.begin())) {
    return false;
  }
  const unsigned rest = prefix_bits % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xff00u >> rest & 0xff;
  return (address.bytes[whole] & mask) == (other.bytes[whole] & mask);
}

std::string Network::text() const {
  if (prefix_bits == 128) return address.text();
  const unsigned bits =
      address.is_v4() && prefix_bits >= kV4Bits ? prefix_bits - kV4Bits : unsigned{prefix_bits};
  return address.text() + "/" + std::to_string(bits);
}

std::optional<PortRange> PortRange::parse(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = number_of<uint16_t>(text.substr(0, dash), 65535);
  const auto last =
      dash == std::string_view::npos ? first : number_of<uint16_t>(text.substr(dash + 1), 65535);
  if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

std::string PortRange::text() const {
  return first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last);
}

std::optional<std::vector<Network>> parse_networks(std::string_view text) {
  return parse_list<Network>(text);
}

std::optional<std::vector<PortRange>> parse_ports(std::string_view text) {
  return parse_list<PortRange>(text);
}

std::optional<std::string> AddressPolicy::refusal(const Address& address, uint16_t port) const {
  const bool is_port_allowed =
      ports.empty() || std::any_of(ports.begin(), ports.end(), [port](const PortRange& range) {
        return port >= range.first && port <= range.last;
      });
  if (!is_port_allowed) {
    return "port " + std::to_string(port) + " is not among those of address.ports";
  }
  const auto most_specific = [&](const std::vector<Network>& networks) {
    const Network* best = nullptr;
    for (const Network& network : networks) {
      if (!network.contains(address)) continue;
      if (!best || network.prefix_bits > best->prefix_bits) best = &network;
    }
    return best;
  };
  const Network* const denied = most_specific(deny);
  const Network* const allowed = most_specific(allow);
  if (denied && (!allowed || allowed->prefix_bits <= denied->prefix_bits)) {
    return address.text() + " is in " + denied->text() + " of address.deny";
  }
  if (allowed) return std::nullopt;
  const auto embedded = embedded_v4(address);
  if (embedded) {
    if (auto inner = refusal(*embedded, port))
      return address.text() + " stands for an IPv4 address: " + *inner;
  }
  if (const auto loopback = loopback_behind(address)) {
    if (auto inner = refusal(*loopback, port))
      return address.text() + " stands for this machine: " + *inner;
  }
  std::string_view what = never_by_default(address);
  if (!what.empty()) {
    return address.text() + " is " + std::string(what) + ", which address.allow does not name";
  }
  if (rule == AddressRule::Any) return std::nullopt;
  what = not_public(address);
  if (what.empty()) return std::nullopt;
  return address.text() + " is " + std::string(what) + ", which address.policy=public refuses";
}

}  // namespace posthaste::core
