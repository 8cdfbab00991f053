// The numbers of asynchronous requests, and the bound on those whose report the host has not
// pulled.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_set>

#include "core/result.h"

namespace posthaste::engine {

// Purpose: keeps the queue of reports, from which tickets are never lost, bounded. Threads: any.
// Invariants: at most core::kTicketsMax are out; numbers start at 1 and are never used again; at a
// million tickets a second they stay below 2^53 for 285 years.
class TicketTable {
 public:
  // A new ticket; QueueFull when too many were begun and not polled.
  core::Result<uint64_t> begin();
  // The host has its report, or there will be none. An unknown number changes nothing.
  void polled(uint64_t ticket);

 private:
  std::mutex mutex_;
  std::unordered_set<uint64_t> out_;
  uint64_t next_ = 1;
};

}  // namespace posthaste::engine
