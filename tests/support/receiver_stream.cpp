// See receiver_stream.h. Try first, poll only when the socket says it would block.
#include "receiver_stream.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace posthaste::testing {
namespace {

constexpr Clock::duration kLingerTime = std::chrono::seconds(1);

// Asks the kernel whether a socket that reported a hang-up was reset. Reading the error clears it,
// so this is the last question put to a socket.
IoStatus status_of_hang_up(int fd) {
  int problem = 0;
  socklen_t size_bytes = sizeof problem;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size_bytes);
  return problem == 0 ? IoStatus::PeerClosed : IoStatus::PeerReset;
}

int poll_timeout_ms(std::optional<Clock::time_point> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

}  // namespace

ReceiverStream::~ReceiverStream() {
  if (fd_ >= 0) close(fd_);
}

IoStatus ReceiverStream::start_tls(SSL_CTX* context, std::string& error) {
  ssl_.reset(SSL_new(context));
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd_) != 1) {
    error = "no memory";
    return IoStatus::PeerReset;
  }
  while (true) {
    ERR_clear_error();
    const int result = SSL_accept(ssl_.get());
    if (result == 1) return IoStatus::Ok;
    const unsigned long reason = ERR_peek_error();
    const IoStatus status = status_of_tls_error(result);
    if (status == IoStatus::Ok) continue;
    const char* text = ERR_reason_error_string(reason);
    error = text != nullptr ? text : "the peer left during the handshake";
    return status;
  }
}

std::string ReceiverStream::tls_version() const {
  return ssl_ ? SSL_get_version(ssl_.get()) : "";
}

std::string ReceiverStream::peer_common_name() const {
  if (ssl_ == nullptr) return "";
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return "";
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return name;
}

IoStatus ReceiverStream::read(char* buffer, size_t size_bytes, size_t& read_bytes) {
  while (true) {
    if (ssl_) {
      ERR_clear_error();
      const int result = SSL_read_ex(ssl_.get(), buffer, size_bytes, &read_bytes);
      if (result == 1) return IoStatus::Ok;
      const IoStatus status = status_of_tls_error(result);
      if (status != IoStatus::Ok) return status;
      continue;
    }
    const ssize_t count = recv(fd_, buffer, size_bytes, 0);
    if (count > 0) {
      read_bytes = static_cast<size_t>(count);
      return IoStatus::Ok;
    }
    if (count == 0) return IoStatus::PeerClosed;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return IoStatus::PeerReset;
    const IoStatus status = wait(POLLIN, std::nullopt);
    if (status != IoStatus::Ok) return status;
  }
}

IoStatus ReceiverStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t written = 0;
    if (ssl_) {
      ERR_clear_error();
      const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
      const IoStatus status = result == 1 ? IoStatus::Ok : status_of_tls_error(result);
      if (status != IoStatus::Ok) return status;
    } else {
      const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        written = static_cast<size_t>(count);
      } else if (errno == EAGAIN) {
        const IoStatus status = wait(POLLOUT, std::nullopt);
        if (status != IoStatus::Ok) return status;
      } else if (errno != EINTR) {
        return IoStatus::PeerReset;
      }
    }
    bytes.remove_prefix(written);
  }
  return IoStatus::Ok;
}

IoStatus ReceiverStream::wait_for_leave(std::optional<Clock::duration> time) {
  std::optional<Clock::time_point> deadline;
  if (time) deadline = Clock::now() + *time;
  // Bytes that arrive meanwhile stay unread, hence no POLLIN here.
  return wait(POLLRDHUP, deadline);
}

void ReceiverStream::close_gently() {
  if (ssl_ && SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  shutdown(fd_, SHUT_WR);
  const Clock::time_point deadline = Clock::now() + kLingerTime;
  char discarded[16384];
  while (Clock::now() < deadline) {
    const ssize_t count = recv(fd_, discarded, sizeof discarded, 0);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count == 0 || errno != EAGAIN || wait(POLLIN, deadline) != IoStatus::Ok) break;
  }
  close(fd_);
  fd_ = -1;
}

void ReceiverStream::reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd_);
  fd_ = -1;
}

IoStatus ReceiverStream::wait(short events, std::optional<Clock::time_point> deadline) {
  pollfd watched[2] = {{fd_, events, 0}, {stop_fd_, POLLIN, 0}};
  if (events == POLLOUT) watched[0].events = POLLOUT | POLLRDHUP;
  while (true) {
    const int count = poll(watched, 2, poll_timeout_ms(deadline));
    if (count < 0) continue;  // EINTR; the receiver's threads block signals, a debugger does not
    if (watched[1].revents != 0) return IoStatus::Interrupted;
    const short happened = watched[0].revents;
    if ((happened & (POLLERR | POLLNVAL)) != 0) return status_of_hang_up(fd_);
    if ((happened & events & (POLLIN | POLLOUT)) != 0) return IoStatus::Ok;
    if ((happened & (POLLHUP | POLLRDHUP)) != 0) return status_of_hang_up(fd_);
    if (deadline && Clock::now() >= *deadline) return IoStatus::Ok;
  }
}

// Ok means: the wait is over, call again.
IoStatus ReceiverStream::status_of_tls_error(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN, std::nullopt);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT, std::nullopt);
    case SSL_ERROR_ZERO_RETURN:
      return IoStatus::PeerClosed;
    case SSL_ERROR_SYSCALL:
      return errno == ECONNRESET || errno == EPIPE ? IoStatus::PeerReset : IoStatus::PeerClosed;
    default:
      // A close without close_notify; OpenSSL 3 reports it as a protocol error.
      return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                 ? IoStatus::PeerClosed
                 : IoStatus::TlsFailed;
  }
}

}  // namespace posthaste::testing
