// The listening socket, and addresses as texts.
#pragma once

#include <sys/socket.h>

#include <string>

#include "admin/settings.h"
#include "core/result.h"

namespace posthaste::admin {

struct ListeningSocket {
  int fd = -1;
  uint16_t port = 0;
};

// Opens, binds and listens; close-on-exec, never blocking. System with the address and the reason.
core::Result<ListeningSocket> listen_at(const Address& address);

// The numeric address without the port, an IPv4 one mapped to IPv6 as the IPv4 one.
std::string address_text(const sockaddr_storage& address);
// The address that a connection came in at.
std::string local_address_text(int fd);

}  // namespace posthaste::admin
