// See receiver_connection.h. Reading comes first, answering below; the limits are those of a strict
// small server.
#include "receiver_connection.h"

#include <algorithm>
#include <charconv>

#include "receiver.h"
#include "receiver_body.h"

namespace posthaste::testing {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr size_t kLineBytesMax = 64 * 1024;
constexpr size_t kHeaderCountMax = 200;
constexpr uint64_t kReserveBytesMax =
    64 * 1024 * 1024;  // a lying Content-Length must not take more

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

template <typename T>
bool parse_whole(std::string_view text, T& out, int base) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return problem == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool is_chunked(const Request& request) {
  return lower(request.header("Transfer-Encoding").value_or("")) == "chunked";
}

bool peer_wants_close(const Request& request) {
  return lower(request.header("Connection").value_or("")) == "close";
}

uint64_t content_length(const Request& request) {
  uint64_t size_bytes = 0;
  parse_whole(request.header("Content-Length").value_or("0"), size_bytes, 10);
  return size_bytes;
}

}  // namespace

// Takes a body piece by piece into the request it belongs to.
class ReceiverConnection::BodySink {
 public:
  BodySink(Request& request, const ReceiverOptions& options, bool keep, const Intake& intake)
      : request_(request), counter_(options.event_marker), keep_(keep), intake_(intake) {}

  void reserve(uint64_t size_bytes) {
    if (keep_) request_.body.reserve(std::min(size_bytes, kReserveBytesMax));
  }
  void add(std::string_view piece) {
    request_.body_size_bytes += piece.size();
    counter_.add(piece);
    hash_.add(piece);
    if (keep_) request_.body += piece;
  }
  // How many bytes may be taken before the intake's reset is due.
  uint64_t room_bytes() const {
    if (!intake_.reset_after_bytes) return UINT64_MAX;
    return *intake_.reset_after_bytes - std::min(*intake_.reset_after_bytes, size_bytes());
  }
  bool is_too_large(uint64_t more_bytes) const {
    return intake_.body_bytes_max && size_bytes() + more_bytes > *intake_.body_bytes_max;
  }
  uint64_t size_bytes() const { return request_.body_size_bytes; }
  void finish(bool is_complete) {
    request_.body_complete = is_complete;
    request_.body_at = Clock::now();
    request_.event_count = counter_.count();
    request_.body_hash = hash_.value();
  }

 private:
  Request& request_;
  OccurrenceCounter counter_;
  BodyHash hash_;
  const bool keep_;
  const Intake& intake_;
};

ReceiverConnection::ReceiverConnection(const ReceiverShared& shared, int fd, size_t index)
    : shared_(shared), stream_(fd, shared.stop_fd), index_(index), buffer_(kBufferBytes) {}

void ReceiverConnection::run() {
  if (!pass_accept_fault() || !pass_handshake()) return;
  Next next = Next::Continue;
  while (next == Next::Continue) next = serve_one();
  end(next);
}

bool ReceiverConnection::pass_accept_fault() {
  switch (shared_.rules.accept_fault()) {
    case AcceptFault::None:
      return true;
    case AcceptFault::NeverRead:
      end(hang());
      return false;
    case AcceptFault::Close:
      end(Next::Close);
      return false;
    case AcceptFault::Reset:
      end(Next::Reset);
      return false;
    case AcceptFault::Garbage:
      const Next written = write("\x15\x03 this is no protocol you know\r\n\r\n");
      end(written == Next::Continue ? Next::Close : written);
      return false;
  }
  return true;
}

bool ReceiverConnection::pass_handshake() {
  if (shared_.tls == nullptr) return true;
  std::string error;
  const Next next = next_of(stream_.start_tls(shared_.tls, error));
  shared_.log.update_connection(index_, [&](Connection& connection) {
    connection.tls_error = error;
    if (next != Next::Continue) return;
    connection.tls_version = stream_.tls_version();
    connection.client_common_name = stream_.peer_common_name();
  });
  if (next != Next::Continue) end(next);
  return next == Next::Continue;
}

void ReceiverConnection::end(Next next) {
  if (next == Next::Close) ending_ = Ending::ReceiverClosed;
  if (next == Next::Reset) ending_ = Ending::ReceiverReset;
  // Logged before the close, which waits for the peer, so that the time is that of the decision.
  const Clock::time_point now = Clock::now();
  if (next == Next::Reset) stream_.reset();
  shared_.log.update_connection(index_, [&](Connection& connection) {
    connection.ending = ending_;
    connection.ended_at = now;
    connection.request_count = request_count_;
    connection.read_bytes = read_bytes_;
  });
  if (next == Next::Close) stream_.close_gently();
}

ReceiverConnection::Next ReceiverConnection::next_of(IoStatus status) {
  switch (status) {
    case IoStatus::Ok:
      return Next::Continue;
    case IoStatus::PeerClosed:
      ending_ = Ending::PeerClosed;
      break;
    case IoStatus::PeerReset:
      ending_ = Ending::PeerReset;
      break;
    case IoStatus::TlsFailed:
      return Next::Close;
    case IoStatus::Interrupted:
      ending_ = Ending::ReceiverClosed;
      break;
  }
  return Next::Gone;
}

ReceiverConnection::Next ReceiverConnection::hang() {
  return next_of(stream_.wait_for_leave(std::nullopt));
}

ReceiverConnection::Next ReceiverConnection::serve_one() {
  Request request;
  Next next = read_head(request);
  if (next != Next::Continue) return next;
  const Intake intake = shared_.rules.intake_for(request);
  const bool keeps_body = shared_.options.record_bodies || shared_.rules.needs_body();
  BodySink sink(request, shared_.options, keeps_body, intake);
  next = read_body(request, intake, sink);
  sink.finish(next == Next::Continue);

  const uint64_t serial = shared_.log.add_request(request, shared_.options.record_bodies);
  if (next == Next::Close) shared_.log.mark_answered(serial, refused_status_, 0);
  if (next != Next::Continue) return next;
  if (shared_.options.on_request) shared_.options.on_request(request);

  const Reply reply = shared_.rules.reply_for(request);
  next = answer(request, reply);
  const bool is_whole = next == Next::Continue || next == Next::Close;
  if (is_whole && reply.stop_at == StopAt::Never && reply.raw.empty()) {
    shared_.log.mark_answered(serial, reply.status, request.event_count);
  }
  return next;
}

ReceiverConnection::Next ReceiverConnection::read_head(Request& request) {
  std::string line;
  Next next = read_line(line, kLineBytesMax);
  if (next != Next::Continue) return next;
  if (!parse_request_line(line, request)) return refuse(400);
  while (true) {
    line.clear();
    next = read_line(line, kLineBytesMax);
    if (next != Next::Continue) return next;
    if (line.empty()) break;
    if (request.headers.size() == kHeaderCountMax) return refuse(431);
    const size_t colon = line.find(':');
    if (colon == 0 || colon == std::string::npos) return refuse(400);
    const size_t first = line.find_first_not_of(" \t", colon + 1);
    const size_t last = line.find_last_not_of(" \t");
    request.headers.push_back({line.substr(0, colon), first == std::string::npos
                                                          ? ""
                                                          : line.substr(first, last - first + 1)});
  }
  request.head_at = Clock::now();
  request.connection_index = index_;
  request.request_index = request_count_++;
  shared_.log.update_connection(
      index_, [&](Connection& connection) { connection.request_count = request_count_; });
  return Next::Continue;
}

// Reads up to CRLF, which it drops.
ReceiverConnection::Next ReceiverConnection::read_line(std::string& line, size_t bytes_max) {
  while (true) {
    const std::string_view ahead(buffer_.data() + start_, end_ - start_);
    const size_t newline = ahead.find('\n');
    line += ahead.substr(0, newline);
    start_ += std::min(ahead.size(), newline == std::string_view::npos ? newline : newline + 1);
    if (line.size() > bytes_max) return refuse(431);
    if (newline != std::string_view::npos) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return Next::Continue;
    }
    const Next next = fill();
    if (next != Next::Continue) return next;
  }
}

ReceiverConnection::Next ReceiverConnection::refuse(int status) {
  refused_status_ = status;
  const Next next = write("HTTP/1.1 " + std::to_string(status) + " " + reason_of(status) +
                          "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  return next == Next::Continue ? Next::Close : next;
}

bool ReceiverConnection::parse_request_line(std::string_view line, Request& request) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) return false;
  if (line.substr(last + 1, 5) != "HTTP/") return false;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  request.path = request.target.substr(0, request.target.find('?'));
  return true;
}

ReceiverConnection::Next ReceiverConnection::read_body(const Request& request, const Intake& intake,
                                                       BodySink& sink) {
  if (intake.never_read) return hang();
  const bool chunked = is_chunked(request);
  const uint64_t size_bytes = content_length(request);
  if (!chunked && sink.is_too_large(size_bytes)) return refuse(413);
  const bool awaits_continue = lower(request.header("Expect").value_or("")) == "100-continue";
  if (awaits_continue && intake.answer_continue) {
    const Next next = write("HTTP/1.1 100 Continue\r\n\r\n");
    if (next != Next::Continue) return next;
  }
  if (intake.read_delay > Clock::duration::zero()) {
    const Next next = next_of(stream_.wait_for_leave(intake.read_delay));
    if (next != Next::Continue) return next;
  }
  if (sink.room_bytes() == 0) return Next::Reset;
  if (chunked) return read_chunked(sink);
  sink.reserve(size_bytes);
  return read_counted(size_bytes, sink);
}

ReceiverConnection::Next ReceiverConnection::read_counted(uint64_t size_bytes, BodySink& sink) {
  while (size_bytes > 0) {
    if (start_ == end_) {
      const Next next = fill();
      if (next != Next::Continue) return next;
    }
    const uint64_t wanted = std::min({size_bytes, end_ - start_, sink.room_bytes()});
    sink.add({buffer_.data() + start_, wanted});
    start_ += wanted;
    size_bytes -= wanted;
    if (sink.room_bytes() == 0) return Next::Reset;
  }
  return Next::Continue;
}

ReceiverConnection::Next ReceiverConnection::read_chunked(BodySink& sink) {
  std::string line;
  while (true) {
    line.clear();
    Next next = read_line(line, kLineBytesMax);
    if (next != Next::Continue) return next;
    uint64_t size_bytes = 0;
    if (!parse_whole(std::string_view(line).substr(0, line.find(';')), size_bytes, 16)) {
      return refuse(400);
    }
    if (size_bytes == 0) break;
    if (sink.is_too_large(size_bytes)) return refuse(413);
    next = read_counted(size_bytes, sink);
    if (next != Next::Continue) return next;
    line.clear();
    next = read_line(line, kLineBytesMax);
    if (next != Next::Continue) return next;
    if (!line.empty()) return refuse(400);
  }
  while (true) {  // the trailer section, up to its empty line
    line.clear();
    const Next next = read_line(line, kLineBytesMax);
    if (next != Next::Continue || line.empty()) return next;
  }
}

ReceiverConnection::Next ReceiverConnection::fill() {
  size_t count = 0;
  const Next next = next_of(stream_.read(buffer_.data(), buffer_.size(), count));
  start_ = 0;
  end_ = next == Next::Continue ? count : 0;
  read_bytes_ += end_;
  return next;
}

ReceiverConnection::Next ReceiverConnection::answer(const Request& request, const Reply& reply) {
  if (reply.delay > Clock::duration::zero()) {
    const Next next = next_of(stream_.wait_for_leave(reply.delay));
    if (next != Next::Continue) return next;
  }
  if (reply.stop_at == StopAt::BeforeHead) return stop(reply);
  if (!reply.raw.empty()) {
    const Next next = write(reply.raw);
    return next == Next::Continue ? Next::Close : next;
  }
  const uint64_t size_bytes = reply.body.size() + reply.fill_bytes;
  const bool has_body = request.method != "HEAD" && reply.status != 204 && reply.status != 304;
  const bool until_close =
      reply.framing == Framing::UntilClose || (reply.endless && reply.framing == Framing::Length);
  const bool closes = until_close || peer_wants_close(request) || reply.length_error > 0 ||
                      reply.keep_alive != KeepAlive::Yes ||
                      reply.framing == Framing::ChunkedGarbage;
  std::string head =
      "HTTP/1.1 " + std::to_string(reply.status) + " " + reason_of(reply.status) + "\r\n";
  for (const Header& header : reply.headers) head += header.name + ": " + header.value + "\r\n";
  if (has_body && !until_close) {
    const bool chunked = reply.framing != Framing::Length;
    const int64_t declared = static_cast<int64_t>(size_bytes) + reply.length_error;
    head += chunked ? "Transfer-Encoding: chunked\r\n"
                    : "Content-Length: " + std::to_string(declared) + "\r\n";
  }
  if (closes && reply.keep_alive != KeepAlive::SilentClose) head += "Connection: close\r\n";
  Next next = write(head + "\r\n");
  if (next != Next::Continue) return next;
  if (reply.stop_at == StopAt::AfterHead) return stop(reply);
  if (has_body) next = reply.endless ? write_endless(reply) : write_body(reply, size_bytes);
  if (next != Next::Continue) return next;
  return closes ? Next::Close : Next::Continue;
}

ReceiverConnection::Next ReceiverConnection::write_body(const Reply& reply, uint64_t size_bytes) {
  const bool breaks_off = reply.stop_at == StopAt::MidBody;
  const uint64_t sent_bytes = breaks_off ? size_bytes / 2 : size_bytes;
  const bool chunked =
      reply.framing == Framing::Chunked || reply.framing == Framing::ChunkedGarbage;
  if (chunked && sent_bytes > 0) {
    char size_line[24];
    const auto end = std::to_chars(size_line, size_line + sizeof size_line, size_bytes, 16).ptr;
    const Next next = write(std::string(size_line, end) + "\r\n");
    if (next != Next::Continue) return next;
  }
  const std::string_view body = std::string_view(reply.body).substr(0, sent_bytes);
  Next next = write(body);
  if (next == Next::Continue) next = write_letters(sent_bytes - body.size());
  if (next != Next::Continue) return next;
  if (breaks_off) return stop(reply);
  if (!chunked) return Next::Continue;
  const char* line_end = sent_bytes > 0 ? "\r\n" : "";
  if (reply.framing == Framing::Chunked) return write(std::string(line_end) + "0\r\n\r\n");
  return write(std::string(line_end) + "no size at all\r\n");
}

ReceiverConnection::Next ReceiverConnection::write_letters(uint64_t size_bytes) {
  static const std::string letters(64 * 1024, 'x');
  while (size_bytes > 0) {
    const uint64_t count = std::min<uint64_t>(size_bytes, letters.size());
    const Next next = write(std::string_view(letters).substr(0, count));
    if (next != Next::Continue) return next;
    size_bytes -= count;
  }
  return Next::Continue;
}

ReceiverConnection::Next ReceiverConnection::write_endless(const Reply& reply) {
  constexpr uint64_t kPieceBytes = 64 * 1024;
  Next next = reply.framing == Framing::Length || reply.framing == Framing::UntilClose
                  ? write(reply.body)
                  : Next::Continue;
  while (next == Next::Continue) {
    if (reply.framing == Framing::Chunked) next = write("10000\r\n");
    if (next == Next::Continue) next = write_letters(kPieceBytes);
    if (reply.framing == Framing::Chunked && next == Next::Continue) next = write("\r\n");
  }
  return next;
}

ReceiverConnection::Next ReceiverConnection::stop(const Reply& reply) {
  switch (reply.stop_action) {
    case StopAction::Hang:
      return hang();
    case StopAction::Close:
      return Next::Close;
    case StopAction::Reset:
      return Next::Reset;
  }
  return Next::Close;
}

}  // namespace posthaste::testing
