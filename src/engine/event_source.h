// Where the delivery step gets its records from: in memory mode the intake itself, in durable mode
// what the spool thread has written to the journal.
#pragma once

#include <cstdint>

#include "core/record_block.h"
#include "intake/intake.h"

namespace posthaste::engine {

struct EventRange {
  core::RecordBlock* block = nullptr;
  core::RecordRun run;
  bool is_end = false;  // no record of this block follows
  // Where the journal has the run although that is not certain, which is why run.position is 0; 0:
  // where run.position says, or nowhere. It must not be routed once more.
  core::StreamPosition doubtful_position = 0;
};

// Bytes of its records.
inline uint64_t size_of(const EventRange& range) {
  if (range.run.count == 0) return 0;
  const core::RecordEntry& first = range.block->entry(range.run.first);
  const core::RecordEntry& last = range.block->entry(range.run.first + range.run.count - 1);
  return last.offset + last.size - first.offset;
}

// Threads: the delivery thread only.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // The next records, in order; false when there are none now. The caller uses the range and then
  // calls consumed(range), which lets go of a block at its end.
  virtual bool read(EventRange& out) = 0;
  virtual void consumed(const EventRange& range) = 0;
  // The intake was shut, and everything was read.
  virtual bool is_drained() const = 0;
  // Before and after the thread waits; see Intake::prepare_wait.
  virtual bool prepare_wait(bool wants_every_record) = 0;
  virtual void end_wait() = 0;
};

// Purpose: the intake as a source. Ownership: refers to the intake.
class IntakeSource final : public EventSource {
 public:
  explicit IntakeSource(intake::Intake& intake) : intake_(intake) {}

  bool read(EventRange& out) override {
    if (!intake_.read(range_)) return false;
    out = {range_.segment, range_.run, range_.is_end};
    return true;
  }
  void consumed(const EventRange& range) override {
    intake_.advance(range_);
    if (range.is_end) range.block->release();
  }
  bool is_drained() const override { return intake_.is_drained(); }
  bool prepare_wait(bool wants_every_record) override {
    return intake_.prepare_wait(wants_every_record);
  }
  void end_wait() override { intake_.end_wait(); }

 private:
  intake::Intake& intake_;
  intake::Intake::Range range_;
};

}  // namespace posthaste::engine
