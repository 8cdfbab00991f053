#include "platform/wait_point.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace posthaste::platform {

namespace {

constexpr core::Duration kLookEvery = std::chrono::milliseconds(5);

timespec timespec_of(core::Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  timespec time{};
  time.tv_sec = static_cast<time_t>(seconds.count());
  time.tv_nsec = static_cast<long>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration - seconds).count());
  return time;
}

}  // namespace

WaitPoint::WaitPoint() : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

WaitPoint::~WaitPoint() {
  if (event_fd_ >= 0) ::close(event_fd_);
}

void WaitPoint::wake() {
  if (is_woken_.exchange(true) || event_fd_ < 0) return;
  const uint64_t one = 1;
  // It fails only when the count is at its end, which is readable, too.
  static_cast<void>(!::write(event_fd_, &one, sizeof one));
}

bool WaitPoint::wait(core::Duration at_most, int fd) {
  bool is_readable = false;
  while (at_most > core::Duration::zero() && !is_woken_.load() && !is_readable) {
    const bool is_last = event_fd_ >= 0;
    if (poll(is_last ? at_most : std::min(at_most, kLookEvery), fd, is_readable)) break;
    at_most = is_last ? core::Duration::zero() : at_most - kLookEvery;
  }
  // Before the flag is taken back: whoever finds that unset writes again.
  uint64_t count = 0;
  if (event_fd_ >= 0) static_cast<void>(!::read(event_fd_, &count, sizeof count));
  is_woken_.store(false);
  return is_readable;
}

// Whether somebody wrote to the event.
bool WaitPoint::poll(core::Duration at_most, int fd, bool& is_readable) const {
  pollfd watched[] = {{fd, POLLIN, 0}, {event_fd_, POLLIN, 0}};
  const timespec time = timespec_of(at_most);
  if (::ppoll(watched, 2, &time, nullptr) <= 0) return false;
  is_readable = watched[0].revents != 0;
  return watched[1].revents != 0;
}

}  // namespace posthaste::platform
