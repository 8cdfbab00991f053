// How the receiver behaves: replies, their faults, and rules that choose one by path, body or
// count. Used through Receiver and, in text form, by the posthaste-receiver command.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "receiver_log.h"

namespace posthaste::testing {

// What happens to a connection as soon as it is accepted, before anything is read (with TLS: before
// the handshake).
enum class AcceptFault { None, NeverRead, Close, Reset, Garbage };

// How the end of the answer's body is marked. ChunkedGarbage sends one good chunk, then a chunk
// size that is none.
enum class Framing { Length, Chunked, ChunkedGarbage, UntilClose };

// Where an answer breaks off, and what the receiver does there. MidBody is half of the body.
enum class StopAt { Never, BeforeHead, AfterHead, MidBody };
enum class StopAction { Hang, Close, Reset };

// SilentClose promises keep-alive and closes all the same: the next request meets a dead
// connection.
enum class KeepAlive { Yes, No, SilentClose };

// One answer. The default is an empty 200 on a connection that stays open.
struct Reply {
  int status = 200;
  std::vector<Header> headers = {};  // besides Content-Length, Transfer-Encoding and Connection
  std::string body = {};
  uint64_t fill_bytes = 0;   // this many letters follow the body
  bool endless = false;      // letters follow the body until the peer leaves
  int64_t length_error = 0;  // added to Content-Length; above 0 the body ends with a close
  std::string raw = {};      // sent instead of any HTTP when not empty; then the connection closes
  Clock::duration delay = {};  // before the first byte; ends early if the peer leaves
  Framing framing = Framing::Length;
  StopAt stop_at = StopAt::Never;
  StopAction stop_action = StopAction::Hang;
  KeepAlive keep_alive = KeepAlive::Yes;
};

// How a request's body is taken in, decided when its head has arrived.
struct Intake {
  bool never_read = false;          // reads no byte of the body, keeps the connection
  bool answer_continue = true;      // false: `Expect: 100-continue` gets no interim answer
  Clock::duration read_delay = {};  // stands still this long before the body
  std::optional<uint64_t> reset_after_bytes = {};  // resets once that much of the body was read
  std::optional<uint64_t> body_bytes_max =
      {};  // a longer body gets 413 at once, unread, and a close

  bool is_default() const;
};

// One rule: conditions, all of which must hold, and what then happens. A rule with an intake that
// is not the default is decided on the head, and its reply is not used; every other rule on the
// complete body. Of each kind, the first rule that matches wins.
struct Rule {
  std::string path = {};    // exact, or a prefix when it ends in '*'; empty: every path
  std::string marker = {};  // the body contains it; never together with an intake
  std::optional<uint64_t> larger_than = {};  // the body has more bytes than this
  uint64_t first = 0;                        // only the first n requests that match so far; 0: all
  uint64_t every = 0;                        // only each n-th request that matches so far; 0: all
  std::vector<int> statuses = {};            // one per request in turn, the last for all later ones
  Intake intake = {};
  Reply reply = {};
};

// Reads `key=value` pairs separated by ';', for example
// "path=/hook;statuses=503,503,200;delay-ms=20". Keys and values are those of rule_help(). The
// error names the key.
core::Result<Rule> parse_rule(std::string_view text);
const char* rule_help();

// The names of --on-accept: none, never-read, close, reset, garbage.
std::optional<AcceptFault> parse_accept_fault(std::string_view text);

// The rules in force and their counters.
//
// Owns copies of what it is given. Threads: every member may be called from any thread; a change
// holds for heads and bodies that are complete after it. Replacing the rules starts their counters
// at zero.
class RuleBook {
 public:
  // Asked before the rules, with the body; nothing means: let the rules decide. Called on
  // connection threads, several at a time.
  using Decide = std::function<std::optional<Reply>(const Request&)>;

  void set_accept_fault(AcceptFault fault);
  void set_default(Reply reply);
  void set_rules(std::vector<Rule> rules);
  void set_decide(Decide decide);

  AcceptFault accept_fault() const;
  Intake intake_for(const Request& head);
  Reply reply_for(const Request& request);
  // Whether some rule looks into bodies, so that they must be kept until answered.
  bool needs_body() const;

 private:
  struct Counted {
    Rule rule;
    uint64_t match_count = 0;
  };

  static bool matches(const Rule& rule, const Request& request);
  static bool is_its_turn(Counted& counted);

  mutable std::mutex mutex_;  // guards all below
  AcceptFault accept_fault_ = AcceptFault::None;
  Reply default_;
  std::vector<Counted> rules_;
  std::shared_ptr<const Decide> decide_;  // shared, so that it runs without the lock
};

}  // namespace posthaste::testing
