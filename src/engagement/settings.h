// The configuration of links: one table of keys, from texts to values. posthaste_engagement_conf_t
// holds a Conf; posthaste_engagement_new takes its Settings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace posthaste::engagement {

// The keys stand in the comments of posthaste/engagement.h.
struct Settings {
  std::string url;                   // without a slash at the end
  std::vector<std::string> keys;     // the first signs
  std::vector<std::string> proxies;  // in their usual form
  uint64_t url_length_max = 0;
  uint64_t seen_count_max = 0;
};

// Purpose: keys and values, each checked when it is set. Ownership: self-contained and copyable.
// Threads: one at a time. Invariants: what was set parses.
class Conf {
 public:
  // nullopt restores the default. UnknownKey, or BadValue with the key and what is allowed.
  core::Result<> set(std::string_view key, std::optional<std::string_view> value);
  // Null for an unknown key; lives until the key is set again.
  const char* get(std::string_view key) const;
  // MissingField when url or keys were not set.
  core::Result<Settings> finalize() const;

 private:
  std::map<std::string, std::string, std::less<>> texts_;  // what was set
};

// A numeric IPv4 or IPv6 address in its one usual form, an IPv4 address in IPv6 (RFC 4291, section
// 2.5.5.2) as IPv4; empty for anything else.
std::string usual_address(const std::string& text);

}  // namespace posthaste::engagement
