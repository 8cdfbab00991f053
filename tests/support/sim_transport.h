// A network that follows a script in virtual time: each POST connects, uploads, is answered or
// fails as the script says, while the clock jumps from event to event. Used by the simulation and
// by tests of the delivery step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "support/sim_clock.h"
#include "transport/transport.h"

namespace posthaste::test {

// Where an exchange goes wrong, if it does.
enum class SimFault {
  None,
  UnknownName,   // DNS says no, after `connect`
  Refused,       // the connection is refused, after `connect`
  TlsFailed,     // the handshake fails, after `connect`
  ConnectHangs,  // nothing answers: connect_timeout
  Reset,         // the connection breaks in the middle of the upload
  UploadHangs,   // the peer stops reading in the middle of the body: request_timeout
  AnswerHangs,   // the body is taken, no answer comes: request_timeout
  Garbled,       // the answer is not HTTP
};
inline constexpr size_t kSimFaultsCount = static_cast<size_t>(SimFault::Garbled) + 1;
const char* sim_fault_name(SimFault fault);

// What the far side does with one request. By itself: 200 at once.
struct SimAnswer {
  SimFault fault = SimFault::None;
  int32_t status = 200;
  core::Duration connect{};   // until the connection stands, or fails
  core::Duration upload{};    // from the first byte of the body to the last
  core::Duration response{};  // from the last byte sent to the last byte of the answer
  uint32_t pieces_count = 1;  // the body is read in this many pieces, spread over the upload
  bool rewinds = false;       // half-way the upload starts again from the first byte
  std::string retry_after;
  std::string body;  // of the answer
  std::string location;
};

// One request from begin to its end.
struct SimExchange {
  transport::Request request;  // body is null once it has ended
  SimAnswer answer;
  core::Instant begun{};
  core::Instant upload_ended{};  // when the last byte goes out, if it comes to that
  core::Instant ends{};          // of the attempt, by answer, fault or time-out
  uint64_t body_size_bytes = 0;
  std::string body;               // as far as it was read
  bool has_changed_body = false;  // a byte read twice was not the same
  transport::Completion completion;
  bool is_cancelled = false;
};

// Purpose: Transport without sockets. Ownership: refers to the clock, which it moves. Threads: one.
// Invariants: deterministic: what happens at one instant happens in the order of scheduling; the
// time-outs of a request hold as in the real transport.
class SimTransport final : public transport::Transport {
 public:
  using Script = std::function<SimAnswer(const transport::Request&)>;
  using Observer = std::function<void(const SimExchange&)>;

  explicit SimTransport(SimClock& clock) : clock_(clock) {}

  // Asked once for each request; without one everything is answered by 200 at once.
  void set_script(Script script) { script_ = std::move(script); }
  // Called when a request begins, and when it ended or was cancelled.
  void set_observers(Observer begun, Observer ended) {
    begun_ = std::move(begun);
    ended_ = std::move(ended);
  }

  void begin(const transport::Request& request) override;
  void cancel(uint64_t id) override;
  // Moves the clock to the next event or the deadline, whichever is earlier, and lets happen what
  // is due. With neither, or after wake(), it returns at once.
  void wait(core::Instant deadline, std::vector<transport::Completion>& out) override;
  void wake() override { is_woken_ = true; }

  // When something happens next; kNever when nothing runs.
  core::Instant next_event() const {
    return events_.empty() ? core::kNever : events_.begin()->first.first;
  }
  bool is_woken() const { return is_woken_; }
  size_t running_count() const { return exchanges_.size(); }
  const std::map<uint64_t, SimExchange>& running() const { return exchanges_; }

 private:
  // One instant at which a running exchange goes on.
  struct Event {
    uint64_t id = 0;
    uint64_t read_offset = 0;
    uint64_t read_size = 0;
    bool is_end = false;
  };

  void schedule(core::Instant at, Event event);
  void plan_upload(SimExchange& exchange, core::Instant connected);
  void plan_pieces(const SimExchange& exchange, core::Instant connected, core::Instant until);
  void end_at(SimExchange& exchange, core::Instant at, transport::Completion completion);
  void break_off(SimExchange& exchange);
  void happen(const Event& event, std::vector<transport::Completion>& out);

  SimClock& clock_;
  Script script_;
  Observer begun_;
  Observer ended_;
  bool is_woken_ = false;
  uint64_t next_event_number_ = 0;
  std::map<std::pair<core::Instant, uint64_t>, Event> events_;
  std::map<uint64_t, SimExchange> exchanges_;
};

}  // namespace posthaste::test
