// One request to the REST API, without its connection, and what its parts mean: path, query,
// headers (spec/momentum.md, section 5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace posthaste::api {

// Who asks, and for what.
struct Identity {
  bool may_modify = false;
  std::optional<uint32_t> subaccount;  // the only one it may act for; none: all
};

struct HttpRequest {
  std::string method;
  std::string target;  // path and query, as in the request line
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string peer;  // numeric address; empty: unknown
  std::string scheme = "http";
  std::optional<Identity> identity;  // the host has found out itself

  // The first header of that name; nothing when there is none.
  std::optional<std::string_view> header(std::string_view name) const;
};

// A target taken apart.
struct Target {
  std::vector<std::string> segments;  // of the path, decoded; empty ones at the end left out
  std::vector<std::pair<std::string, std::string>> query;

  // The first parameter of that name.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

// Nothing when percent signs in it do not fit.
std::optional<Target> parse_target(std::string_view target);

// The key of an Authorization header: as it stands, as the user name of Basic, or behind Bearer;
// empty when there is none.
std::string api_key_of(const HttpRequest& request);

// Whether an Accept header lets `type`, such as "application/json", pass (RFC 9110, section
// 12.5.1).
bool is_acceptable(std::string_view accept, std::string_view type);

// Whether a Content-Type means `type`, whatever its parameters.
bool is_content_type(std::string_view content_type, std::string_view type);

}  // namespace posthaste::api
