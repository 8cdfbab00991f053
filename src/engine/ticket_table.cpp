#include "engine/ticket_table.h"

#include "core/limits.h"

namespace posthaste::engine {

core::Result<uint64_t> TicketTable::begin() {
  const std::lock_guard lock(mutex_);
  if (out_.size() >= core::kTicketsMax) {
    return {core::ErrorCode::QueueFull,
            std::to_string(core::kTicketsMax) + " tickets wait to be polled"};
  }
  out_.insert(next_);
  return next_++;
}

void TicketTable::polled(uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  out_.erase(ticket);
}

}  // namespace posthaste::engine
