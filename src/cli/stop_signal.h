// A pipe that says stop to every thread that polls it. Used by the servers of the command.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace posthaste::cli {

// Purpose: once stopped, `fd` is readable for ever, for any number of threads. Ownership: owns the
// pipe. Threads: any.
class StopSignal {
 public:
  StopSignal() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) ends_[0] = ends_[1] = -1;
  }
  ~StopSignal() {
    stop();
    if (ends_[0] >= 0) ::close(ends_[0]);
  }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  bool is_open() const { return ends_[0] >= 0; }
  int fd() const { return ends_[0]; }
  void stop() {
    const std::lock_guard lock(mutex_);
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

  enum class Wake { Stop, Ready, Timeout };
  // Waits until another descriptor has one of the events, or the signal came, or the time is over;
  // -1 waits for ever. A descriptor of -1 is never ready.
  Wake wait(int other_fd, short events, int timeout_ms) const {
    pollfd ends[] = {{ends_[0], POLLIN, 0}, {other_fd, events, 0}};
    int count = 0;
    while ((count = ::poll(ends, 2, timeout_ms)) < 0 && errno == EINTR) {
    }
    if (ends[0].revents != 0) return Wake::Stop;
    return count > 0 ? Wake::Ready : Wake::Timeout;
  }
  bool is_stopped() const { return wait(-1, 0, 0) == Wake::Stop; }

 private:
  int ends_[2] = {-1, -1};
  std::mutex mutex_;  // guards the writing end
};

}  // namespace posthaste::cli
