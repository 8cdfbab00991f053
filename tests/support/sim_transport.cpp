#include "support/sim_transport.h"

#include <algorithm>
#include <cassert>

namespace posthaste::test {

using core::Duration;
using core::Instant;
using transport::Completion;
using transport::Phase;
using transport::Reached;

namespace {

Completion failure(Phase phase, Reached reached, const char* network_name, const char* detail) {
  Completion completion;
  completion.phase = phase;
  completion.reached = reached;
  completion.network_name = network_name;
  completion.detail = detail;
  return completion;
}

Completion time_out(Reached reached, const char* detail) {
  Completion completion = failure(Phase::Timeout, reached, "ETIMEDOUT", detail);
  completion.timed_out = true;
  return completion;
}

Completion answer_of(const SimAnswer& answer) {
  if (answer.fault == SimFault::Garbled) {
    return failure(Phase::Http, Reached::Maybe, "HPE_INVALID_CONSTANT", "the answer is not HTTP");
  }
  Completion completion;
  completion.status = answer.status;
  completion.reached = Reached::Yes;
  completion.retry_after = answer.retry_after;
  completion.location = answer.location;
  return completion;
}

// As much of the piece as there is. A body on disk comes in pieces of its own.
size_t read(transport::BodySource& body, uint64_t offset, std::string& piece) {
  size_t size = 0;
  while (size < piece.size()) {
    const size_t part = body.read(offset + size, piece.data() + size, piece.size() - size);
    if (part == 0) break;
    size += part;
  }
  return size;
}

}  // namespace

const char* sim_fault_name(SimFault fault) {
  static constexpr const char* kNames[kSimFaultsCount] = {
      "none",  "unknown_name", "refused",      "tls_failed", "connect_hangs",
      "reset", "upload_hangs", "answer_hangs", "garbled"};
  return kNames[static_cast<size_t>(fault)];
}

void SimTransport::begin(const transport::Request& request) {
  assert(!exchanges_.contains(request.id));
  SimExchange& exchange = exchanges_[request.id];
  exchange.request = request;
  exchange.answer = script_ ? script_(request) : SimAnswer{};
  exchange.begun = clock_.now();
  exchange.body_size_bytes = request.body->size_bytes();
  const SimAnswer& answer = exchange.answer;
  const Duration connect_limit = std::min(request.connect_timeout, request.max_time);
  const Instant connected = exchange.begun + answer.connect;
  if (answer.fault == SimFault::ConnectHangs || answer.connect >= connect_limit) {
    end_at(exchange, exchange.begun + connect_limit, time_out(Reached::No, "connect"));
  } else if (answer.fault == SimFault::UnknownName) {
    end_at(exchange, connected, failure(Phase::Dns, Reached::No, "ENOTFOUND", "unknown name"));
  } else if (answer.fault == SimFault::Refused) {
    end_at(exchange, connected, failure(Phase::Connect, Reached::No, "ECONNREFUSED", "refused"));
  } else if (answer.fault == SimFault::TlsFailed) {
    end_at(exchange, connected, failure(Phase::Tls, Reached::No, "EPROTO", "handshake failed"));
  } else {
    plan_upload(exchange, connected);
  }
  if (begun_) begun_(exchange);
}

// The connection stands: the body goes out, and something comes back or does not.
void SimTransport::plan_upload(SimExchange& exchange, Instant connected) {
  const SimAnswer& answer = exchange.answer;
  const transport::Request& request = exchange.request;
  const Instant limit = exchange.begun + request.max_time;
  Instant end = connected;
  Completion completion;
  exchange.upload_ended = connected + answer.upload;
  if (answer.fault == SimFault::Reset) {
    end = connected + answer.upload / 2;
    completion = failure(Phase::Http, Reached::Maybe, "ECONNRESET", "reset by peer");
  } else if (answer.fault == SimFault::UploadHangs) {
    end = connected + answer.upload / 2 + request.request_timeout;
    completion = time_out(Reached::Maybe, "the upload stands still");
  } else if (answer.fault == SimFault::AnswerHangs || answer.response >= request.request_timeout) {
    end = exchange.upload_ended + request.request_timeout;
    completion = time_out(Reached::Maybe, "no answer");
  } else {
    end = exchange.upload_ended + answer.response;
    completion = answer_of(answer);
    if (request.keep_response) completion.response_body = answer.body;
  }
  if (end >= limit) {
    end = limit;
    completion = time_out(Reached::Maybe, "the whole attempt");
  }
  completion.connected = true;
  completion.upload_began = true;
  completion.timings.connect = answer.connect;
  const bool is_cut = answer.fault == SimFault::Reset || answer.fault == SimFault::UploadHangs;
  plan_pieces(exchange, connected, is_cut ? connected + answer.upload / 2 : end);
  end_at(exchange, end, std::move(completion));
}

void SimTransport::plan_pieces(const SimExchange& exchange, Instant connected, Instant until) {
  const SimAnswer& answer = exchange.answer;
  const uint64_t size = exchange.body_size_bytes;
  const uint64_t count = std::clamp<uint64_t>(answer.pieces_count, 1, size);
  // With a rewind the first half of the pieces goes out twice.
  const uint64_t repeated = answer.rewinds ? count / 2 : 0;
  for (uint64_t i = 0; i < count + repeated; ++i) {
    const uint64_t piece = i < repeated ? i : i - repeated;
    const auto steps = static_cast<int64_t>(count + repeated);
    const Instant at = connected + answer.upload * static_cast<int64_t>(i) / steps;
    if (at > until) return;
    const uint64_t from = size * piece / count;
    schedule(at, {exchange.request.id, from, size * (piece + 1) / count - from, false});
  }
}

void SimTransport::end_at(SimExchange& exchange, Instant at, Completion completion) {
  completion.id = exchange.request.id;
  completion.timings.total = at - exchange.begun;
  exchange.ends = at;
  exchange.completion = std::move(completion);
  schedule(at, {exchange.request.id, 0, 0, true});
}

void SimTransport::schedule(Instant at, Event event) {
  events_.emplace(std::pair{at, next_event_number_++}, event);
}

void SimTransport::cancel(uint64_t id) {
  auto exchange = exchanges_.extract(id);
  if (!exchange) return;
  std::erase_if(events_, [id](const auto& entry) { return entry.second.id == id; });
  exchange.mapped().is_cancelled = true;
  exchange.mapped().request.body = nullptr;
  if (ended_) ended_(exchange.mapped());
}

void SimTransport::wait(Instant deadline, std::vector<Completion>& out) {
  if (std::exchange(is_woken_, false)) deadline = clock_.now();
  const Instant until = std::min(deadline, next_event());
  if (until != core::kNever) clock_.advance_to(until);
  while (!events_.empty() && events_.begin()->first.first <= clock_.now()) {
    const Event event = events_.extract(events_.begin()).mapped();
    happen(event, out);
  }
}

// The body cannot be read: the peer will never see its end.
void SimTransport::break_off(SimExchange& exchange) {
  const uint64_t id = exchange.request.id;
  std::erase_if(events_, [id](const auto& entry) { return entry.second.id == id; });
  Completion completion = failure(Phase::Http, Reached::Maybe, "ECANCELED", "no body");
  completion.connected = true;
  completion.upload_began = true;
  completion.timings.connect = exchange.answer.connect;
  end_at(exchange, clock_.now(), std::move(completion));
}

void SimTransport::happen(const Event& event, std::vector<Completion>& out) {
  if (!event.is_end) {
    SimExchange& exchange = exchanges_.at(event.id);
    std::string piece(event.read_size, '\0');
    piece.resize(read(*exchange.request.body, event.read_offset, piece));
    if (piece.size() < event.read_size) return break_off(exchange);
    const size_t known = std::min(exchange.body.size() - event.read_offset, piece.size());
    if (exchange.body.compare(event.read_offset, known, piece, 0, known) != 0) {
      exchange.has_changed_body = true;
    }
    exchange.body.append(piece, known);
    return;
  }
  SimExchange exchange = std::move(exchanges_.extract(event.id).mapped());
  exchange.request.body = nullptr;
  out.push_back(exchange.completion);
  if (ended_) ended_(exchange);
}

}  // namespace posthaste::test
