// See receiver.h: sockets, threads and TLS set-up. What is said on a connection is in
// receiver_connection.cpp.
#include "receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "receiver_connection.h"

namespace posthaste::testing {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("receiver: " + what + ": " + std::generic_category().message(errno));
}

void check_tls(bool succeeded, const char* what) {
  if (!succeeded) throw std::runtime_error(std::string("receiver: bad ") + what);
}

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

BioPtr bio_of(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

X509* read_certificate(const std::string& pem, const char* what) {
  X509* certificate = PEM_read_bio_X509(bio_of(pem).get(), nullptr, nullptr, nullptr);
  check_tls(certificate != nullptr, what);
  return certificate;
}

void demand_client_certificates(SSL_CTX* context, const ReceiverTls& tls) {
  X509* authority = read_certificate(tls.client_authority_pem, "authority of client certificates");
  const int added = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
  X509_free(authority);
  check_tls(added == 1, "authority of client certificates");
  const int required =
      tls.client_certificates == ClientCertificates::Required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nullptr);
  // Without an id OpenSSL refuses to resume sessions of clients that showed a certificate.
  const unsigned char id[] = "posthaste-receiver";
  SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
}

// Blocks all signals while it lives; threads started meanwhile inherit that for good.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

Rule rule_with_status(int status) {
  Rule rule;
  rule.reply.status = status;
  return rule;
}

}  // namespace

SSL_CTX* make_tls_context(const ReceiverTls& tls) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  check_tls(context != nullptr, "TLS library");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  X509* certificate = read_certificate(tls.server.certificate_pem, "server certificate");
  const int certificate_used = SSL_CTX_use_certificate(context, certificate);
  X509_free(certificate);
  check_tls(certificate_used == 1, "server certificate");
  EVP_PKEY* key =
      PEM_read_bio_PrivateKey(bio_of(tls.server.key_pem).get(), nullptr, nullptr, nullptr);
  check_tls(key != nullptr, "server key");
  const int key_used = SSL_CTX_use_PrivateKey(context, key);
  EVP_PKEY_free(key);
  check_tls(key_used == 1, "server key");
  if (tls.version_max != 0) {
    // Old versions need signatures that OpenSSL calls insecure.
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, tls.version_max);
  }
  if (tls.client_certificates != ClientCertificates::NotAsked) {
    demand_client_certificates(context, tls);
  }
  return context;
}

Receiver::Receiver(ReceiverOptions options)
    : options_(std::move(options)), log_(options_.records_max) {
  if (options_.tls) tls_.reset(make_tls_context(*options_.tls));
  stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd_ < 0) fail("eventfd");
  try {
    listen();
  } catch (...) {
    if (listen_fd_ >= 0) close(listen_fd_);
    close(stop_fd_);
    throw;
  }
  const SignalsBlocked blocked;
  acceptor_ = std::thread([this] { accept_loop(); });
}

Receiver::~Receiver() {
  stop();
  close(stop_fd_);
}

void Receiver::stop() {
  const std::lock_guard lock(stop_mutex_);
  if (!acceptor_.joinable()) return;
  eventfd_write(stop_fd_, 1);
  acceptor_.join();
  for (auto& [index, thread] : connections_) thread.join();
  connections_.clear();
  close(listen_fd_);
}

std::string Receiver::address() const {
  return (options_.ipv6 ? "[::1]:" : "127.0.0.1:") + std::to_string(port_);
}

std::string Receiver::url(std::string_view target) const {
  return (options_.tls ? "https://" : "http://") + address() + std::string(target);
}

void Receiver::answer_with(int status, std::vector<Header> headers, std::string body) {
  Rule rule = rule_with_status(status);
  rule.reply.headers = std::move(headers);
  rule.reply.body = std::move(body);
  set_rules({rule});
}

void Receiver::answer_sequence(std::vector<int> statuses) {
  Rule rule;
  rule.statuses = std::move(statuses);
  set_rules({rule});
}

void Receiver::fail_first(uint64_t count, int status) {
  Rule rule = rule_with_status(status);
  rule.first = count;
  set_rules({rule});
}

void Receiver::fail_every(uint64_t count, int status) {
  Rule rule = rule_with_status(status);
  rule.every = count;
  set_rules({rule});
}

void Receiver::fail_while_body_contains(std::string marker, int status) {
  Rule rule = rule_with_status(status);
  rule.marker = std::move(marker);
  set_rules({rule});
}

void Receiver::fail_larger_than(uint64_t size_bytes, int status) {
  Rule rule = rule_with_status(status);
  rule.larger_than = size_bytes;
  set_rules({rule});
}

void Receiver::delay_by(Clock::duration delay) {
  Rule rule;
  rule.reply.delay = delay;
  set_rules({rule});
}

void Receiver::hang(StopAt stop_at) {
  Rule rule;
  rule.reply.stop_at = stop_at;
  rule.reply.body = "the second half of this body never comes";
  set_rules({rule});
}

void Receiver::never_read_bodies() {
  Rule rule;
  rule.intake.never_read = true;
  set_rules({rule});
}

void Receiver::reset_after(uint64_t body_bytes) {
  Rule rule;
  rule.intake.reset_after_bytes = body_bytes;
  set_rules({rule});
}

void Receiver::behave() {
  set_accept_fault(AcceptFault::None);
  set_decide(nullptr);
  set_default({});
  set_rules({});
}

void Receiver::listen() {
  sockaddr_storage storage{};
  socklen_t size_bytes = 0;
  if (options_.ipv6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_addr = in6addr_loopback;
    address->sin6_port = htons(options_.port);
    size_bytes = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons(options_.port);
    size_bytes = sizeof *address;
  }
  listen_fd_ = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listen_fd_ < 0) fail("socket");
  const int on = 1;
  setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options_.socket_buffer_bytes > 0) {
    // Accepted sockets inherit it, and only a value set before listen() bounds the window.
    setsockopt(listen_fd_, SOL_SOCKET, SO_RCVBUF, &options_.socket_buffer_bytes, sizeof(int));
  }
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (bind(listen_fd_, address, size_bytes) != 0) fail("port " + std::to_string(options_.port));
  if (::listen(listen_fd_, SOMAXCONN) != 0) fail("listen");
  if (getsockname(listen_fd_, address, &size_bytes) != 0) fail("getsockname");
  port_ = ntohs(options_.ipv6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                              : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

void Receiver::accept_loop() {
  pollfd watched[2] = {{listen_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  while (true) {
    poll(watched, 2, -1);
    if (watched[1].revents != 0) return;
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      start_connection(fd);
    } else if (errno == EMFILE || errno == ENFILE) {
      poll(&watched[1], 1,
           10);  // descriptors come back when connections end; no busy loop until then
    }
  }
}

void Receiver::start_connection(int fd) {
  join_finished();
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const size_t index = log_.open_connection();
  connections_[index] = std::thread([this, fd, index] {
    ReceiverConnection({options_, rules_, log_, tls_.get(), stop_fd_}, fd, index).run();
    const std::lock_guard lock(finished_mutex_);
    finished_.push_back(index);
  });
}

// A thread keeps its stack until joined, so this must not wait for stop().
void Receiver::join_finished() {
  std::vector<size_t> finished;
  {
    const std::lock_guard lock(finished_mutex_);
    finished.swap(finished_);
  }
  for (const size_t index : finished) {
    const auto found = connections_.find(index);
    found->second.join();
    connections_.erase(found);
  }
}

}  // namespace posthaste::testing
