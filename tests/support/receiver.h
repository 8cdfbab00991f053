// The test receiver: a small HTTP/1.1 server on loopback that records what it gets and misbehaves
// on demand. Integration tests run it in their own process; the command posthaste-receiver runs it
// alone. It is no web server: it serves nothing but answers chosen by rules.
//
//   Receiver receiver;
//   receiver.answer_sequence({503, 503, 200});
//   ... let the engine post to receiver.url("/hook") ...
//   REQUIRE(receiver.log().wait_for_requests(3, 5s));
//   CHECK(receiver.log().requests()[2].header("X-MessageSystems-Batch-ID") == ...);
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "certificates.h"
#include "receiver_body.h"
#include "receiver_log.h"
#include "receiver_rules.h"

namespace posthaste::testing {

enum class ClientCertificates { NotAsked, Optional, Required };

struct ReceiverTls {
  Certificate server = {};
  ClientCertificates client_certificates = ClientCertificates::NotAsked;
  std::string client_authority_pem = {};  // who must have signed them
  int version_max = 0;                    // TLS1_1_VERSION and the like; 0: the newest
};

// What a server's TLS sessions are made from; the caller frees it. Throws std::runtime_error when
// OpenSSL refuses a certificate or a key.
SSL_CTX* make_tls_context(const ReceiverTls& tls);

// What cannot change while the receiver runs.
struct ReceiverOptions {
  uint16_t port = 0;  // 0: the system chooses
  bool ipv6 = false;  // ::1 instead of 127.0.0.1
  std::optional<ReceiverTls> tls = {};
  bool record_bodies = true;     // false for high volume: bodies are only counted and hashed
  size_t records_max = 100'000;  // requests beyond it are counted in the totals only
  int socket_buffer_bytes = 0;   // SO_RCVBUF, small makes uploads stall early; 0: the system's
  // What Request::event_count counts; it must not overlap itself.
  std::string event_marker = "{\"msys\":";
  // Called with every complete request, body included if kept, before it is answered. On connection
  // threads, several at a time.
  std::function<void(const Request&)> on_request = {};
};

// The server itself. The setters take effect for requests that are complete after the call.
//
// Owns its sockets and threads: one that accepts and one per connection, all signals blocked in
// them, so that signals of the test program run on its own threads and a lost connection raises no
// SIGPIPE. Threads: every member but the destructor may be called from any thread; stop() not from
// on_request or a decide function. Invariant: after stop() no thread is left and the port is free;
// the log stays readable.
class Receiver {
 public:
  // Listens and serves at once. Throws std::runtime_error when it cannot, for example because the
  // port is taken.
  explicit Receiver(ReceiverOptions options = {});
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // Closes every connection and joins every thread. A second call does nothing.
  void stop();

  uint16_t port() const { return port_; }
  std::string address() const;                           // "127.0.0.1:8080" or "[::1]:8080"
  std::string url(std::string_view target = "/") const;  // with http or https

  const ReceiverLog& log() const { return log_; }
  void forget_requests() {
    log_.forget_requests();
  }  // totals start at zero again; connections stay

  // Full control: see receiver_rules.h.
  void set_accept_fault(AcceptFault fault) { rules_.set_accept_fault(fault); }
  void set_default(Reply reply) { rules_.set_default(std::move(reply)); }
  void set_rules(std::vector<Rule> rules) { rules_.set_rules(std::move(rules)); }
  void set_decide(RuleBook::Decide decide) { rules_.set_decide(std::move(decide)); }

  // Shorthands; each replaces all rules, what they do not concern gets the default reply.
  void answer_with(int status, std::vector<Header> headers = {}, std::string body = {});
  void answer_sequence(std::vector<int> statuses);
  void fail_first(uint64_t count, int status = 503);
  void fail_every(uint64_t count, int status = 503);
  void fail_while_body_contains(std::string marker, int status = 400);
  void fail_larger_than(uint64_t size_bytes, int status = 413);
  void delay_by(Clock::duration delay);
  void hang(StopAt stop_at = StopAt::BeforeHead);
  void never_read_bodies();
  void reset_after(uint64_t body_bytes);
  void behave();  // no rules, no faults, 200 to everything

 private:
  struct SslContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void listen();
  void accept_loop();
  void start_connection(int fd);
  void join_finished();

  const ReceiverOptions options_;
  RuleBook rules_;
  ReceiverLog log_;
  std::unique_ptr<SSL_CTX, SslContextFree> tls_;
  int listen_fd_ = -1;
  int stop_fd_ = -1;
  uint16_t port_ = 0;
  std::thread acceptor_;
  std::map<size_t, std::thread> connections_;  // the acceptor's own until it is joined
  std::mutex stop_mutex_;                      // one stop() at a time
  std::mutex finished_mutex_;                  // guards finished_
  std::vector<size_t> finished_;               // connections whose threads only wait to be joined
};

}  // namespace posthaste::testing
