// One HTTP request for a link, as posthaste_request_t has it, and what it tells about who made it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "posthaste/posthaste.h"

namespace posthaste::engagement {

// What a request gives away about its client, without any list of programs: only what the client
// says itself. docs/engagement.md has the rules.
struct Hints {
  std::optional<bool> is_mobile;  // nothing: it does not say
  bool is_proxy = false;          // an image proxy of a mailbox provider
  bool is_prefetched = false;     // a machine, or a person's machine before the person asked for it
  bool is_declared = false;       // it said so: HEAD, a prefetch header, a robot's name
};

// Purpose: reads a request. Ownership: refers to it. Threads: one at a time.
class Hit {
 public:
  explicit Hit(const posthaste_request_t* request) : request_(request) {}

  std::string_view method() const { return posthaste_request_method(request_); }
  // What follows `/t/` in the path; empty when that is not its last but one part.
  std::string_view token() const;
  // The first header of that name; empty when there is none.
  std::string_view header(std::string_view lower_name) const;
  // The client's address: the peer's, or what a proxy of the list says.
  std::string client_address(const std::vector<std::string>& proxies) const;
  // Whether the body asks for one-click unsubscription (RFC 8058, section 3.1).
  bool is_one_click() const;
  Hints hints() const;

 private:
  const posthaste_request_t* request_;
};

}  // namespace posthaste::engagement
