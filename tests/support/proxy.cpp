#include "proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "receiver.h"

namespace posthaste::testing {
namespace {

constexpr int kPollMs = 20;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int connect_to(uint16_t port) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return server;
  }
  ::close(server);
  return -1;
}

bool send_all(int socket, const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return true;
}

// Exactly so many bytes, or fewer when the peer has gone.
std::string receive(int socket, size_t size) {
  std::string text(size, '\0');
  const ssize_t count = ::recv(socket, text.data(), size, MSG_WAITALL);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

std::string receive_head(int socket) {
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    const std::string byte = receive(socket, 1);
    if (byte.empty()) return {};
    head += byte;
  }
  return head;
}

uint16_t port_of(const std::string& authority) {
  return static_cast<uint16_t>(std::atoi(authority.substr(authority.rfind(':') + 1).c_str()));
}

size_t byte_at(const std::string& text, size_t index) {
  return static_cast<unsigned char>(text.at(index));
}

}  // namespace

Proxy::Proxy(const std::optional<Certificate>& certificate)
    : tls_(certificate ? make_tls_context(ReceiverTls{*certificate}) : nullptr),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      workers_.emplace_back([this, client] {
        tls_ ? serve_tls(client) : serve(client);
        ::close(client);
      });
    }
  });
}

Proxy::~Proxy() {
  is_stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& worker : workers_) worker.join();
  ::close(listener_);
}

std::string Proxy::url(const std::string& scheme, const std::string& credentials) const {
  return scheme + "://" + credentials + (credentials.empty() ? "" : "@") +
         "127.0.0.1:" + std::to_string(port_);
}

std::vector<std::string> Proxy::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::string Proxy::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void Proxy::note(std::string request, const std::string& text) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  seen_ += text;
}

void Proxy::serve(int client) {
  // A client that says nothing must not keep the destructor waiting.
  const timeval patience{2, 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char first = 0;
  if (::recv(client, &first, 1, MSG_PEEK) != 1) return;
  first == 5 ? serve_socks(client) : serve_http(client);
}

// What comes out of TLS is served as a plain client is, through a pair of sockets.
void Proxy::serve_tls(int client) {
  // OpenSSL writes without MSG_NOSIGNAL.
  sigset_t lost_connection;
  sigemptyset(&lost_connection);
  sigaddset(&lost_connection, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &lost_connection, nullptr);
  const timeval patience{2, 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(tls_.get()), SSL_free);
  SSL_set_fd(ssl.get(), client);
  int ends[2];
  if (SSL_accept(ssl.get()) != 1 ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return;
  }
  std::thread server([this, inside = ends[1]] {
    serve(inside);
    ::close(inside);
  });
  relay_tls(ssl.get(), client, ends[0]);
  ::shutdown(ends[0], SHUT_RDWR);
  server.join();
  ::close(ends[0]);
  SSL_shutdown(ssl.get());
}

// Until either side has closed.
void Proxy::relay_tls(SSL* ssl, int client, int inside) const {
  char buffer[65536];
  pollfd both[2] = {{client, POLLIN, 0}, {inside, POLLIN, 0}};
  while (!is_stopping_) {
    // Bytes that OpenSSL has read already are not the socket's any more.
    if (SSL_pending(ssl) == 0 && ::poll(both, 2, kPollMs) <= 0) continue;
    if (SSL_pending(ssl) > 0 || both[0].revents != 0) {
      const int count = SSL_read(ssl, buffer, sizeof buffer);
      if (count <= 0) return;
      if (!send_all(inside, {buffer, static_cast<size_t>(count)})) return;
    }
    if (both[1].revents != 0) {
      const ssize_t count = ::recv(inside, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      int sent = 0;
      while (sent < count) {
        const int written = SSL_write(ssl, buffer + sent, static_cast<int>(count) - sent);
        if (written <= 0) return;
        sent += written;
      }
    }
    both[0].revents = both[1].revents = 0;
  }
}

void Proxy::serve_http(int client) {
  std::string head = receive_head(client);
  const size_t method_end = head.find(' ');
  if (method_end == std::string::npos) return;
  const size_t url_end = head.find(' ', method_end + 1);
  const std::string method = head.substr(0, method_end);
  const std::string url = head.substr(method_end + 1, url_end - method_end - 1);
  note(method + " " + url, head);
  const bool is_tunnel = method == "CONNECT";
  const size_t authority = is_tunnel ? 0 : url.find("://") + 3;
  const size_t path = url.find('/', authority);
  const int server = connect_to(port_of(url.substr(authority, path - authority)));
  if (server < 0) {
    send_all(client, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  // One request for each connection, since the next may be for another server.
  const size_t line_end = head.find("\r\n") + 2;
  const std::string own_form = method + " " + url.substr(std::min(path, url.size())) +
                               head.substr(url_end, line_end - url_end) + "Connection: close\r\n" +
                               head.substr(line_end);
  if (is_tunnel ? send_all(client, "HTTP/1.1 200 Connected\r\n\r\n") : send_all(server, own_form)) {
    relay(client, server);
  }
  ::close(server);
}

// RFC 1928 and RFC 1929.
void Proxy::serve_socks(int client) {
  const std::string greeting = receive(client, 2);
  if (greeting.size() < 2) return;
  const std::string methods = receive(client, byte_at(greeting, 1));
  std::string credentials;
  if (methods.find('\2') != std::string::npos) {
    send_all(client, "\5\2");
    const std::string user = receive(client, byte_at(receive(client, 2), 1));
    const std::string password = receive(client, byte_at(receive(client, 1), 0));
    credentials = user + ":" + password + "\n";
    send_all(client, std::string("\1\0", 2));
  } else {
    send_all(client, std::string("\5\0", 2));
  }
  const std::string request = receive(client, 4);
  if (request.size() < 4) return;
  std::string host;
  if (request[3] == 3) {
    host = receive(client, byte_at(receive(client, 1), 0));
  } else {
    char text[INET6_ADDRSTRLEN] = {};
    const bool is_v4 = request[3] == 1;
    const std::string address = receive(client, is_v4 ? 4 : 16);
    host = ::inet_ntop(is_v4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  }
  const std::string port_bytes = receive(client, 2);
  const auto port = static_cast<uint16_t>(byte_at(port_bytes, 0) << 8 | byte_at(port_bytes, 1));
  note("SOCKS5 " + host + ":" + std::to_string(port), credentials);
  const int server = connect_to(port);
  send_all(client,
           std::string(server < 0 ? "\5\5" : "\5\0", 2) + std::string("\0\1\0\0\0\0\0\0", 8));
  if (server < 0) return;
  relay(client, server);
  ::close(server);
}

// Until either side has closed.
void Proxy::relay(int client, int server) const {
  char buffer[65536];
  pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
  while (!is_stopping_) {
    if (::poll(both, 2, kPollMs) <= 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (both[i].revents == 0) continue;
      const ssize_t count = ::recv(both[i].fd, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      if (!send_all(both[1 - i].fd, {buffer, static_cast<size_t>(count)})) return;
    }
  }
}

}  // namespace posthaste::testing
