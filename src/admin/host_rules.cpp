#include "admin/host_rules.h"

#include <algorithm>
#include <cctype>

namespace posthaste::admin {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return result;
}

bool is_port(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "example.com:80" and "[::1]:80" without the port; empty when it is malformed.
std::string_view without_port(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return host;
  return is_port(host.substr(colon + 1)) ? host.substr(0, colon) : std::string_view();
}

std::string in_brackets(std::string_view address) {
  const bool is_ipv6 = address.find(':') != std::string_view::npos;
  return is_ipv6 ? "[" + std::string(address) + "]" : std::string(address);
}

std::vector<std::string> all_lower(const std::vector<std::string>& texts) {
  std::vector<std::string> result;
  for (const std::string& text : texts) result.push_back(lower(text));
  return result;
}

}  // namespace

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

HostRules::HostRules(const std::vector<std::string>& hosts, const std::vector<std::string>& origins)
    : hosts_(all_lower(hosts)), origins_(all_lower(origins)) {}

bool HostRules::accepts_host(std::string_view host, std::string_view local_address) const {
  const std::string text = lower(host);
  const std::string_view name = without_port(text);
  if (name.empty()) return false;
  if (name == in_brackets(local_address)) return true;
  if (is_loopback(local_address) &&
      (name == "localhost" || name == "127.0.0.1" || name == "[::1]")) {
    return true;
  }
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const std::string& allowed) {
    return allowed == text || allowed == name;
  });
}

bool HostRules::is_own_origin(std::string_view origin, std::string_view host) {
  const std::string text = lower(origin);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.starts_with(scheme)) return text.substr(scheme.size()) == lower(host);
  }
  return false;
}

bool HostRules::is_listed_origin(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), lower(origin)) != origins_.end();
}

}  // namespace posthaste::admin
