// A block of finished wire records, one behind the other, with an index. The intake's segments are
// such blocks; the core batches runs of their records without knowing where they come from.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/event_catalogue.h"
#include "core/stream.h"
#include "core/time.h"

namespace posthaste::core {

// One record: bytes [offset, offset + size) of its block, `{"msys":{...}},` with the trailing
// comma.
struct RecordEntry {
  uint32_t offset = 0;
  uint32_t size = 0;
  Instant pushed{};
  EventTypeId type = 0;
  bool is_control = false;  // no record: a change of the registry has its place here
  // The block's generation once the record is complete; anything else means not yet.
  std::atomic<uint32_t> published{0};
};

// Purpose: shared memory of many records. Ownership: counted references; at zero on_unused() gives
// it back. Threads: references are taken and dropped on the delivery thread only, so the count is a
// plain number. Invariants: records are contiguous: entry(i).offset + entry(i).size == entry(i +
// 1).offset; immutable once published.
class RecordBlock {
 public:
  RecordBlock(const RecordBlock&) = delete;
  RecordBlock& operator=(const RecordBlock&) = delete;

  const char* bytes() const { return bytes_; }
  const RecordEntry& entry(uint32_t index) const { return entries_[index]; }
  // Grows with the order of blocks; tells which of two is older.
  uint64_t sequence() const { return sequence_; }

  void retain() { ++references_; }
  void release() {
    if (--references_ == 0) on_unused();
  }

 protected:
  RecordBlock() = default;
  virtual ~RecordBlock() = default;
  virtual void on_unused() = 0;

  char* bytes_ = nullptr;
  RecordEntry* entries_ = nullptr;
  uint64_t sequence_ = 0;

 private:
  uint32_t references_ = 0;
};

// A run of neighbouring records of one block.
struct RecordRun {
  uint32_t first = 0;
  uint32_t count = 0;
  // Of the first record's first byte, when the run is in the journal; the others follow it there as
  // they do in the block.
  StreamPosition position = 0;
};

// Where record `index` begins in the journal; `index` may be the one behind the run.
inline StreamPosition position_of(const RecordBlock& block, const RecordRun& run, uint32_t index) {
  if (run.position == 0 || index == run.first) return run.position;
  const RecordEntry& last = block.entry(index - 1);
  return run.position + (last.offset + last.size - block.entry(run.first).offset);
}

// Some of the records of a run.
inline RecordRun part_of(const RecordBlock& block, const RecordRun& run, uint32_t first,
                         uint32_t count) {
  return {first, count, position_of(block, run, first)};
}

}  // namespace posthaste::core
