// How often each crash point was crossed, in a small file that both the driver and the hosts it
// kills have mapped: what a host counted stays when it is gone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace posthaste::torture {

// The crash points of the library, as found in its code.
extern const char* const kCrashPoints[];
extern const size_t kCrashPointsCount;

// Purpose: the counters of one run. Ownership: a mapping of the file. Threads: any, and any
// process. Invariants: one place for each of kCrashPoints, in their order.
class Crossings {
 public:
  // Makes the file if there is none; exits with a message when that fails.
  explicit Crossings(const std::string& path);
  ~Crossings();
  Crossings(const Crossings&) = delete;
  Crossings& operator=(const Crossings&) = delete;

  // kCrashPointsCount for a name that is none.
  static size_t index_of(std::string_view name);

  void count_crossing(size_t index) { counts_[index].crossings.fetch_add(1); }
  void count_kill(size_t index) { counts_[index].kills.fetch_add(1); }
  uint64_t crossings(size_t index) const { return counts_[index].crossings.load(); }
  uint64_t kills(size_t index) const { return counts_[index].kills.load(); }

 private:
  struct Counts {
    std::atomic<uint64_t> crossings;
    std::atomic<uint64_t> kills;
  };

  Counts* counts_ = nullptr;
};

}  // namespace posthaste::torture
