#include "cli/push.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "cli/console.h"

namespace posthaste::cli {
namespace {

constexpr size_t kChunk = size_t{256} << 10;
constexpr size_t kLineMax = size_t{20} << 20;  // above the largest event

using Clock = std::chrono::steady_clock;

// Purpose: a bar on standard error, when that is a terminal. Ownership: none. Threads: one.
class Progress {
 public:
  explicit Progress(uint64_t total_bytes)
      : is_shown_(::isatty(STDERR_FILENO) == 1), total_bytes_(total_bytes) {}
  ~Progress() {
    if (is_drawn_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(uint64_t done_bytes, uint64_t lines) {
    const auto now = Clock::now();
    if (!is_shown_ || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    is_drawn_ = true;
    std::string text = fmt::format("\r\x1b[K{} lines", lines);
    if (total_bytes_ > 0) {
      constexpr uint64_t kWidth = 40;
      const uint64_t share = std::min(total_bytes_, done_bytes);
      const uint64_t full = share * kWidth / total_bytes_;
      text = fmt::format("\r\x1b[K[{}{}] {:3}%  {} lines", std::string(full, '#'),
                         std::string(kWidth - full, ' '), share * 100 / total_bytes_, lines);
    }
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
  }

 private:
  const bool is_shown_;
  const uint64_t total_bytes_;
  bool is_drawn_ = false;
  Clock::time_point drawn_;
};

// The first `count` lines of a text, as bytes; what is behind the last line feed is a line, too.
size_t bytes_of_lines(std::string_view text, uint64_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count)
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return at;
}

// Purpose: what was sent so far, and the sending. Ownership: the way. Threads: one.
class Push {
 public:
  Push(const PushOptions& options, PushWay& way, uint64_t total_bytes)
      : options_(options), way_(way), progress_(total_bytes) {}

  // Whole lines; returns when all of them are done, or it is no use to go on.
  Exit send(std::string_view lines);
  Exit summary() const;
  void skip(uint64_t bytes, uint64_t lines) {
    done_bytes_ += bytes;
    lines_ += lines;
  }
  uint64_t lines() const { return lines_; }

 private:
  const PushOptions& options_;
  PushWay& way_;
  Progress progress_;
  uint64_t lines_ = 0;  // done, from the beginning of the file
  uint64_t accepted_ = 0;
  uint64_t refused_ = 0;
  uint64_t done_bytes_ = 0;
};

Exit Push::send(std::string_view lines) {
  auto last_progress = Clock::now();
  while (!lines.empty()) {
    const PushOutcome outcome = way_.send(lines);
    for (const auto& [line, message] : outcome.errors) {
      warn(fmt::format("line {} refused: {}", lines_ + line, message));
    }
    if (outcome.refused > outcome.errors.size()) {
      warn(fmt::format("{} more lines refused", outcome.refused - outcome.errors.size()));
    }
    const size_t bytes = bytes_of_lines(lines, outcome.lines);
    lines.remove_prefix(bytes);
    lines_ += outcome.lines;
    done_bytes_ += bytes;
    accepted_ += outcome.accepted;
    refused_ += outcome.refused;
    progress_.show(done_bytes_, lines_);
    if (lines.empty()) return Exit::Ok;
    if (outcome.lines > 0) last_progress = Clock::now();
    const auto patience = std::chrono::milliseconds(options_.retry_for_ms);
    const bool is_hopeless = outcome.status != Exit::Ok;
    if (is_hopeless || Clock::now() - last_progress >= patience) {
      const Exit status = is_hopeless ? outcome.status : Exit::Unreachable;
      const std::string why = is_hopeless ? "gave up" : outcome.problem;
      return fail(status,
                  fmt::format("{}; {} lines are done: go on with --skip {}", why, lines_, lines_));
    }
    if (outcome.wait_ms > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(outcome.wait_ms));
  }
  return Exit::Ok;
}

Exit Push::summary() const {
  print_line(options_.server.is_json
                 ? fmt::format("{{\"accepted\": {}, \"refused\": {}}}", accepted_, refused_)
                 : fmt::format("{} events accepted, {} refused", accepted_, refused_));
  return refused_ == 0 ? Exit::Ok : Exit::Failed;
}

Exit push_file(int fd, const PushOptions& options, Push& push) {
  std::string buffer;
  std::string chunk(kChunk, '\0');
  bool is_at_end = false;
  while (!is_at_end) {
    const ssize_t size = ::read(fd, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return fail(Exit::Usage,
                  fmt::format("cannot read {}: {}", options.file, std::strerror(errno)));
    }
    is_at_end = size == 0;
    buffer.append(chunk, 0, static_cast<size_t>(size));
    const size_t end = is_at_end ? buffer.size() : buffer.rfind('\n') + 1;
    std::string_view lines = std::string_view(buffer).substr(0, end);
    while (push.lines() < options.skip && !lines.empty()) {
      const size_t bytes = bytes_of_lines(lines, 1);
      lines.remove_prefix(bytes);
      push.skip(bytes, 1);
    }
    if (const Exit status = push.send(lines); status != Exit::Ok) return status;
    buffer.erase(0, end);
    if (buffer.size() > kLineMax) {
      return fail(Exit::Usage, fmt::format("line {} is too long", push.lines() + 1));
    }
  }
  return push.summary();
}

}  // namespace

Exit run_push(const PushOptions& options) {
  std::unique_ptr<PushWay> way;
  if (options.socket.empty()) {
    auto made = make_http_way(options.server);
    if (!made) return unreachable(made.error());
    way = std::move(*made);
  } else {
    way = make_socket_way(options.socket);
  }
  const bool is_stdin = options.file.empty() || options.file == "-";
  const int fd = is_stdin ? STDIN_FILENO : ::open(options.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(Exit::Usage, fmt::format("cannot open {}: {}", options.file, std::strerror(errno)));
  }
  struct stat status {};
  const bool is_sized = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  Exit result = Exit::Ok;
  {
    Push push(options, *way, is_sized ? static_cast<uint64_t>(status.st_size) : 0);
    result = push_file(fd, options, push);
  }
  if (!is_stdin) ::close(fd);
  return result;
}

}  // namespace posthaste::cli
