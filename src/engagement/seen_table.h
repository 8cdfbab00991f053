// Which links were followed lately, in bounded memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace posthaste::engagement {

// Purpose: tells a first visit from a repeated one, as far as it remembers: each id belongs to one
// bucket of seven, where a new id takes the place of the oldest. Ownership: of its buckets, 64
// bytes each. Threads: any number at once, none of which waits, so that a fork in the middle does
// no harm; of two first visits at the same moment exactly one is told to be first. Invariants:
// memory never grows; what it calls repeated was there before.
class SeenTable {
 public:
  // Has room for twice as many, since ids do not spread evenly over the buckets.
  explicit SeenTable(size_t count)
      : buckets_count_((2 * count + kIdsPerBucket - 1) / kIdsPerBucket),
        buckets_(new Bucket[buckets_count_]) {}

  // Notes the id; true when it is remembered from before.
  bool note(uint64_t id) {
    const uint64_t wanted = stored(id);
    Bucket& bucket = bucket_of(wanted);
    for (;;) {
      // Looked at before the ids: who finds it moved on by somebody finds that one's id, too.
      const uint64_t oldest = bucket.oldest.load(std::memory_order_acquire);
      uint64_t replaced = 0;
      for (size_t i = 0; i < kIdsPerBucket; ++i) {
        const uint64_t other = bucket.ids[i].load(std::memory_order_acquire);
        if (other == wanted) return true;
        if (i == oldest) replaced = other;
      }
      // Fails when somebody was faster, perhaps with the same id.
      if (!bucket.ids[oldest].compare_exchange_strong(replaced, wanted)) continue;
      bucket.oldest.store((oldest + 1) % kIdsPerBucket, std::memory_order_release);
      return false;
    }
  }

  // Takes the id back, if it is still there.
  void forget(uint64_t id) {
    const uint64_t wanted = stored(id);
    for (std::atomic<uint64_t>& place : bucket_of(wanted).ids) {
      uint64_t expected = wanted;
      place.compare_exchange_strong(expected, 0);
    }
  }

 private:
  static constexpr size_t kIdsPerBucket = 7;

  struct Bucket {
    std::atomic<uint64_t> oldest{0};
    std::atomic<uint64_t> ids[kIdsPerBucket] = {};
  };

  // 0 is an empty place.
  static uint64_t stored(uint64_t id) { return id == 0 ? 1 : id; }
  Bucket& bucket_of(uint64_t id) { return buckets_[id % buckets_count_]; }

  const size_t buckets_count_;
  const std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace posthaste::engagement
