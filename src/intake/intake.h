// The queue from the host's threads to the delivery thread: a chain of segments under one limit of
// memory. A push takes a place in the current segment and copies; only every few thousand records
// somebody takes a lock to add a segment.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/event_catalogue.h"
#include "core/record_block.h"
#include "core/result.h"
#include "intake/segment.h"
#include "platform/asymmetric_fence.h"
#include "platform/clock.h"

namespace posthaste::intake {

// Purpose: hands records over in one order, bounded, without waiting. Ownership: owns all segments.
// Threads: push and push_control any; read, advance, prepare_wait and end_wait the one thread that
// reads; references to segments belong to the delivery thread, which in durable mode is another.
// Invariants: if push A returned before push B began, A is read before B; memory in use stays under
// max_bytes, but for one record that is larger than a segment and for controls.
class Intake {
 public:
  // wake: called (on a producer's thread) when the delivery thread should look; must not block.
  Intake(uint64_t max_bytes, const platform::Clock& clock, std::function<void()> wake);
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // write(char*) fills exactly size_bytes. Ok or QueueFull, at once; State after shut().
  template <typename Write>
  core::ErrorCode push(uint32_t size_bytes, core::EventTypeId type, const Write& write) {
    if (size_bytes > kLargeRecord) return push_large(size_bytes, type, write);
    for (;;) {
      Segment* const segment = current_.load(std::memory_order_acquire);
      const Segment::Place place = segment->reserve(size_bytes);
      if (place.is_reserved) {
        write(segment->at(place.offset));
        segment->publish(place, size_bytes, type, clock_.coarse_now(), false);
        wake_if_idle();
        segment->prefetch(place.offset + size_bytes, size_bytes);
        return core::ErrorCode::Ok;
      }
      if (!replace(segment)) return refusal();
    }
  }

  // Takes a place in the order of events for something that is no event; never refused for want of
  // room. False after shut().
  bool push_control();
  // No place is given from now on. What was given before is read as usual, until is_drained().
  void shut();
  // After shut(): everything was read.
  bool is_drained() const;

  struct Range {
    Segment* segment = nullptr;
    core::RecordRun run;
    bool is_end = false;  // no record of this segment follows, and there is a next one
  };
  // The next published records, in order, at least one unless is_end; false when there is no news.
  // The caller then calls advance(range) to go on behind it. The records stay until the reader's
  // reference to the segment is dropped, which at its end is up to the caller.
  bool read(Range& out) const;
  void advance(const Range& range);

  // Before the delivery thread waits. With `wants_every_record` the next record wakes it, else only
  // a full segment. False when that is there already; then it does not wait.
  bool prepare_wait(bool wants_every_record);
  void end_wait();

  // Memory that was needed once is kept for the next time, since touching new memory is what costs
  // most in a burst: what is used and what is spare stay under max_bytes together. Called when
  // nothing came for a while, this gives most of it back.
  void trim();
  bool has_much_spare() const {
    return spare_bytes_.load(std::memory_order_relaxed) > kept_bytes();
  }

  uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  uint64_t max_bytes() const { return max_bytes_.load(std::memory_order_relaxed); }
  void set_max_bytes(uint64_t max_bytes) { max_bytes_.store(max_bytes, std::memory_order_relaxed); }
  // Sequence of the newest segment; delivery thread only needs it roughly.
  uint64_t newest_sequence() const { return newest_sequence_.load(std::memory_order_relaxed); }

 private:
  friend class Segment;

  static constexpr uint32_t kLargeRecord = core::kSegmentSize / 4;
  // An idle intake keeps this part of max_bytes for the next burst.
  static constexpr uint64_t kSparePart = 8;

  template <typename Write>
  core::ErrorCode push_large(uint32_t size_bytes, core::EventTypeId type, const Write& write) {
    Segment* const segment = add_single(size_bytes, true);
    // A segment ended, or memory is used up.
    wake_waiting();
    if (!segment) return refusal();
    write(segment->at(0));
    segment->publish({0, 0, true}, size_bytes, type, clock_.coarse_now(), false);
    wake_if_idle();
    return core::ErrorCode::Ok;
  }

  void wake_if_idle() {
    // Orders the publication before the look at the flag; prepare_wait has the counterpart.
    platform::AsymmetricFence::light();
    if (is_idle_.load(std::memory_order_relaxed)) wake_idle();
  }
  void wake_idle();
  void wake_waiting();
  core::ErrorCode refusal() const {
    return is_shut_.load(std::memory_order_relaxed) ? core::ErrorCode::State
                                                    : core::ErrorCode::QueueFull;
  }
  uint64_t kept_bytes() const { return max_bytes() / kSparePart; }
  bool has_room(uint64_t size_bytes) const;
  bool replace(Segment* closed);
  Segment* add_single(uint32_t size_bytes, bool is_limited);
  Segment& take_usual();
  Segment& take_single(uint32_t size_bytes);
  Segment& take_header();
  Segment* link(Segment& segment);
  void recycle(Segment& segment);
  void drop_spare();

  const platform::Clock& clock_;
  const std::function<void()> wake_;
  std::atomic<uint64_t> max_bytes_;
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<uint64_t> newest_sequence_{0};
  std::atomic<bool> is_shut_{false};
  std::atomic<bool> is_idle_{false};
  std::atomic<bool> is_waiting_{false};
  alignas(64) std::atomic<Segment*> current_{nullptr};

  alignas(64) std::mutex mutex_;  // guards what follows, and the linking of segments
  Segment* last_ = nullptr;
  std::vector<std::unique_ptr<Segment>> segments_;  // every header ever made
  std::vector<Segment*> free_;                      // headers without memory
  std::vector<Segment*> spares_;                    // headers with memory of the usual size
  std::atomic<uint64_t> spare_bytes_{0};            // theirs; written under the lock

  // The delivery thread's.
  Segment* reading_ = nullptr;
  uint32_t reading_index_ = 0;
};

}  // namespace posthaste::intake
