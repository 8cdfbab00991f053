// What the sink counts, and how it tells: one flat JSON object. Shared by all its threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace posthaste::bench {

// Purpose: the counters. Ownership: owns the bitmap of ids and the ages. Threads: any; everything
// is atomic but the ages, which a lock guards.
class SinkCounters {
 public:
  using Count = std::atomic<uint64_t>;

  // Keeps a bitmap of the ids below id_max; before the sink's threads start.
  void keep_ids(uint64_t id_max);
  void saw_id(uint64_t id);
  // An event arrived that was made at this time of the monotonic clock.
  void saw_age(uint64_t made_ns);
  void reset();
  std::string json() const;

  static void add(Count& counter, uint64_t count) {
    counter.fetch_add(count, std::memory_order_relaxed);
  }

  Count connections{0}, requests{0}, failed{0}, dropped{0}, hung{0}, body_bytes{0}, wire_bytes{0};
  Count events{0}, recvs{0}, duplicates{0}, out_of_range{0}, first_ns{0}, last_ns{0};
  Count fault_turn{0};  // numbers the requests that /every and /first look at

 private:
  uint64_t words() const { return id_max_ / 64 + 1; }
  // The age below which the share `part` (0 to 1) of all lies; 0 when there are none.
  uint64_t age_us(double part) const;

  uint64_t id_max_ = 0;
  std::unique_ptr<Count[]> seen_;
  mutable std::mutex ages_mutex_;  // guards what follows
  std::vector<uint32_t> ages_us_;
};

}  // namespace posthaste::bench
