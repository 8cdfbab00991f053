// One receiving thread of the sink: a listener, its connections, and answers that are held back.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sink_counters.h"
#include "sink_marker.h"
#include "sink_request.h"

namespace posthaste::bench {

// The command line.
struct SinkOptions {
  int port = 8080;
  int threads = 1;
  size_t buffer_bytes = 256 * 1024;
  int receive_buffer_bytes = 0;  // SO_RCVBUF; 0 = the system's own tuning
  bool discards = false;         // discard bodies of known length inside the kernel
  std::string marker;            // counted in bodies
  bool has_ids = false;          // a decimal number follows the marker
  bool has_ages = false;         // it is a time of CLOCK_MONOTONIC in ns
  uint64_t id_max = uint64_t{1} << 27;
  std::string prefix;     // put in front of every request's path
  std::string dump_path;  // every body is appended to this file
};

// Purpose: swallows requests and answers them. Ownership: owns its connections, not the listener.
// Threads: one, the one that calls run(). Invariants: a connection that waits for its answer keeps
// what arrives meanwhile and reads it afterwards.
class SinkWorker {
 public:
  // dump_fd: below 0 when bodies are not kept.
  SinkWorker(const SinkOptions& options, const SinkMarker& marker, SinkCounters& counters,
             int listener_fd, int dump_fd);

  [[noreturn]] void run();

 private:
  enum class State { Head, Length, ChunkSize, ChunkData, ChunkEnd, Trailer, Waiting, Hung };
  // Whether the connection is still there.
  enum class Fate { Open, Gone };

  struct Connection {
    int fd = -1;
    State state = State::Head;
    std::string line;         // request head, chunk size or trailer line being gathered
    std::string pending;      // bytes that arrived while an answer was held back
    std::string carry;        // end of the last piece, for markers cut in two
    std::string answer;       // made when the head is complete
    uint64_t left_bytes = 0;  // of the body or of the chunk
    uint64_t serial = 0;
    bool is_counted = false;  // a body to count, not a control request
    bool closes = false;
    SinkFault fault;
  };

  struct Held {
    uint64_t due_ns;
    int fd;
    uint64_t serial;
  };

  void accept_all();
  Fate drop(Connection& connection);
  Connection* find(int fd, uint64_t serial);
  void on_readable(Connection& connection);
  bool can_discard(const Connection& connection) const;
  int wait_ms() const;
  void answer_due();

  Fate consume(Connection& connection, const char* at, const char* end);
  Fate consume_head(Connection& connection, const char*& at, const char* end);
  Fate consume_body(Connection& connection, const char*& at, const char* end);
  Fate consume_line(Connection& connection, const char*& at, const char* end);
  Fate begin(Connection& connection);
  void look_at_body(Connection& connection, const char* at, size_t size_bytes, bool is_last);
  void count_markers(Connection& connection, const char* at, size_t size_bytes, bool is_last);
  Fate finish(Connection& connection);
  Fate answer(Connection& connection);
  Fate send_all(Connection& connection, const std::string& bytes);

  const SinkOptions& options_;
  const SinkMarker& marker_;
  SinkCounters& counters_;
  const int listener_fd_;
  const int dump_fd_;
  int epoll_fd_ = -1;
  uint64_t serial_ = 0;
  std::vector<char> buffer_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::deque<Held> held_;  // by due_ns
};

}  // namespace posthaste::bench
