// Level-triggered epoll; one connection is read at most 16 buffers at a time.
#include "sink_worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "measure.h"

namespace posthaste::bench {
namespace {

constexpr size_t kLineSizeMax = 64 * 1024;
constexpr size_t kCarryMax = kMarkerSizeMax + kIdDigitsMax;

void watch(int epoll_fd, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

SinkWorker::SinkWorker(const SinkOptions& options, const SinkMarker& marker, SinkCounters& counters,
                       int listener_fd, int dump_fd)
    : options_(options),
      marker_(marker),
      counters_(counters),
      listener_fd_(listener_fd),
      dump_fd_(dump_fd),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(options.buffer_bytes) {
  watch(epoll_fd_, listener_fd_);
}

void SinkWorker::run() {
  constexpr int kEventsMax = 64;
  epoll_event events[kEventsMax];
  for (;;) {
    const int count = epoll_wait(epoll_fd_, events, kEventsMax, wait_ms());
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener_fd_) {
        accept_all();
      } else if (const auto found = connections_.find(events[i].data.fd);
                 found != connections_.end()) {
        on_readable(*found->second);
      }
    }
    answer_due();
  }
}

int SinkWorker::wait_ms() const {
  if (held_.empty()) return -1;
  const uint64_t present_ns = now_ns();
  const uint64_t due_ns = held_.front().due_ns;
  return due_ns <= present_ns ? 0 : static_cast<int>((due_ns - present_ns + 999'999) / 1'000'000);
}

void SinkWorker::answer_due() {
  const uint64_t present_ns = now_ns();
  while (!held_.empty() && held_.front().due_ns <= present_ns) {
    const Held held = held_.front();
    held_.pop_front();
    Connection* const connection = find(held.fd, held.serial);
    if (!connection || connection->state != State::Waiting) continue;
    if (answer(*connection) == Fate::Gone) continue;
    std::string pending;
    pending.swap(connection->pending);
    consume(*connection, pending.data(), pending.data() + pending.size());
  }
}

void SinkWorker::accept_all() {
  for (;;) {
    const int fd = accept4(listener_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->serial = ++serial_;
    watch(epoll_fd_, fd);
    connections_[fd] = std::move(connection);
    SinkCounters::add(counters_.connections, 1);
  }
}

SinkWorker::Fate SinkWorker::drop(Connection& connection) {
  const int fd = connection.fd;
  close(fd);
  connections_.erase(fd);
  return Fate::Gone;
}

// A descriptor's number is soon given to another connection; the serial tells them apart.
SinkWorker::Connection* SinkWorker::find(int fd, uint64_t serial) {
  const auto found = connections_.find(fd);
  if (found == connections_.end() || found->second->serial != serial) return nullptr;
  return found->second.get();
}

bool SinkWorker::can_discard(const Connection& connection) const {
  return options_.discards && connection.state == State::Length && marker_.is_empty() &&
         dump_fd_ < 0;
}

void SinkWorker::on_readable(Connection& connection) {
  constexpr int kTurnsMax = 16;
  const int fd = connection.fd;
  const uint64_t serial = connection.serial;
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    const bool discards = can_discard(connection);
    const ssize_t received =
        discards ? recv(fd, buffer_.data(), std::min<uint64_t>(connection.left_bytes, 1u << 30),
                        MSG_TRUNC)
                 : recv(fd, buffer_.data(), buffer_.size(), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (received <= 0) {
      drop(connection);
      return;
    }
    const auto size_bytes = static_cast<size_t>(received);
    SinkCounters::add(counters_.recvs, 1);
    SinkCounters::add(counters_.wire_bytes, size_bytes);
    if (discards) {
      if (connection.is_counted) SinkCounters::add(counters_.body_bytes, size_bytes);
      connection.left_bytes -= size_bytes;
      if (connection.left_bytes == 0 && finish(connection) == Fate::Gone) return;
      continue;
    }
    if (consume(connection, buffer_.data(), buffer_.data() + size_bytes) == Fate::Gone) return;
    if (!find(fd, serial)) return;
    // Drained: wait to be told of more.
    if (size_bytes < buffer_.size()) return;
  }
}

SinkWorker::Fate SinkWorker::consume(Connection& connection, const char* at, const char* end) {
  while (at < end) {
    Fate fate = Fate::Open;
    switch (connection.state) {
      case State::Hung:
        return Fate::Open;
      case State::Waiting:
        connection.pending.append(at, end);
        return Fate::Open;
      case State::Head:
        fate = consume_head(connection, at, end);
        break;
      case State::Length:
      case State::ChunkData:
        fate = consume_body(connection, at, end);
        break;
      case State::ChunkSize:
      case State::ChunkEnd:
      case State::Trailer:
        fate = consume_line(connection, at, end);
        break;
    }
    if (fate == Fate::Gone) return fate;
  }
  return Fate::Open;
}

SinkWorker::Fate SinkWorker::consume_head(Connection& connection, const char*& at,
                                          const char* end) {
  std::string& line = connection.line;
  const size_t before = line.size();
  line.append(at, std::min(static_cast<size_t>(end - at), kLineSizeMax));
  const size_t empty_line = line.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (empty_line == std::string::npos) {
    if (line.size() >= kLineSizeMax) return drop(connection);
    at += line.size() - before;
    return Fate::Open;
  }
  at += empty_line + 4 - before;
  line.resize(empty_line + 2);
  return begin(connection);
}

SinkWorker::Fate SinkWorker::consume_body(Connection& connection, const char*& at,
                                          const char* end) {
  const bool is_chunk = connection.state == State::ChunkData;
  const size_t size_bytes =
      std::min<uint64_t>(connection.left_bytes, static_cast<uint64_t>(end - at));
  connection.left_bytes -= size_bytes;
  look_at_body(connection, at, size_bytes, !is_chunk && connection.left_bytes == 0);
  at += size_bytes;
  if (connection.left_bytes > 0) return Fate::Open;
  if (!is_chunk) return finish(connection);
  connection.state = State::ChunkEnd;
  return Fate::Open;
}

SinkWorker::Fate SinkWorker::consume_line(Connection& connection, const char*& at,
                                          const char* end) {
  std::string& line = connection.line;
  const void* const found = std::memchr(at, '\n', static_cast<size_t>(end - at));
  if (!found) {
    line.append(at, end);
    at = end;
    return line.size() > kLineSizeMax ? drop(connection) : Fate::Open;
  }
  const char* const line_feed = static_cast<const char*>(found);
  line.append(at, line_feed);
  at = line_feed + 1;
  const bool is_empty = line.empty() || line == "\r";
  const uint64_t chunk_bytes = std::strtoull(line.c_str(), nullptr, 16);
  line.clear();
  if (connection.state == State::ChunkEnd) {
    connection.state = State::ChunkSize;
  } else if (connection.state == State::ChunkSize) {
    connection.left_bytes = chunk_bytes;
    connection.state = chunk_bytes ? State::ChunkData : State::Trailer;
  } else if (is_empty) {
    look_at_body(connection, nullptr, 0, true);
    return finish(connection);
  }
  return Fate::Open;
}

// A request head is complete in connection.line.
SinkWorker::Fate SinkWorker::begin(Connection& connection) {
  std::string head;
  head.swap(connection.line);
  SinkRequest request;
  if (!read_head(head, request)) return drop(connection);
  connection.closes = request.wants_close;
  connection.left_bytes = request.size_bytes;
  connection.is_counted = request.path != "/stats" && request.path != "/reset";
  connection.fault = SinkFault();
  connection.carry.clear();
  std::string body;
  if (request.path == "/stats") body = counters_.json();
  if (request.path == "/reset") counters_.reset();
  if (connection.is_counted) {
    SinkFault fault = read_fault(options_.prefix + request.path);
    const uint64_t turn = fault.is_counted() ? counters_.fault_turn.fetch_add(1) + 1 : 0;
    if (turn > 0 && turn <= fault.down) {
      fault = {};
      fault.status = 503;
    } else if (!fault.strikes(turn)) {
      fault = {};
    }
    connection.fault = fault;
    uint64_t none = 0;
    counters_.first_ns.compare_exchange_strong(none, now_ns());
    if (fault.is_dropping) {
      SinkCounters::add(counters_.dropped, 1);
      return drop(connection);
    }
  }
  connection.answer = make_answer(connection.fault, body, connection.closes);
  if (request.wants_continue &&
      send_all(connection, "HTTP/1.1 100 Continue\r\n\r\n") == Fate::Gone) {
    return Fate::Gone;
  }
  connection.state = request.is_chunked ? State::ChunkSize : State::Length;
  if (!request.is_chunked && connection.left_bytes == 0) return finish(connection);
  return Fate::Open;
}

void SinkWorker::look_at_body(Connection& connection, const char* at, size_t size_bytes,
                              bool is_last) {
  if (!connection.is_counted) return;
  SinkCounters::add(counters_.body_bytes, size_bytes);
  if (dump_fd_ >= 0 && size_bytes > 0 && write(dump_fd_, at, size_bytes) < 0) {
    std::perror("sink: --dump");
  }
  if (marker_.is_empty() || connection.fault.status >= 300) return;
  count_markers(connection, at, size_bytes, is_last);
}

void SinkWorker::count_markers(Connection& connection, const char* at, size_t size_bytes,
                               bool is_last) {
  const char* const end = at + size_bytes;
  std::string& carry = connection.carry;
  if (!carry.empty()) {
    // A short piece that holds what the last one left open.
    const size_t taken = std::min(size_bytes, kCarryMax);
    const bool is_all = taken == size_bytes;
    std::string joint = carry;
    joint.append(at, taken);
    const char* const joint_end = joint.data() + joint.size();
    const SinkMarker::Found found = marker_.count(joint.data(), joint_end, is_last && is_all);
    SinkCounters::add(counters_.events, found.count);
    carry.assign(found.rest, joint_end);
    if (is_last && is_all) carry.clear();
    if (is_all) return;
    const size_t unread = static_cast<size_t>(joint_end - found.rest);
    if (unread <= taken) at += taken - unread;
    carry.clear();
  }
  if (at < end) {
    const SinkMarker::Found found = marker_.count(at, end, is_last);
    SinkCounters::add(counters_.events, found.count);
    carry.assign(found.rest, end);
  }
  if (is_last) carry.clear();
}

// The request's body is complete: answer now, later or never.
SinkWorker::Fate SinkWorker::finish(Connection& connection) {
  if (!connection.is_counted) return answer(connection);
  SinkCounters::add(counters_.requests, 1);
  const SinkFault& fault = connection.fault;
  if (fault.status >= 300) SinkCounters::add(counters_.failed, 1);
  if (fault.is_hanging) {
    SinkCounters::add(counters_.hung, 1);
    connection.state = State::Hung;
    return Fate::Open;
  }
  if (fault.delay_ms <= 0) return answer(connection);
  connection.state = State::Waiting;
  const uint64_t due_ns = now_ns() + static_cast<uint64_t>(fault.delay_ms) * 1'000'000u;
  const auto place =
      std::upper_bound(held_.begin(), held_.end(), due_ns,
                       [](uint64_t due, const Held& held) { return due < held.due_ns; });
  held_.insert(place, {due_ns, connection.fd, connection.serial});
  return Fate::Open;
}

SinkWorker::Fate SinkWorker::answer(Connection& connection) {
  connection.state = State::Head;
  if (connection.is_counted) counters_.last_ns.store(now_ns(), std::memory_order_relaxed);
  if (send_all(connection, connection.answer) == Fate::Gone) return Fate::Gone;
  return connection.closes ? drop(connection) : Fate::Open;
}

SinkWorker::Fate SinkWorker::send_all(Connection& connection, const std::string& bytes) {
  const ssize_t sent = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(bytes.size()) ? Fate::Open : drop(connection);
}

}  // namespace posthaste::bench
