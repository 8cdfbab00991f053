// A proxy on loopback for tests: HTTP with and without CONNECT, and SOCKS5, by what the client
// begins with; all of it inside TLS when it has a certificate. Whatever host a client names, it
// connects to 127.0.0.1 at the port that was named, so that no test leaves this machine.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "certificates.h"

namespace posthaste::testing {

// Purpose: relays and remembers. Ownership: owns its threads and sockets, one thread for each
// connection and one more for TLS, joined when it is destroyed. Threads: any.
class Proxy {
 public:
  // certificate: it speaks TLS with its clients.
  explicit Proxy(const std::optional<Certificate>& certificate = {});
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // "http://127.0.0.1:3128"; credentials: "user:password".
  std::string url(const std::string& scheme, const std::string& credentials = {}) const;
  // What clients asked for, in order: "CONNECT host:port", "POST http://host:port/path",
  // "SOCKS5 host:port".
  std::vector<std::string> requests() const;
  // The heads of HTTP requests as they came, and "user:password" of SOCKS5.
  std::string seen() const;

 private:
  struct SslContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void serve(int client);
  void serve_tls(int client);
  void relay_tls(SSL* ssl, int client, int inside) const;
  void serve_http(int client);
  void serve_socks(int client);
  void note(std::string request, const std::string& text);
  void relay(int client, int server) const;

  std::unique_ptr<SSL_CTX, SslContextFree> tls_;  // null: plain
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> is_stopping_{false};
  std::thread acceptor_;
  std::vector<std::thread> workers_;  // the acceptor's until it is joined
  mutable std::mutex mutex_;          // guards the two below
  std::vector<std::string> requests_;
  std::string seen_;
};

}  // namespace posthaste::testing
