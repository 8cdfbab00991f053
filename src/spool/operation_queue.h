// The queue between the delivery thread, which may not wait, and the spool thread, which writes to
// the disk. Part of the SQLite store.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "spool/operation.h"

namespace posthaste::spool {

// Purpose: operations in order, some of them joined while they wait. Ownership: owns what is
// queued. Threads: any; take(), put_back() and done() are for the spool thread. Invariants: an
// operation that was taken comes back in its place or is done; joining never changes what the
// database holds after a transaction that has all of them. While a disk refuses for hours the queue
// grows with the batches that are not over, not with those that come and go.
class OperationQueue {
 public:
  // By number, which is their order.
  using Operations = std::map<uint64_t, Operation>;

  // Returns the number of the operation that does it.
  uint64_t push(Operation operation);

  void begin_group();
  void end_group();

  bool has_work() const;
  bool is_urgent() const;
  uint64_t queued_bytes() const;

  struct Taken {
    Operations operations;
    uint64_t last_number = 0;  // with them, everything up to it is done
  };
  // Everything but an unfinished group.
  Taken take();
  void put_back(Taken taken);
  void done(const Taken& taken);

 private:
  using Numbers = std::unordered_map<uint64_t, uint64_t>;

  uint64_t append(Operation operation);
  void erase(uint64_t number);
  uint64_t push_attempted(Attempted attempted);
  uint64_t push_finish(Finish finish);
  uint64_t push_advance(const Advance& advance);
  uint64_t push_low(const SetLow& low);
  // The number of an operation that may still be changed; 0 when there is none.
  uint64_t waiting(const Numbers& numbers, uint64_t key) const;
  bool is_ready() const;

  mutable std::mutex mutex_;  // guards what follows
  Operations operations_;
  uint64_t last_number_ = 0;  // given to an operation
  uint64_t queued_bytes_ = 0;
  uint64_t urgent_count_ = 0;            // in operations_
  std::optional<uint64_t> group_begin_;  // number of its first operation
  // Numbers of operations by what they concern, the latest of each.
  Numbers seals_;     // by sequence
  Numbers attempts_;  // by sequence
  Numbers advances_;  // by generation
  Numbers lows_;      // one entry
};

}  // namespace posthaste::spool
