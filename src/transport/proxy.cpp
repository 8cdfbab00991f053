#include "transport/proxy.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>

#include "core/address_policy.h"
#include "transport/target.h"

namespace posthaste::transport {
namespace {

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

std::string_view first_set(Environment environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = environment(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

std::string_view without_end_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool is_at_or_below(std::string_view host, std::string_view domain) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.empty() || host.size() < domain.size()) return false;
  const size_t before = host.size() - domain.size();
  return equal_ignoring_case(host.substr(before), domain) &&
         (before == 0 || host[before - 1] == '.');
}

}  // namespace

const char* process_environment(const char* name) {
  return std::getenv(name);
}

bool is_excluded(std::string_view host, std::string_view no_proxy) {
  constexpr std::string_view kSeparators = ", \t";
  host = without_end_dot(host);
  const auto address = core::Address::parse(host);
  for (size_t begin = no_proxy.find_first_not_of(kSeparators); begin != std::string_view::npos;
       begin = no_proxy.find_first_not_of(kSeparators, begin)) {
    const size_t end = std::min(no_proxy.find_first_of(kSeparators, begin), no_proxy.size());
    std::string_view item = no_proxy.substr(begin, end - begin);
    begin = end;
    if (item == "*") return true;
    if (item.starts_with('[') && item.ends_with(']')) item = item.substr(1, item.size() - 2);
    if (!address) {
      if (is_at_or_below(host, without_end_dot(item))) return true;
      continue;
    }
    const auto network = core::Network::parse(item);
    if (network && network->contains(*address)) return true;
  }
  return false;
}

std::string proxy_of(const ConnectionOptions& options, std::string_view url,
                     Environment environment) {
  if (options.proxy.empty()) return {};
  const bool is_from_environment = options.proxy == kEnvironmentProxy;
  std::string_view no_proxy = options.no_proxy;
  std::string_view proxy = options.proxy;
  if (is_from_environment) {
    const bool is_https = url.size() > 5 && strncasecmp(url.data(), "https", 5) == 0;
    proxy = is_https
                ? first_set(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                : first_set(environment, {"http_proxy", "all_proxy", "ALL_PROXY"});
    if (no_proxy.empty()) no_proxy = first_set(environment, {"no_proxy", "NO_PROXY"});
  }
  if (proxy.empty() || is_excluded(host_of_url(url), no_proxy)) return {};
  return std::string(proxy);
}

}  // namespace posthaste::transport
