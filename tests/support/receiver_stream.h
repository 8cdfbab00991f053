// One accepted socket of the receiver, plain or TLS: blocking reads and writes that the receiver's
// stop interrupts, and that tell how the peer left. Used by receiver_connection.cpp only. It knows
// no HTTP.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "receiver_log.h"

namespace posthaste::testing {

enum class IoStatus {
  Ok,
  PeerClosed,   // end of stream, announced by TLS or not
  PeerReset,    // or any other error of the socket
  TlsFailed,    // one side refused the other; the socket still stands
  Interrupted,  // the receiver stops
};

// Owns the descriptor and the TLS session. Threads: one, the connection's own. Invariant: the
// descriptor is non-blocking; every wait also watches `stop_fd`, which becomes readable when the
// receiver stops.
class ReceiverStream {
 public:
  ReceiverStream(int fd, int stop_fd) : fd_(fd), stop_fd_(stop_fd) {}
  ~ReceiverStream();
  ReceiverStream(const ReceiverStream&) = delete;
  ReceiverStream& operator=(const ReceiverStream&) = delete;

  // The TLS handshake; on failure `error` says why.
  IoStatus start_tls(SSL_CTX* context, std::string& error);
  std::string tls_version() const;
  std::string peer_common_name() const;

  // Waits for at least one byte; sets `read_bytes` when Ok.
  IoStatus read(char* buffer, size_t size_bytes, size_t& read_bytes);
  IoStatus write(std::string_view bytes);

  // Waits without reading until the peer leaves, the time is over (Ok) or the receiver stops. A
  // peer that only shuts down its sending side counts as gone. A peer whose close is stuck behind
  // bytes that nobody reads is not seen: TCP has no way to tell us.
  IoStatus wait_for_leave(std::optional<Clock::duration> time);

  // Announces the end, then lets the peer read what was written: closing over unread bytes would
  // send a reset, which destroys an answer under way. Returns when the peer closed too, or after a
  // second.
  void close_gently();
  void reset();

 private:
  IoStatus wait(short events, std::optional<Clock::time_point> deadline);
  IoStatus status_of_tls_error(int result);

  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  int fd_;
  const int stop_fd_;
  std::unique_ptr<SSL, SslFree> ssl_;
};

}  // namespace posthaste::testing
