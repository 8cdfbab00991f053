// Events that `serve` takes as lines: from standard input and on a unix socket. The protocol of the
// socket stands in kIngestHelp.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cli/stop_signal.h"
#include "core/result.h"
#include "posthaste/posthaste.h"

namespace posthaste::cli {

inline constexpr char kIngestHelp[] =
    "Events come as lines of JSON, each an event such as {\"type\":\"delivery\",...} or a whole "
    "record {\"msys\":{...}}; a bad line is refused with its number and a reason, and does not "
    "stop the rest. On a unix socket any number of clients, up to 256 at a time, write such lines. "
    "A line `sync`, or the end of what a client sends, asks for an answer: one line of JSON,\n"
    "  "
    "{\"accepted\":N,\"refused\":M,\"lines\":L,\"synced\":true,\"errors\":[{\"line\":1,\"message\":"
    "\"...\"}]}\n"
    "which counts the lines since the answer before, and comes when what was accepted is on disk "
    "(synced is false in memory mode, and when the disk failed: then send those lines again). "
    "While the queue is full the "
    "server does not read. When it stops it answers once more, of the lines that it took, and "
    "closes: send the others again later. The first 100 errors are explained.";

// What became of lines.
struct LineTally {
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t lines = 0;
  std::vector<std::pair<uint64_t, std::string>> errors;  // line from 1, reason
};

// Takes whole lines, waiting while the queue is full. What was done is added to `tally`. False when
// it was stopped before the last of them.
bool feed_lines(posthaste_t* engine, const StopSignal& stop, std::string_view lines,
                LineTally& tally);

// Purpose: reads standard input to its end and logs what it refuses. Ownership: owns its thread.
// Threads: made and destroyed by one; stop must have been signalled before the end.
class StdinIngest {
 public:
  StdinIngest(posthaste_t* engine, const StopSignal& stop);
  ~StdinIngest();

 private:
  void run();

  posthaste_t* const engine_;
  const StopSignal& stop_;
  std::thread thread_;
};

// Purpose: the unix socket. Ownership: owns the socket's file, a thread that accepts, and one for
// each client. Threads: as StdinIngest.
class SocketIngest {
 public:
  // System when the path cannot be had; one that a dead server left is taken.
  static core::Result<std::unique_ptr<SocketIngest>> listen(posthaste_t* engine,
                                                            const StopSignal& stop,
                                                            const std::string& path);
  ~SocketIngest();

 private:
  struct Client;

  SocketIngest(posthaste_t* engine, const StopSignal& stop, std::string path, int fd);
  void run();
  void reap(bool waits);

  posthaste_t* const engine_;
  const StopSignal& stop_;
  const std::string path_;
  const int fd_;
  std::list<std::unique_ptr<Client>> clients_;  // the accepting thread's, until it has ended
  std::thread thread_;
};

}  // namespace posthaste::cli
