#include "admin/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace posthaste::admin {
namespace {

// Enough for a flood to wait in the kernel while the table makes room.
constexpr int kBacklog = 1024;

union SocketAddress {
  sockaddr any;
  sockaddr_in ipv4;
  sockaddr_in6 ipv6;
  sockaddr_storage storage;
};

// Gives the size to bind with.
socklen_t fill(const Address& address, SocketAddress& out) {
  std::memset(&out, 0, sizeof out);
  if (inet_pton(AF_INET, address.host.c_str(), &out.ipv4.sin_addr) == 1) {
    out.ipv4.sin_family = AF_INET;
    out.ipv4.sin_port = htons(address.port);
    return sizeof out.ipv4;
  }
  inet_pton(AF_INET6, address.host.c_str(), &out.ipv6.sin6_addr);
  out.ipv6.sin6_family = AF_INET6;
  out.ipv6.sin6_port = htons(address.port);
  return sizeof out.ipv6;
}

core::Error refused(const Address& address, const char* what) {
  return {core::ErrorCode::System,
          "listen: " + address.host + " port " + std::to_string(address.port) + ": " + what + ": " +
              strerrordesc_np(errno),
          "listen"};
}

uint16_t port_of(int fd) {
  SocketAddress bound;
  socklen_t size = sizeof bound;
  if (getsockname(fd, &bound.any, &size) != 0) return 0;
  return ntohs(bound.any.sa_family == AF_INET ? bound.ipv4.sin_port : bound.ipv6.sin6_port);
}

}  // namespace

core::Result<ListeningSocket> listen_at(const Address& address) {
  SocketAddress wanted;
  const socklen_t size = fill(address, wanted);
  const int fd =
      socket(wanted.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return refused(address, "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const char* step = "bind";
  if (bind(fd, &wanted.any, size) == 0) {
    step = "listen";
    if (listen(fd, kBacklog) == 0) return ListeningSocket{fd, port_of(fd)};
  }
  const core::Error error = refused(address, step);
  close(fd);
  return error;
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  SocketAddress any;
  any.storage = address;
  if (any.any.sa_family == AF_INET) {
    inet_ntop(AF_INET, &any.ipv4.sin_addr, text, sizeof text);
  } else if (IN6_IS_ADDR_V4MAPPED(&any.ipv6.sin6_addr)) {
    inet_ntop(AF_INET, any.ipv6.sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &any.ipv6.sin6_addr, text, sizeof text);
  }
  return text;
}

std::string local_address_text(int fd) {
  SocketAddress local;
  socklen_t size = sizeof local;
  if (getsockname(fd, &local.any, &size) != 0) return {};
  return address_text(local.storage);
}

}  // namespace posthaste::admin
