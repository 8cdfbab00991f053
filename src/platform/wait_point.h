// Where a thread of the library waits for others to wake it, for a descriptor and for a time, all
// at once. The spool thread has one; the delivery thread waits inside libcurl instead.
#pragma once

#include <atomic>

#include "core/time.h"

namespace posthaste::platform {

// Purpose: a waiting place for one thread. Ownership: owns a descriptor. Threads: wake any, wait
// the one that waits. Invariants: a wake() is never missed: it ends the wait under way, or the
// next one.
class WaitPoint {
 public:
  // When the process has no descriptor left, a wait looks for wakes every few milliseconds.
  WaitPoint();
  ~WaitPoint();
  WaitPoint(const WaitPoint&) = delete;
  WaitPoint& operator=(const WaitPoint&) = delete;

  void wake();
  // Until somebody calls wake(), the descriptor can be read (-1: none), or the time is over; with
  // zero or less it takes note of wakes only. True: the descriptor can be read.
  bool wait(core::Duration at_most, int fd);

 private:
  bool poll(core::Duration at_most, int fd, bool& is_readable) const;

  const int event_fd_;
  std::atomic<bool> is_woken_{false};
};

}  // namespace posthaste::platform
