// The two ways of `posthaste push`: POST /api/v1/events, and the unix socket of `serve --ingest`.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/json_members.h"
#include "cli/push.h"
#include "config/value_text.h"

namespace posthaste::cli {
namespace {

using json::Value;

constexpr uint64_t kWaitMs = 500;
constexpr uint64_t kWaitMaxSeconds = 30;

// What an answer counts.
PushOutcome counted(const Value& results) {
  PushOutcome outcome;
  outcome.lines = static_cast<uint64_t>(int_member(results, "lines"));
  outcome.accepted = static_cast<uint64_t>(int_member(results, "accepted"));
  outcome.refused = static_cast<uint64_t>(int_member(results, "refused"));
  for (const Value& error : array_member(results, "errors")) {
    outcome.errors.emplace_back(static_cast<uint64_t>(int_member(error, "line")),
                                text_member(error, "message"));
  }
  return outcome;
}

PushOutcome later(std::string problem, uint64_t wait_ms = kWaitMs) {
  PushOutcome outcome;
  outcome.problem = std::move(problem);
  outcome.wait_ms = wait_ms;
  return outcome;
}

PushOutcome never(Exit status) {
  PushOutcome outcome;
  outcome.status = status;
  return outcome;
}

class HttpWay final : public PushWay {
 public:
  explicit HttpWay(Server server) : server_(std::move(server)) {}

  PushOutcome send(std::string_view lines) override {
    const auto response =
        server_.ask("POST", is_synced_ ? "/api/v1/events?sync=true" : "/api/v1/events",
                    std::string(lines), "application/x-ndjson");
    if (!response) {
      if (response.code() == core::ErrorCode::BadValue) return never(unreachable(response.error()));
      return later(response.error().message);
    }
    if (response->status == 409 && is_synced_) {
      is_synced_ = false;  // memory mode has no disk to wait for
      return send(lines);
    }
    const auto body = parse_answer(response->body);
    const Value* results = body ? body->find("results") : nullptr;
    if (response->status == 200 && results) return counted(*results);
    if (response->status < 500 && response->status != 429) return never(refused(*response, false));
    PushOutcome outcome = results ? counted(*results) : PushOutcome{};
    outcome.problem = "the server answered " + std::to_string(response->status);
    const auto seconds = config::parse_count(response->header("Retry-After"));
    outcome.wait_ms = seconds ? std::min(*seconds, kWaitMaxSeconds) * 1000 : kWaitMs;
    return outcome;
  }

 private:
  Server server_;
  bool is_synced_ = true;
};

class SocketWay final : public PushWay {
 public:
  explicit SocketWay(std::string path) : path_(std::move(path)) {}
  ~SocketWay() override { hang_up(); }

  PushOutcome send(std::string_view lines) override {
    if (fd_ < 0 && !connect()) {
      return later("cannot reach " + path_ + ": " + std::strerror(errno));
    }
    std::string text(lines);
    if (!text.ends_with('\n')) text += '\n';
    text += "sync\n";
    // Also when it was not sent to the end the server may have answered before it closed.
    const bool is_sent = send_all(text);
    const std::string line = read_line();
    const auto answer = parse_answer(line);
    if (!is_sent || !answer || line.empty()) hang_up();
    if (line.empty() || !answer) return later(path_ + " closed the connection");
    PushOutcome outcome = counted(*answer);
    const std::string message = text_member(*answer, "message");
    if (message.empty()) return outcome;
    hang_up();
    return later(path_ + ": " + message);  // not on disk, so none of it is done
  }

 private:
  bool connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
      errno = ENAMETOOLONG;
      return false;
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return false;
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(fd_, raw, sizeof address) == 0) return true;
    const int problem = errno;
    hang_up();
    errno = problem;
    return false;
  }

  void hang_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    received_.clear();
  }

  bool send_all(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t size = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return false;
      text.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  }

  // Empty when the server closed before a whole line.
  std::string read_line() {
    char chunk[4096];
    while (true) {
      if (const size_t end = received_.find('\n'); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      const ssize_t size = ::recv(fd_, chunk, sizeof chunk, 0);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return {};
      received_.append(chunk, static_cast<size_t>(size));
    }
  }

  const std::string path_;
  int fd_ = -1;
  std::string received_;
};

}  // namespace

core::Result<std::unique_ptr<PushWay>> make_http_way(const ServerOptions& options) {
  auto server = Server::find(options);
  if (!server) return server.error();
  return std::unique_ptr<PushWay>(std::make_unique<HttpWay>(std::move(*server)));
}

std::unique_ptr<PushWay> make_socket_way(const std::string& path) {
  return std::make_unique<SocketWay>(path);
}

}  // namespace posthaste::cli
