// Time that stands still until a test moves it: the clock of the simulation and of tests of the
// delivery step.
#pragma once

#include "core/time.h"
#include "platform/clock.h"

namespace posthaste::test {

// Purpose: both clocks, moved by hand. Threads: one at a time. Invariants: never goes back; the
// wall clock moves with the monotonic one, unless it is set.
class SimClock final : public platform::Clock {
 public:
  // 2026-03-01 00:00:00 UTC; the monotonic clock starts at another number, so that nobody mixes
  // them.
  static constexpr core::WallTime kWallStart{std::chrono::seconds(1'772'323'200)};
  static constexpr core::Instant kStart{std::chrono::seconds(1'000)};

  core::Instant now() const override { return now_; }
  core::WallTime wall_now() const override { return wall_at_start_ + (now_ - kStart); }
  core::Instant coarse_now() const override { return now_ + coarse_lead_; }
  core::WallTime coarse_wall_now() const override { return wall_now(); }

  void advance(core::Duration by) { now_ += by; }
  // Does nothing when that time has passed.
  void advance_to(core::Instant time) {
    if (time > now_) now_ = time;
  }
  core::Duration elapsed() const { return now_ - kStart; }
  // How far the coarse monotonic clock is ahead, as the real one is by up to a tick.
  void set_coarse_lead(core::Duration lead) { coarse_lead_ = lead; }
  // The operator sets the wall clock.
  void shift_wall(core::Duration by) { wall_at_start_ += by; }

 private:
  core::Instant now_ = kStart;
  core::WallTime wall_at_start_ = kWallStart;
  core::Duration coarse_lead_{};
};

}  // namespace posthaste::test
