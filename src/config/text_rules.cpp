#include "config/text_rules.h"

#include <algorithm>
#include <cstddef>

#include "config/value_text.h"
#include "core/address_policy.h"
#include "core/form.h"
#include "json/utf8.h"

namespace posthaste::config {

namespace {

constexpr size_t kHeaderNameSizeMax = 256;
constexpr size_t kHeaderValueSizeMax = 4096;

// The original publishes no list; these frame the request or name its sender.
constexpr std::string_view kReserved[] = {
    "Host",    "Content-Type", "Content-Length", "Connection", "Transfer-Encoding", "Expect",
    "Upgrade", "TE",           "Trailer",        "User-Agent"};
constexpr std::string_view kReservedPrefix = "X-MessageSystems-";
constexpr std::string_view kTokenHeader = "X-MessageSystems-Webhook-Token";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// "proxy.example.com", "proxy:3128", "[::1]:1080".
bool is_host_and_port(std::string_view text) {
  const size_t bracket = text.find(']');
  const size_t host_end =
      text.starts_with('[') && bracket != std::string_view::npos ? bracket + 1 : text.find(':');
  if (text.substr(0, host_end).empty()) return false;
  if (host_end >= text.size()) return true;
  const auto port = parse_count(text.substr(host_end + 1));
  return text[host_end] == ':' && port && *port >= 1 && *port <= 65535;
}

}  // namespace

bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= kHeaderNameSizeMax &&
         std::all_of(text.begin(), text.end(), is_token_character);
}

bool is_header_value(std::string_view text) {
  const auto is_allowed = [](char c) { return c == '\t' || !is_control(c); };
  return text.size() <= kHeaderValueSizeMax && std::all_of(text.begin(), text.end(), is_allowed) &&
         json::is_valid_utf8(text);
}

bool is_reserved_header(std::string_view name) {
  return equal_ignoring_case(name.substr(0, kReservedPrefix.size()), kReservedPrefix) ||
         std::any_of(std::begin(kReserved), std::end(kReserved), [name](std::string_view reserved) {
           return equal_ignoring_case(name, reserved);
         });
}

bool is_auth_header(std::string_view name) {
  return is_header_name(name) &&
         (!is_reserved_header(name) || equal_ignoring_case(name, kTokenHeader));
}

bool is_proxy(std::string_view text) {
  if (text == "none" || text == "env") return true;
  const auto is_blank_or_control = [](char c) { return c == ' ' || is_control(c); };
  if (std::any_of(text.begin(), text.end(), is_blank_or_control) || !json::is_valid_utf8(text)) {
    return false;
  }
  for (const std::string_view scheme : {"http://", "https://", "socks5://", "socks5h://"}) {
    if (!equal_ignoring_case(text.substr(0, scheme.size()), scheme)) continue;
    std::string_view rest = text.substr(scheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    return rest.find_first_of("/?#") == std::string_view::npos &&
           is_host_and_port(rest.substr(rest.rfind('@') + 1));  // npos + 1 is the start
  }
  return false;
}

bool is_user_name(std::string_view text) {
  return is_plain_text(text) && text.find(':') == std::string_view::npos;
}

bool is_bearer_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_form(std::string_view text) {
  return is_plain_text(text) && core::parse_form(text);
}

bool is_base_url(std::string_view text) {
  if (text.empty()) return true;
  const bool is_http = text.starts_with("http://") || text.starts_with("https://");
  return is_http && is_bearer_token(text) && !text.ends_with('/') &&
         text.find_first_of("?#\"<>\\") == std::string_view::npos;
}

bool is_network_list(std::string_view text) {
  return core::parse_networks(text).has_value();
}

bool is_port_list(std::string_view text) {
  return core::parse_ports(text).has_value();
}

bool is_plain_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), is_control) && json::is_valid_utf8(text);
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace posthaste::config
