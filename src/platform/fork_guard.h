// Tells whether this process is a fork of the one that started an engine. Every entry of the C API
// asks, so asking is one load.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/result.h"

namespace posthaste::platform {

namespace detail {
inline constinit std::atomic<uint32_t> fork_counter{0};
}

// Differs in a child from what it was in the parent, once install_fork_guard has returned. Threads:
// any.
inline uint32_t fork_generation() {
  return detail::fork_counter.load(std::memory_order_relaxed);
}

// Before the first engine starts; later calls do nothing. Threads: any. Fails with NoMemory.
core::Result<> install_fork_guard();

}  // namespace posthaste::platform
