// One request of the sink as its head describes it: how the body ends, what the path orders the
// sink to do wrong, and the answer.
#pragma once

#include <cstdint>
#include <string>

namespace posthaste::bench {

// What the path orders. Segments, in any order, anything else is ignored: /status/NNN,
// /retry-after/S, /delay/MS, /hang, /drop, and to whom it happens: /every/K, /first/N. /down/N goes
// before all of them.
struct SinkFault {
  int status = 200;
  int delay_ms = 0;
  int retry_after_s = -1;
  bool is_hanging = false;
  bool is_dropping = false;
  int every = 0;       // only each K-th request; 0 = all
  int64_t first = -1;  // only the first N; -1 = all
  uint64_t down = 0;   // the first N are answered 503 at once

  bool is_counted() const { return every > 0 || first >= 0 || down > 0; }
  // turn: 1 for the first such request.
  bool strikes(uint64_t turn) const;
};

struct SinkRequest {
  std::string path;
  uint64_t size_bytes = 0;  // of a body with Content-Length
  bool is_chunked = false;
  bool wants_continue = false;
  bool wants_close = false;
};

// head: from the request line to the line end before the empty line. False when it is no request.
bool read_head(const std::string& head, SinkRequest& out);
SinkFault read_fault(const std::string& path);
std::string make_answer(const SinkFault& fault, const std::string& body, bool closes);

}  // namespace posthaste::bench
