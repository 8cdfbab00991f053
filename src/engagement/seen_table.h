// Which links were followed lately, in bounded memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace posthaste::engagement {

// Purpose: tells a first visit from a repeated one, as far as it remembers: each id has one slot,
// and a newer id takes it. Ownership: of its slots, 8 bytes each. Threads: any number at once; of
// two first visits at the same moment exactly one is told to be first. Invariants: memory never
// grows; what it calls repeated was there before.
class SeenTable {
 public:
  explicit SeenTable(size_t count) : count_(count), slots_(new std::atomic<uint64_t>[count]()) {}

  // Notes the id; true when it was the last one noted in its slot.
  bool note(uint64_t id) {
    const uint64_t stored = id == 0 ? 1 : id;  // 0 is an empty slot
    return slots_[id % count_].exchange(stored, std::memory_order_relaxed) == stored;
  }
  // Takes the id back, unless a newer one has its slot already.
  void forget(uint64_t id) {
    uint64_t stored = id == 0 ? 1 : id;
    slots_[id % count_].compare_exchange_strong(stored, 0, std::memory_order_relaxed);
  }

 private:
  const size_t count_;
  const std::unique_ptr<std::atomic<uint64_t>[]> slots_;
};

}  // namespace posthaste::engagement
