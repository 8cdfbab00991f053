#include "transport/resolver_limit.h"

#include <algorithm>

namespace posthaste::transport {

void ResolverLimit::hold(core::Instant now) {
  ends_[next_index_] = now + kResolutionHold;
  next_index_ = (next_index_ + 1) % ends_.size();
}

bool ResolverLimit::is_reached(core::Instant now) const {
  return held_count(now) == kHeldResolutionsMax;
}

size_t ResolverLimit::held_count(core::Instant now) const {
  return static_cast<size_t>(
      std::count_if(ends_.begin(), ends_.end(), [now](core::Instant end) { return end > now; }));
}

}  // namespace posthaste::transport
