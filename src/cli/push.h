// `posthaste push`: lines of events to a running server, each acknowledged or sent again.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/exit_status.h"
#include "cli/server_access.h"

namespace posthaste::cli {

struct PushOptions {
  ServerOptions server;
  std::string socket;  // instead of the server's URL
  std::string file;    // empty or "-": standard input
  uint64_t skip = 0;   // lines at the front that are done already
  uint64_t retry_for_ms = 60'000;
};

// What became of some lines that were sent.
struct PushOutcome {
  uint64_t lines = 0;  // these need not be sent again
  uint64_t accepted = 0;
  uint64_t refused = 0;
  std::vector<std::pair<uint64_t, std::string>> errors;  // line from 1, reason
  uint64_t wait_ms = 0;                                  // before the next try
  std::string problem;                                   // why not all were taken; empty: they were
  Exit status = Exit::Ok;                                // other than Ok: trying again is no use
};

// One way to a server. Threads: one at a time.
class PushWay {
 public:
  virtual ~PushWay() = default;
  virtual PushOutcome send(std::string_view lines) = 0;
};

core::Result<std::unique_ptr<PushWay>> make_http_way(const ServerOptions& options);
std::unique_ptr<PushWay> make_socket_way(const std::string& path);

Exit run_push(const PushOptions& options);

}  // namespace posthaste::cli
