// The two clocks as an interface, injected by the composition root, so that the simulation owns
// time. Threads: every function may be called from any thread.
#pragma once

#include "core/time.h"

namespace posthaste::platform {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual core::Instant now() const = 0;
  virtual core::WallTime wall_now() const = 0;
  // Cheap forms for the push path: never earlier than the true time, later by at most the kernel's
  // tick.
  virtual core::Instant coarse_now() const = 0;
  virtual core::WallTime coarse_wall_now() const = 0;
};

// CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public Clock {
 public:
  SystemClock();
  core::Instant now() const override;
  core::WallTime wall_now() const override;
  core::Instant coarse_now() const override;
  core::WallTime coarse_wall_now() const override;

 private:
  core::Duration tick_;
};

}  // namespace posthaste::platform
