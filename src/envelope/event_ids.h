// Event ids: what a receiver de-duplicates by. UUIDs of version 8 (RFC 9562, section 5.8): 60
// random bits that tell the processes apart, and a counter of 62 bits. Making one is one relaxed
// atomic addition and 36 characters.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace posthaste::envelope {

// Makes ids that are unique among all objects seeded with different random numbers.
// Threads: any number may call write; reseed only while no other thread does (in the child of a
// fork there is none).
class EventIds {
 public:
  static constexpr size_t kTextSize = 36;

  EventIds(uint64_t process_seed, uint64_t counter_seed);

  // The child of a fork would repeat its parent's ids.
  void reseed(uint64_t process_seed, uint64_t counter_seed);

  // Writes kTextSize characters, no terminator.
  void write(char* out);

 private:
  std::atomic<uint64_t> process_;
  std::atomic<uint64_t> counter_;
};

}  // namespace posthaste::envelope
