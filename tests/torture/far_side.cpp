#include "torture/far_side.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <utility>

namespace posthaste::torture {
namespace {

using testing::Reply;
using testing::Request;
using testing::StopAction;
using testing::StopAt;
using namespace std::chrono_literals;

constexpr const char* kProbePath = "/probe";
// Connections of a dead host end at once; this is for a machine that is very busy.
constexpr auto kPatience = 20s;

testing::ReceiverOptions receiver_options() {
  testing::ReceiverOptions options;
  options.records_max = 0;
  return options;
}

// Faults that are decided before the body is read.
std::vector<testing::Rule> intake_faults() {
  testing::Rule cut;
  cut.every = 29;
  cut.intake.reset_after_bytes = 100;
  testing::Rule slow;  // too slow for the host
  slow.every = 61;
  slow.intake.read_delay = 400ms;
  return {cut, slow};
}

// True when the receiver has answered a request of our own.
bool probe(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string_view request = "GET /probe HTTP/1.1\r\nConnection: close\r\n\r\n";
  char answer[16];
  const bool is_answered =
      fd >= 0 &&
      // The socket interface is made of such casts.
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()) &&
      read(fd, answer, sizeof answer) > 0;
  if (fd >= 0) close(fd);
  return is_answered;
}

}  // namespace

FarSide::FarSide(uint64_t seed) : chance_(seed), receiver_(receiver_options()) {
  receiver_.set_decide([this](const Request& request) { return decide(request); });
}

void FarSide::begin(Arrivals& arrivals, uint64_t cycle, Mood mood) {
  receiver_.set_rules(mood == Mood::Mixed ? intake_faults() : std::vector<testing::Rule>());
  const std::lock_guard lock(mutex_);
  arrivals_ = &arrivals;
  cycle_ = cycle;
  mood_ = mood;
}

// Connections are accepted in their order, so when the probe is answered those of the host are
// known.
bool FarSide::settle() {
  receiver_.set_rules({});
  if (!probe(receiver_.port())) return false;
  size_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    end = probe_connection_;
  }
  for (; settled_connections_ < end; ++settled_connections_) {
    if (!receiver_.log().wait_for_end(settled_connections_, kPatience)) return false;
  }
  return true;
}

std::optional<Reply> FarSide::decide(const Request& request) {
  const std::lock_guard lock(mutex_);
  if (request.path == kProbePath) {
    probe_connection_ = request.connection_index;
    return Reply{};
  }
  Reply reply;
  const bool is_refused = mood_ != Mood::Healthy && (request.path.rfind("/rare", 0) == 0 ||
                                                     request.path.rfind("/dead", 0) == 0);
  if (mood_ == Mood::Mixed) reply = mixed_reply();
  if (mood_ == Mood::Down || is_refused) {
    reply = {};
    reply.status = 503;
  }
  // One event alone that is too large is given up for good, and nothing here may be.
  const bool is_alone = request.body.find("}},{") == std::string::npos;
  if (reply.status == 413 && is_alone) reply.status = 500;
  const bool is_whole = reply.stop_at == StopAt::Never && reply.length_error == 0;
  arrivals_->add(
      request.path, request.header("X-MessageSystems-Batch-ID").value_or(""), request.body,
      {cycle_, request.connection_index, request.request_index, is_whole && reply.status == 200});
  return reply;
}

Reply FarSide::mixed_reply() {
  Reply reply;
  const uint64_t dice = chance_.below(100);
  if (dice < 60) return reply;
  if (dice < 78) {
    reply.status = chance_.of({500, 503, 404, 429, 413, 302});
  } else if (dice < 86) {
    reply.delay = std::chrono::milliseconds(chance_.between(1, 30));
  } else if (dice < 94) {
    // Taken, but the host will not hear of it.
    reply.stop_at = StopAt::BeforeHead;
    reply.stop_action = chance_.one_in(2) ? StopAction::Reset : StopAction::Close;
  } else if (dice < 97) {
    reply.fill_bytes = 100;
    reply.stop_at = StopAt::MidBody;
    reply.stop_action = StopAction::Reset;
  } else {
    reply.stop_at = StopAt::BeforeHead;
    reply.stop_action = StopAction::Hang;
  }
  return reply;
}

}  // namespace posthaste::torture
