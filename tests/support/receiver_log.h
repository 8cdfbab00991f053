// What the receiver saw: requests, connections and totals, with waits on them. Connection threads
// write here, tests read copies. It decides nothing; what is answered is the business of
// receiver_rules.h.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste::testing {

// The receiver's only clock; compare its instants with std::chrono::steady_clock::now() of the
// test.
using Clock = std::chrono::steady_clock;

struct Header {
  std::string name;  // as sent, case included
  std::string value;
};

struct Request {
  size_t connection_index = 0;  // counts accepted connections from 0
  size_t request_index = 0;     // counts requests on that connection from 0
  std::string method;
  std::string target;  // as sent: path and query
  std::string path;    // the target up to the question mark
  std::vector<Header> headers;

  std::string body;  // de-chunked; empty unless bodies are recorded
  uint64_t body_size_bytes = 0;
  uint64_t body_hash = 0;      // equal for equal bodies, recorded or not
  uint64_t event_count = 0;    // occurrences of ReceiverOptions::event_marker
  bool body_complete = false;  // false: the peer left, or the receiver stopped reading

  Clock::time_point head_at;  // the last byte of the head was read
  Clock::time_point body_at;  // the body was complete, or given up
  int answered_status = 0;    // 0 until the whole answer was written

  // The first header of that name, in any case; nothing when there is none.
  std::optional<std::string> header(std::string_view name) const;
  // All values of that name, in order of arrival.
  std::vector<std::string> header_values(std::string_view name) const;
};

// How a connection ended as the receiver saw it. A peer that closes while bytes it has not read are
// under way sends a reset, so most tests want Connection::ended_by_peer().
enum class Ending { Open, PeerClosed, PeerReset, ReceiverClosed, ReceiverReset };

struct Connection {
  size_t index = 0;
  Clock::time_point opened_at;
  Clock::time_point ended_at;  // meaningful unless Open
  Ending ending = Ending::Open;
  size_t request_count = 0;        // heads received
  uint64_t read_bytes = 0;         // of HTTP, after TLS
  std::string tls_version;         // empty before the handshake succeeded and without TLS
  std::string tls_error;           // why the handshake failed
  std::string client_common_name;  // of the client's certificate, if it sent one

  bool ended_by_peer() const { return ending == Ending::PeerClosed || ending == Ending::PeerReset; }
};

struct Totals {
  uint64_t requests = 0;  // with a complete body
  uint64_t body_bytes = 0;
  uint64_t events = 0;
  uint64_t accepted_requests = 0;  // answered with a whole 2xx
  uint64_t accepted_events = 0;
};

// Owns the records. Threads: every member may be called from any thread. Invariants:
// connections()[i].index == i; totals count every request, the list of requests keeps the first
// `records_max` of them.
class ReceiverLog {
 public:
  explicit ReceiverLog(size_t records_max) : records_max_(records_max) {}

  size_t open_connection();
  void update_connection(size_t index, const std::function<void(Connection&)>& change);

  // Returns the serial to pass to mark_answered.
  uint64_t add_request(const Request& request, bool with_body);
  void mark_answered(uint64_t serial, int status, uint64_t event_count);

  std::vector<Request> requests() const;
  std::vector<Connection> connections() const;
  Totals totals() const;
  void forget_requests();

  // False when the time ran out first.
  bool wait_for_requests(uint64_t count, Clock::duration timeout) const;
  bool wait_for_accepted_events(uint64_t count, Clock::duration timeout) const;
  bool wait_for_connections(size_t count, Clock::duration timeout) const;
  std::optional<Connection> wait_for_end(size_t index, Clock::duration timeout) const;

 private:
  bool wait(Clock::duration timeout, const std::function<bool()>& is_true) const;

  const size_t records_max_;
  mutable std::mutex mutex_;  // guards all below
  mutable std::condition_variable changed_;
  std::vector<Request> requests_;
  std::vector<Connection> connections_;
  Totals totals_;
  uint64_t first_serial_ = 0;  // of requests_.front(); serials survive forget_requests()
};

}  // namespace posthaste::testing
