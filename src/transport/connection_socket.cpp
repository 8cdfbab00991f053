#include "transport/connection_socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace posthaste::transport {
namespace {

// Without a bound the kernel takes megabytes that a slow receiver needs long to fetch, and "the
// last byte was sent" would be said far too early. Data under way to the receiver do not count, so
// a fast one is not slowed down.
constexpr int kUnsentBytesMax = 512 << 10;

// True for one end of a socketpair, which nothing that a host opens by name can be.
bool is_end_of_pair(int descriptor) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  sockaddr_storage peer{};
  socklen_t peer_size = sizeof peer;
  return domain == AF_UNIX &&
         ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 &&
         peer_size == sizeof(sa_family_t);
}

}  // namespace

curl_socket_t open_connection_socket(const curl_sockaddr& address) {
  const int socket = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (socket < 0) return CURL_SOCKET_BAD;
  // Best effort: where it is missing, time-outs count from the hand-over to the kernel.
  ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMax, sizeof kUnsentBytesMax);
  return socket;
}

int close_connection_socket(void* /*user_data*/, curl_socket_t socket) {
  // Behind a receiver that does not read, the end would wait for ever after bytes that never leave:
  // a reset overtakes them. Both reach the receiver although a forked child may hold a copy of the
  // socket.
  int unsent_bytes = 0;
  if (::ioctl(socket, SIOCOUTQNSD, &unsent_bytes) == 0 && unsent_bytes > 0) {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    ::connect(socket, &nowhere, sizeof nowhere);
  } else {
    ::shutdown(socket, SHUT_RDWR);
  }
  return ::close(socket);
}

CURLM* make_multi() {
  // The lowest free numbers; new descriptors get them.
  int next[2] = {-1, -1};
  if (::pipe2(next, O_CLOEXEC) == 0) {
    ::close(next[0]);
    ::close(next[1]);
  }
  CURLM* const multi = curl_multi_init();
  for (const int descriptor : next) {
    if (descriptor >= 0 && is_end_of_pair(descriptor)) {
      ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
  }
  return multi;
}

}  // namespace posthaste::transport
