// A block of records made by hand, for tests of what is built on RecordBlock.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/record_block.h"

namespace posthaste::test {

// Purpose: RecordBlock without an intake. Threads: one at a time. Invariants: never gives its
// memory back; it only counts how often it became unused.
class FakeBlock final : public core::RecordBlock {
 public:
  explicit FakeBlock(uint64_t sequence = 1, uint32_t records_max = 4096,
                     size_t size_bytes_max = size_t{1} << 20)
      : memory_(std::make_unique<char[]>(size_bytes_max)),
        entries_memory_(std::make_unique<core::RecordEntry[]>(records_max)) {
    bytes_ = memory_.get();
    entries_ = entries_memory_.get();
    sequence_ = sequence;
  }

  // Returns the record's index.
  uint32_t add(core::EventTypeId type, std::string_view record, core::Instant pushed = {}) {
    core::RecordEntry& entry = entries_[count_];
    entry.offset = size_bytes_;
    entry.size = static_cast<uint32_t>(record.size());
    entry.pushed = pushed;
    entry.type = type;
    record.copy(bytes_ + size_bytes_, record.size());
    size_bytes_ += entry.size;
    return count_++;
  }

  std::string_view text(core::RecordRun run) const {
    const core::RecordEntry& first = entry(run.first);
    const core::RecordEntry& last = entry(run.first + run.count - 1);
    return {bytes() + first.offset, last.offset + last.size - first.offset};
  }
  uint32_t count() const { return count_; }
  uint32_t size_bytes() const { return size_bytes_; }
  core::RecordRun all() const { return {0, count_}; }

  bool is_used() { return references_count() > 0; }
  uint32_t references_count() {
    // The count itself is private: take the references away until the block says that none is left.
    retain();
    const uint32_t unused_before = unused_count_;
    uint32_t taken = 0;
    while (unused_count_ == unused_before) {
      release();
      ++taken;
    }
    for (uint32_t i = 1; i < taken; ++i) retain();
    return taken - 1;
  }

 private:
  void on_unused() override { ++unused_count_; }

  std::unique_ptr<char[]> memory_;
  std::unique_ptr<core::RecordEntry[]> entries_memory_;
  uint32_t count_ = 0;
  uint32_t size_bytes_ = 0;
  uint32_t unused_count_ = 0;
};

}  // namespace posthaste::test
