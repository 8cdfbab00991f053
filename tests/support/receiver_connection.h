// The HTTP/1.1 side of one connection: reads requests, asks the rules, writes answers or their
// faults, logs. Used by receiver.cpp only.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "receiver_log.h"
#include "receiver_rules.h"
#include "receiver_stream.h"

namespace posthaste::testing {

struct ReceiverOptions;

// What all connections of one receiver share; the receiver outlives its connections.
struct ReceiverShared {
  const ReceiverOptions& options;
  RuleBook& rules;
  ReceiverLog& log;
  SSL_CTX* tls = nullptr;  // null: plain HTTP
  int stop_fd = -1;
};

// Owns the socket from construction on. Threads: one, which calls run() once. Invariant: bytes read
// ahead lie in buffer_[start_, end_).
class ReceiverConnection {
 public:
  ReceiverConnection(const ReceiverShared& shared, int fd, size_t index);
  void run();

 private:
  // What follows after a step: go on, or end the connection in one of these ways.
  enum class Next { Continue, Gone, Close, Reset };
  class BodySink;

  bool pass_accept_fault();
  bool pass_handshake();
  void end(Next next);
  Next next_of(IoStatus status);
  Next hang();

  Next serve_one();
  Next read_head(Request& request);
  Next read_line(std::string& line, size_t bytes_max);
  Next refuse(int status);  // answers without reading on
  bool parse_request_line(std::string_view line, Request& request);
  Next read_body(const Request& request, const Intake& intake, BodySink& sink);
  Next read_counted(uint64_t size_bytes, BodySink& sink);
  Next read_chunked(BodySink& sink);
  Next fill();

  Next answer(const Request& request, const Reply& reply);
  Next write_body(const Reply& reply, uint64_t size_bytes);
  Next write_letters(uint64_t size_bytes);
  Next write_endless(const Reply& reply);
  Next stop(const Reply& reply);
  Next write(std::string_view bytes) { return next_of(stream_.write(bytes)); }

  const ReceiverShared shared_;
  ReceiverStream stream_;
  const size_t index_;
  size_t request_count_ = 0;
  int refused_status_ = 0;
  uint64_t read_bytes_ = 0;
  Ending ending_ = Ending::ReceiverClosed;  // as the last failed step found it
  std::vector<char> buffer_;
  size_t start_ = 0;
  size_t end_ = 0;
};

}  // namespace posthaste::testing
