// From the spool thread to the delivery thread: records that are in the journal, or, after a
// restart, that were found there.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "engine/event_source.h"

namespace posthaste::engine {

// Purpose: hands ranges over in order. Ownership: passes on each block's reference that belongs to
// its reader; the delivery thread drops it at the block's end. Threads: put and finish the spool
// thread, waiting_bytes any, the rest the delivery thread.
class HandOver final : public EventSource {
 public:
  ~HandOver() override;

  void put(std::vector<EventRange> ranges);
  // Nothing follows.
  void finish() { is_finished_.store(true, std::memory_order_release); }
  // Of records that were put and not consumed.
  uint64_t waiting_bytes() const { return waiting_bytes_.load(std::memory_order_relaxed); }

  bool read(EventRange& out) override;
  void consumed(const EventRange& range) override;
  bool is_drained() const override;
  // The spool thread wakes the delivery thread when it puts something.
  bool prepare_wait(bool wants_every_record) override;
  void end_wait() override {}

 private:
  std::atomic<uint64_t> waiting_bytes_{0};
  std::atomic<bool> is_finished_{false};
  mutable std::mutex mutex_;  // guards put_
  std::vector<EventRange> put_;
  std::deque<EventRange> taken_;  // the delivery thread's
};

}  // namespace posthaste::engine
