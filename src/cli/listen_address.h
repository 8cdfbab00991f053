// Where a server of the command listens: HOST:PORT as text and as a socket address. Used by `sink`
// and `serve`.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace posthaste::cli {

struct ListenAddress {
  std::string host;  // as it was given, without brackets
  uint16_t port = 0;
  sockaddr_storage address{};
  socklen_t address_size = 0;

  // `http://HOST:PORT` with the port that the system chose.
  std::string url(uint16_t bound_port) const;
};

// HOST is an IPv4 address, an IPv6 address in brackets, or localhost, which is 127.0.0.1. BadValue.
core::Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace posthaste::cli
