// The listener's configuration: one table of keys, from texts to values. posthaste_admin_conf_t
// holds a Conf; the listener takes its Settings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "posthaste/admin.h"

namespace posthaste::admin {

// Where to listen, as `listen` names it.
struct Address {
  std::string host;  // numeric, without brackets
  uint16_t port = 0;
};

// A prefix of paths that the host answers itself.
struct Mount {
  std::string prefix;
  posthaste_admin_handler_fn handler = nullptr;
  void* user_data = nullptr;
};

// Units stand in the names; the keys in the comments of posthaste/admin.h.
struct Settings {
  Address listen;
  std::vector<std::string> hosts;
  std::vector<std::string> origins;
  std::string tls_certificate_file;
  std::string tls_key_file;
  uint64_t connections_max = 0;
  uint64_t connections_per_address_max = 0;
  uint64_t request_timeout_ms = 0;
  uint64_t idle_timeout_ms = 0;
  uint64_t headers_bytes_max = 0;
  uint64_t body_bytes_max = 0;
  uint64_t events_bytes_max = 0;
  uint64_t bodies_bytes_max = 0;
  uint64_t handler_timeout_ms = 0;
  uint64_t quick_threads = 0;
  uint64_t waiting_threads = 0;
  uint64_t queue_max = 0;
  bool has_gzip = false;
  bool has_access_log = false;
  bool has_page = false;
  std::vector<Mount> mounts;  // the longest prefix first

  bool has_tls() const { return !tls_certificate_file.empty(); }
};

// Purpose: the keys and values of one listener's configuration, each checked when it is set.
// Ownership: self-contained and copyable. Threads: one at a time. Invariants: what was set parses.
class Conf {
 public:
  // nullopt restores the default. UnknownKey, or BadValue with the key and what is allowed.
  core::Result<> set(std::string_view key, std::optional<std::string_view> value);
  // Null for an unknown key; lives until the key is set again.
  const char* get(std::string_view key) const;
  // BadValue for a prefix that cannot be one, or that is one too many.
  core::Result<> mount(Mount mount);
  // BadValue when keys do not fit one another.
  core::Result<Settings> finalize() const;

 private:
  std::map<std::string, std::string, std::less<>> texts_;  // what was set
  std::vector<Mount> mounts_;                              // the longest prefix first
};

// "HOST:PORT", IPv6 in brackets, `localhost` as 127.0.0.1; nothing when it is neither.
std::optional<Address> parse_address(std::string_view text);

}  // namespace posthaste::admin
