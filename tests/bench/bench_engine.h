// An engine as the benchmarks of long stories use it: through the C interface, any error ends the
// program. posthaste_bench has its own, since there the push itself is what is measured.
#pragma once

#include <posthaste/posthaste.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "drive.h"

namespace posthaste::bench {

// Purpose: one engine. Ownership: owns it. Threads: push any; the rest one.
class BenchEngine {
 public:
  // Of the keys on the command line it takes those with a dot, which are the library's.
  explicit BenchEngine(const Args& args, const std::string& spool_directory = {});
  // Gives up, or leaves to the spool, what is not delivered by then.
  ~BenchEngine();
  BenchEngine(const BenchEngine&) = delete;
  BenchEngine& operator=(const BenchEngine&) = delete;

  using Keys = std::vector<std::pair<std::string, std::string>>;

  void start() { check(posthaste_start(engine_, error_)); }
  void put(const std::string& id, const std::string& target, const Keys& keys);
  // Whether it was taken; when the queue is full it is not. Anything else ends the program.
  bool push(const char* type, const char* event, size_t size) {
    const int32_t code = posthaste_push(engine_, type, event, size);
    if (code != POSTHASTE_OK && code != POSTHASTE_E_QUEUE_FULL) check(code);
    return code == POSTHASTE_OK;
  }
  // Tries again until it is taken.
  void push_patiently(const char* type, const char* event, size_t size);
  void sync() { check(posthaste_sync(engine_, 60'000, error_)); }
  void retry_now(const char* id) { check(posthaste_retry_now(engine_, id, error_)); }
  // Returns when it is closed; the reports stay.
  void close(int32_t timeout_ms) { posthaste_close(engine_, timeout_ms, nullptr); }
  std::string stats();
  // Of one webhook.
  std::string stats_of(const std::string& id);
  // All that dropped reports tell, summed up.
  uint64_t take_dropped_events();

 private:
  void check(int32_t code);

  posthaste_error_t* const error_ = posthaste_error_new();
  posthaste_t* engine_ = nullptr;
};

}  // namespace posthaste::bench
