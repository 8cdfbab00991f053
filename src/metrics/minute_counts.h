// How much a counter grew in each of the last minutes: what the web page draws before it has seen
// anything itself.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/time.h"

namespace posthaste::metrics {

// Purpose: a counter's growth by minutes of the monotonic clock. Threads: feed one; history any,
// without a lock. Invariants: bounded, a word for each minute; what is older is forgotten.
class MinuteCounts {
 public:
  // Whole minutes; the one under way comes on top.
  static constexpr size_t kMinutes = 60;

  struct History {
    // How long the last minute, which is under way, has lasted.
    core::Duration last_so_far{};
    // Oldest first; minutes before the first growth are left out, so it may be empty.
    std::vector<uint64_t> counts;
  };

  // total: the counter's value at `now`, which does not go back; a total that did began anew.
  void feed(core::Instant now, uint64_t total);
  History history(core::Instant now) const;

 private:
  // The number of a minute, and below it what was counted in it: one word, which a reader gets
  // whole.
  static constexpr unsigned kCountBits = 38;
  static constexpr uint64_t kCountMax = (uint64_t{1} << kCountBits) - 1;

  static uint64_t minute_of(core::Instant time);

  std::array<std::atomic<uint64_t>, kMinutes + 1> slots_{};
  uint64_t total_ = 0;  // the writer's
};

}  // namespace posthaste::metrics
