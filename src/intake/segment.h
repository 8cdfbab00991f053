// One segment of the intake: wire records in the order of their places, and an index of them.
// Producers reserve a place with one atomic addition and copy without a lock; the delivery thread
// reads what is published.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "core/limits.h"
#include "core/record_block.h"
#include "platform/block_memory.h"

namespace posthaste::intake {

class Intake;

static_assert(sizeof(core::RecordEntry) == core::kSegmentEntrySize);
static_assert(core::kSegmentMemory == platform::kHugePage);

// Purpose: a block of memory that many producers fill and one reader drains. Ownership: belongs to
// the intake's pool and is never destroyed before it, so that a producer that slept over a
// segment's end finds valid memory. Threads: reserve() and publish() any; everything else the
// reader, or a producer under the intake's lock. Invariants: places are dense, offsets grow with
// them; a place below closed_count is published sooner or later; an addition to a segment that is
// not open always fails.
class Segment final : public core::RecordBlock {
 public:
  explicit Segment(Intake& intake) : intake_(intake) {}

  struct Place {
    uint32_t index = 0;
    uint32_t offset = 0;
    bool is_reserved = false;
  };

  // Takes the next place and its bytes; only segments of the usual size are ever open to it. The
  // first call that finds no room closes the segment.
  Place reserve(uint32_t size_bytes) {
    // Looking first keeps callers that find it closed again and again from counting without end.
    if ((reserved_.load(std::memory_order_relaxed) & kBytesMask) > core::kSegmentSize) return {};
    const uint64_t before = reserved_.fetch_add(kOnePlace + size_bytes, std::memory_order_acq_rel);
    const uint64_t offset = before & kBytesMask;
    const uint64_t index = before >> kBytesBits;
    if (index < core::kSegmentRecords && offset + size_bytes <= core::kSegmentSize) {
      return {static_cast<uint32_t>(index), static_cast<uint32_t>(offset), true};
    }
    if (index <= core::kSegmentRecords && offset <= core::kSegmentSize) {
      // Out of places but not of bytes: the bytes must say closed, too.
      reserved_.fetch_or(kClosedBit, std::memory_order_acq_rel);
      closed_count_.store(static_cast<uint32_t>(index), std::memory_order_release);
    }
    return {};
  }

  char* at(uint32_t offset) { return bytes_ + offset; }

  // Asks for the cache lines that the next record of like size will fill. Past the end of the
  // segment it asks for nothing.
  void prefetch(uint32_t offset, uint32_t size_bytes) const {
    const uint32_t end = std::min(offset + std::min(size_bytes, kPrefetchMax), core::kSegmentSize);
    for (uint32_t at = offset; at < end; at += 64) __builtin_prefetch(bytes_ + at, 1);
  }

  // The record's bytes are complete.
  void publish(Place place, uint32_t size_bytes, core::EventTypeId type, core::Instant pushed,
               bool is_control) {
    core::RecordEntry& entry = entries_[place.index];
    entry.offset = place.offset;
    entry.size = size_bytes;
    entry.type = type;
    entry.pushed = pushed;
    entry.is_control = is_control;
    entry.published.store(generation_, std::memory_order_release);
  }

  // No further place from now on.
  void close() { reserve(core::kSegmentSize + 1); }

  // Gives no place any more, whatever closed_count() says yet.
  bool is_closed() const {
    const uint64_t reserved = reserved_.load(std::memory_order_acquire);
    return (reserved & kBytesMask) > core::kSegmentSize ||
           (reserved >> kBytesBits) > core::kSegmentRecords;
  }

  bool is_published(uint32_t index) const {
    return entries_[index].published.load(std::memory_order_acquire) == generation_;
  }
  // How many places it has in the end; kOpen while it is open.
  static constexpr uint32_t kOpen = ~0u;
  uint32_t closed_count() const { return closed_count_.load(std::memory_order_acquire); }
  uint32_t entries_capacity() const { return entries_capacity_; }
  Segment* next() const { return next_.load(std::memory_order_acquire); }

 private:
  friend class Intake;

  static constexpr uint32_t kPrefetchMax = 1024;

  // The low bits count bytes, the high ones places. Additions that fail grow both, by one for each
  // producer that raced for the last room: far below their width.
  static constexpr uint32_t kBytesBits = 40;
  static constexpr uint64_t kOnePlace = uint64_t{1} << kBytesBits;
  static constexpr uint64_t kBytesMask = kOnePlace - 1;
  static constexpr uint64_t kClosedBit = kOnePlace >> 1;

  void on_unused() override;

  Intake& intake_;
  // A closed state from the start: nothing can be reserved before the intake opens it.
  std::atomic<uint64_t> reserved_{kClosedBit};
  std::atomic<uint32_t> closed_count_{0};
  std::atomic<Segment*> next_{nullptr};
  uint32_t entries_capacity_ = 0;
  uint32_t generation_ = 0;
  uint64_t charged_bytes_ = 0;
  platform::BlockMemory memory_;  // of the usual size: the entries, then the bytes
  std::unique_ptr<char[]> single_bytes_;
  core::RecordEntry single_entry_;
};

}  // namespace posthaste::intake
