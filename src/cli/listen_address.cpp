#include "cli/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

namespace posthaste::cli {

std::string ListenAddress::url(uint16_t bound_port) const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return "http://" + shown + ":" + std::to_string(bound_port);
}

core::Result<ListenAddress> parse_listen_address(std::string_view text) {
  const core::Error bad{core::ErrorCode::BadValue,
                        "'" + std::string(text) + "' is not HOST:PORT, such as 127.0.0.1:8080",
                        {}};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  ListenAddress out;
  const std::string_view port = text.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto [stopped, problem] = std::from_chars(port.data(), end, out.port);
  if (problem != std::errc() || stopped != end) return bad;
  std::string_view host = text.substr(0, colon);
  sockaddr_in6 six{};
  sockaddr_in four{};
  if (host.starts_with('[') && host.ends_with(']')) {
    out.host = host.substr(1, host.size() - 2);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(out.port);
    if (inet_pton(AF_INET6, out.host.c_str(), &six.sin6_addr) != 1) return bad;
    out.address_size = sizeof six;
    std::memcpy(&out.address, &six, sizeof six);
    return out;
  }
  out.host = host;
  four.sin_family = AF_INET;
  four.sin_port = htons(out.port);
  const char* numeric = host == "localhost" ? "127.0.0.1" : out.host.c_str();
  if (inet_pton(AF_INET, numeric, &four.sin_addr) != 1) return bad;
  out.address_size = sizeof four;
  std::memcpy(&out.address, &four, sizeof four);
  return out;
}

}  // namespace posthaste::cli
