#include "cli/ingest.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>

#include "cli/api_call.h"
#include "cli/console.h"
#include "cli/json_members.h"
#include "json/writer.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;

constexpr size_t kChunk = size_t{256} << 10;
constexpr size_t kLineMax = size_t{20} << 20;  // above the largest event
constexpr size_t kErrorsMax = 100;
constexpr size_t kClientsMax = 256;
constexpr int kFullMs = 100;
constexpr int32_t kSyncMs = 15'000;
constexpr int32_t kPushMs = 60'000;

// Counts one answer of the handler in; gives how many lines it took, nothing when it is no answer.
std::optional<uint64_t> add_answer(const ApiAnswer& answer, LineTally& tally) {
  const auto body = parse_answer(answer.body);
  const json::Value* results = body ? body->find("results") : nullptr;
  if (!results) return std::nullopt;
  for (const json::Value& error : array_member(*results, "errors")) {
    if (tally.errors.size() == kErrorsMax) break;
    tally.errors.emplace_back(tally.lines + static_cast<uint64_t>(int_member(error, "line")),
                              text_member(error, "message"));
  }
  const auto lines = static_cast<uint64_t>(int_member(*results, "lines"));
  tally.accepted += static_cast<uint64_t>(int_member(*results, "accepted"));
  tally.refused += static_cast<uint64_t>(int_member(*results, "refused"));
  tally.lines += lines;
  return lines;
}

void drop_lines(std::string_view& text, uint64_t count) {
  for (; count > 0 && !text.empty(); --count) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
}

std::string answer_line(const LineTally& tally, bool is_synced, const std::string& problem) {
  std::string text;
  json::Writer writer(text);
  writer.begin_object().uint64("accepted", tally.accepted).uint64("refused", tally.refused);
  writer.uint64("lines", tally.lines).boolean("synced", is_synced);
  writer.key("errors").begin_array();
  for (const auto& [line, message] : tally.errors) {
    writer.begin_object().uint64("line", line).string("message", message).end_object();
  }
  writer.end_array();
  if (!problem.empty()) writer.string("message", problem);
  writer.end_object();
  return text + "\n";
}

std::string_view trimmed(std::string_view line) {
  while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
  return line;
}

void log_refused(const char* source, const LineTally& tally, uint64_t lines_before) {
  for (const auto& [line, message] : tally.errors) {
    warn(fmt::format("{} line {} refused: {}", source, lines_before + line, message));
  }
  if (tally.refused > tally.errors.size()) {
    warn(fmt::format("{}: {} more lines refused", source, tally.refused - tally.errors.size()));
  }
}

}  // namespace

bool feed_lines(posthaste_t* engine, const StopSignal& stop, std::string_view lines,
                LineTally& tally) {
  while (!lines.empty()) {
    const auto answer = call_api(engine, "POST", "/api/v1/events", lines, kPushMs);
    const auto taken = answer ? add_answer(*answer, tally) : std::nullopt;
    drop_lines(lines, taken.value_or(0));
    if (lines.empty()) return true;
    // Full, or the disk fails: nobody is told that it was taken, so whoever sends waits.
    if (stop.wait(-1, 0, kFullMs) == StopSignal::Wake::Stop) return false;
  }
  return true;
}

StdinIngest::StdinIngest(posthaste_t* engine, const StopSignal& stop)
    : engine_(engine), stop_(stop), thread_([this] { run(); }) {}

StdinIngest::~StdinIngest() {
  thread_.join();
}

void StdinIngest::run() {
  std::string buffer;
  std::string chunk(kChunk, '\0');
  uint64_t lines = 0;
  bool is_at_end = false;
  while (!is_at_end && stop_.wait(STDIN_FILENO, POLLIN, -1) == StopSignal::Wake::Ready) {
    const ssize_t size = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    is_at_end = size <= 0;
    if (!is_at_end) buffer.append(chunk, 0, static_cast<size_t>(size));
    const size_t end = is_at_end ? buffer.size() : buffer.rfind('\n') + 1;
    if (end == 0 && buffer.size() > kLineMax) {
      warn("standard input: a line is too long; the rest is not read");
      return;
    }
    LineTally tally;
    const bool is_done = feed_lines(engine_, stop_, std::string_view(buffer).substr(0, end), tally);
    log_refused("standard input", tally, lines);
    lines += tally.lines;
    buffer.erase(0, end);
    if (!is_done) return;
  }
  if (is_at_end) warn(fmt::format("standard input ended after {} lines", lines));
}

// One connection.
struct SocketIngest::Client {
  int fd = -1;
  std::atomic<bool> is_over = false;
  std::thread thread;

  ~Client() {
    if (thread.joinable()) thread.join();
    ::close(fd);
  }

  // False when the client does not take it.
  bool send_all(std::string_view text, const StopSignal& stop) const {
    while (!text.empty()) {
      const ssize_t size = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size > 0) {
        text.remove_prefix(static_cast<size_t>(size));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        // Who does not read its answers must not hold the end up.
        if (stop.wait(fd, POLLOUT, -1) == StopSignal::Wake::Stop) return false;
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  bool answer(posthaste_t* engine, const StopSignal& stop, LineTally& tally) const {
    ErrorText error;
    const int32_t code = posthaste_sync(engine, kSyncMs, error);
    const bool is_memory = code == POSTHASTE_E_STATE && !stop.is_stopped();
    const std::string problem = code == POSTHASTE_OK || is_memory ? "" : error.message();
    const std::string text = answer_line(tally, code == POSTHASTE_OK, problem);
    tally = {};
    return send_all(text, stop);
  }

  // The whole lines at the front of the buffer, of which some ask for an answer.
  bool take(posthaste_t* engine, const StopSignal& stop, std::string_view lines,
            LineTally& tally) const {
    size_t from = 0;  // of what is not fed
    for (size_t at = 0; at < lines.size();) {
      const size_t end = std::min(lines.find('\n', at), lines.size());
      const std::string_view line = trimmed(lines.substr(at, end - at));
      const size_t next = std::min(end + 1, lines.size());
      if (line == "sync") {
        if (!feed_lines(engine, stop, lines.substr(from, at - from), tally)) return false;
        if (!answer(engine, stop, tally)) return false;
        from = next;
      }
      at = next;
    }
    return feed_lines(engine, stop, lines.substr(from), tally);
  }

  void run(posthaste_t* engine, const StopSignal& stop) {
    std::string buffer;
    std::string chunk(kChunk, '\0');
    LineTally tally;
    bool is_sending = true;
    while (is_sending && stop.wait(fd, POLLIN, -1) == StopSignal::Wake::Ready) {
      const ssize_t size = ::recv(fd, chunk.data(), chunk.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      is_sending = size > 0;
      if (is_sending) buffer.append(chunk, 0, static_cast<size_t>(size));
      const size_t end = is_sending ? buffer.rfind('\n') + 1 : buffer.size();
      if (!take(engine, stop, std::string_view(buffer).substr(0, end), tally)) break;
      buffer.erase(0, end);
      if (buffer.size() > kLineMax) {
        send_all("{\"message\":\"a line is too long\"}\n", stop);
        break;
      }
    }
    answer(engine, stop, tally);
    ::shutdown(fd, SHUT_RDWR);
    is_over.store(true);
  }
};

core::Result<std::unique_ptr<SocketIngest>> SocketIngest::listen(posthaste_t* engine,
                                                                 const StopSignal& stop,
                                                                 const std::string& path) {
  const auto problem = [&](const char* what) {
    return core::Error{
        ErrorCode::System, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)), {}};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return {ErrorCode::BadValue, "the socket's path " + path + " is too long"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return problem("make a socket for");
  const bool is_taken = ::connect(probe, raw, sizeof address) == 0;
  const bool is_left = !is_taken && errno == ECONNREFUSED;
  ::close(probe);
  if (is_taken) return {ErrorCode::System, "another server listens on " + path};
  if (is_left) ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return problem("make a socket for");
  // Owner and group may connect; nobody else can while it is made either.
  const mode_t before = ::umask(0117);
  const bool is_bound = ::bind(fd, raw, sizeof address) == 0;
  ::umask(before);
  if (!is_bound || ::listen(fd, SOMAXCONN) != 0) {
    const core::Error error = problem("listen on");
    ::close(fd);
    return error;
  }
  return std::unique_ptr<SocketIngest>(new SocketIngest(engine, stop, path, fd));
}

SocketIngest::SocketIngest(posthaste_t* engine, const StopSignal& stop, std::string path, int fd)
    : engine_(engine), stop_(stop), path_(std::move(path)), fd_(fd), thread_([this] { run(); }) {}

SocketIngest::~SocketIngest() {
  thread_.join();
  ::close(fd_);
  ::unlink(path_.c_str());
}

void SocketIngest::reap(bool waits) {
  std::erase_if(clients_, [&](const auto& client) { return waits || client->is_over.load(); });
}

void SocketIngest::run() {
  while (stop_.wait(fd_, POLLIN, -1) == StopSignal::Wake::Ready) {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    reap(false);
    if (fd < 0) {
      stop_.wait(-1, 0, kFullMs);  // out of descriptors, perhaps
      continue;
    }
    auto client = std::make_unique<Client>();
    client->fd = fd;
    if (clients_.size() >= kClientsMax) {
      client->send_all("{\"message\":\"too many clients\"}\n", stop_);
      continue;
    }
    Client* raw = client.get();
    client->thread = std::thread([this, raw] { raw->run(engine_, stop_); });
    clients_.push_back(std::move(client));
  }
  reap(true);
}

}  // namespace posthaste::cli
