// The JSON array of a batch, as runs of shared blocks, as bytes of its own, or both: `[` records
// `]`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/record_block.h"
#include "core/stream.h"

namespace posthaste::core {

// Purpose: collects records without copying, reads them as one body, lets go of shared memory on
// demand, by copying or, when the journal has the records, by forgetting the bytes. Ownership:
// holds references to blocks; owns copied bytes. Threads: the delivery thread only. Invariants: the
// bytes read at an offset never change, whatever is copied out meanwhile.
class BatchBody {
 public:
  BatchBody() = default;
  ~BatchBody() { clear(); }
  BatchBody(BatchBody&& other) noexcept { swap(other); }
  BatchBody& operator=(BatchBody&& other) noexcept {
    swap(other);
    return *this;
  }

  // Adds records at the end; `run` is within `block`.
  void append(RecordBlock& block, RecordRun run);

  // Size of the body on the wire, brackets included; 2 when empty.
  uint64_t size_bytes() const { return records_bytes_ == 0 ? 2 : records_bytes_ + 1; }
  // Bytes of the records with their commas.
  uint64_t records_bytes() const { return records_bytes_; }
  uint32_t events_count() const { return events_count_; }
  // Memory of its own: what was copied out of shared blocks.
  uint64_t owned_bytes() const { return owned_bytes_; }
  bool is_detached() const { return is_released_ || owned_bytes_ == records_bytes_; }
  // Every record has a place in the journal: the ranges, neighbours joined, until they are taken.
  bool is_journaled() const { return is_journaled_; }
  const std::vector<StreamRange>& ranges() const { return ranges_; }
  std::vector<StreamRange> take_ranges() { return std::move(ranges_); }
  // Sequence of the oldest shared block it holds; ~0 when none.
  uint64_t oldest_sequence() const;
  // How much of one block it holds.
  uint64_t shared_bytes(const RecordBlock& block) const;

  // Copies out what it holds of one block.
  void detach(const RecordBlock& block);
  // Copies out everything, into one piece.
  void detach();
  // Forgets the bytes of a journaled body, those of records still to come too; sizes, counts and
  // ranges stay. They are read from the journal then, not here.
  void release();
  bool is_released() const { return is_released_; }
  // A body of some of its records: those that take [offset, offset + size) of the records' bytes,
  // commas included. Shares blocks, copies what is copied. Without ranges.
  BatchBody part(uint64_t offset, uint64_t size, uint32_t events_count) const;
  // A body whose bytes are elsewhere from the start.
  static BatchBody released(uint64_t size_bytes, uint32_t events_count);

  // Copies up to `room` bytes of the body from `offset` on; less only at the end.
  size_t read(uint64_t offset, char* out, size_t room) const;

 private:
  struct Piece {
    RecordBlock* block = nullptr;  // null: bytes are in `owned`
    std::string owned;
    uint32_t block_offset = 0;
    uint64_t start = 0;  // offset of the piece among the records' bytes
    uint64_t size = 0;
    const char* data() const { return block ? block->bytes() + block_offset : owned.data(); }
  };

  void swap(BatchBody& other) noexcept;
  void clear();
  void own(Piece& piece);

  std::vector<Piece> pieces_;
  std::vector<StreamRange> ranges_;
  uint64_t records_bytes_ = 0;
  uint64_t owned_bytes_ = 0;
  uint32_t events_count_ = 0;
  bool is_journaled_ = true;
  bool is_released_ = false;
};

}  // namespace posthaste::core
