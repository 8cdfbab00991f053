// Which texts may become part of a request or of a webhook's description: HTTP header names and
// values (RFC 9110, section 5), names for people. Header names that the engine writes itself are
// reserved.
#pragma once

#include <string_view>

namespace posthaste::config {

// A token of RFC 9110, section 5.6.2, of bounded size.
bool is_header_name(std::string_view text);
// UTF-8 without control characters except the tab, of bounded size; may be empty.
bool is_header_value(std::string_view text);
// Compared without regard to case: what frames the request, and every X-MessageSystems-*.
bool is_reserved_header(std::string_view name);
// What `auth.header` may be: not reserved, or the original's own token header.
bool is_auth_header(std::string_view name);
// What `proxy` may be: none, env, or a URL with a host and without a path.
bool is_proxy(std::string_view text);
// What may stand before the colon of basic authentication (RFC 7617, section 2).
bool is_user_name(std::string_view text);
// Visible ASCII characters only.
bool is_bearer_token(std::string_view text);
// Names and values as forms write them.
bool is_form(std::string_view text);
// Empty, or an http or https URL that a path can be put behind.
bool is_base_url(std::string_view text);
// Networks or ports between commas; may be empty.
bool is_network_list(std::string_view text);
bool is_port_list(std::string_view text);
// UTF-8 without control characters.
bool is_plain_text(std::string_view text);

bool equal_ignoring_case(std::string_view left, std::string_view right);

}  // namespace posthaste::config
