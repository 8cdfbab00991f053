// A webhook's target URL: checked, taken apart, and made fit for sending. Called where a target
// enters (registry, webhooks file, API); the transport itself takes checked URLs only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/address_policy.h"
#include "core/result.h"

namespace posthaste::transport {

inline constexpr size_t kTargetBytesMax = 2048;

// Where requests go, in a form that compares: credentials and headers may follow an edit of the
// target only while the origin stays the same (design 2a, Edits).
struct Origin {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case ASCII; IPv6 in brackets
  uint16_t port = 0;   // the scheme's own when the URL names none

  bool operator==(const Origin&) const = default;
};

struct BasicCredentials {
  std::string user;
  std::string password;

  bool operator==(const BasicCredentials&) const = default;
};

struct Target {
  // As given, without credentials and fragment; characters of the path outside ASCII encoded.
  std::string url;
  Origin origin;
  std::optional<BasicCredentials> credentials;  // those of `user:password@`, decoded
};

// Fails with BadTarget, key "target"; the message says what is wrong and never contains the URL's
// user or password.
core::Result<Target> parse_target(std::string_view text);

// "https://example.com:8443"; the scheme's own port is left out.
std::string origin_text(const Origin& origin);

// The host of a checked URL as it stands there, without brackets and port. Cheap.
std::string_view host_of_url(std::string_view url);

// The address that a checked URL names instead of a host, in any of the spellings that libcurl
// knows (octal, hexadecimal, short).
std::optional<core::Address> address_of_url(std::string_view url);
// A URL that somebody else wrote, fit for a line of text: without user and password, control
// characters and what is beyond 256 bytes.
std::string printable_url(std::string_view text);

// Whether a checked URL names its host by address, so that nothing needs to be resolved. Cheap.
bool is_address_literal_url(std::string_view url);

}  // namespace posthaste::transport
