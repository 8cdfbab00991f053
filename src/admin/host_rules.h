// Which servers a request may name and which sites' pages may send it. A web page of anybody can
// make its visitor's browser send requests to loopback, and by DNS rebinding under a name of its
// own (so the name in Host gives it away); what asks from another site tells so in Origin.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace posthaste::admin {

// Purpose: judges Host and Origin. Ownership: self-contained. Threads: any, it never changes.
// Invariants: names are compared without case.
class HostRules {
 public:
  // hosts: names with or without a port; origins: scheme://host[:port].
  HostRules(const std::vector<std::string>& hosts, const std::vector<std::string>& origins);

  // host: the header's text, empty when there was none. local_address: numeric, the address that
  // the connection came in at.
  bool accepts_host(std::string_view host, std::string_view local_address) const;
  // A page of this server itself: its origin names the same host and port as the request.
  static bool is_own_origin(std::string_view origin, std::string_view host);
  // One of the configured ones, which need CORS headers.
  bool is_listed_origin(std::string_view origin) const;

 private:
  std::vector<std::string> hosts_;
  std::vector<std::string> origins_;
};

// Whether a numeric address is 127.0.0.0/8 or ::1.
bool is_loopback(std::string_view address);

}  // namespace posthaste::admin
