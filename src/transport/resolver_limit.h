// Bounds the resolver threads that libcurl leaves behind. A transfer that gives up while its host
// name is being resolved abandons a thread inside getaddrinfo; when that thread ends is invisible
// (CURLOPT_QUICK_EXIT).
#pragma once

#include <array>
#include <cstddef>

#include "core/time.h"

namespace posthaste::transport {

inline constexpr size_t kHeldResolutionsMax = 32;
inline constexpr core::Duration kResolutionHold = std::chrono::seconds(60);

// Purpose: counts abandoned resolutions, each as held for 60 s. Owns nothing. Threads: the
// transport's owner only. Invariant: never more than kHeldResolutionsMax are counted.
class ResolverLimit {
 public:
  void hold(core::Instant now);
  // True: a new resolution must not start.
  bool is_reached(core::Instant now) const;
  size_t held_count(core::Instant now) const;

 private:
  // A ring: once it is full, the oldest end is overwritten.
  std::array<core::Instant, kHeldResolutionsMax> ends_{};
  size_t next_index_ = 0;
};

}  // namespace posthaste::transport
