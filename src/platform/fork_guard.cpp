#include "platform/fork_guard.h"

#include <pthread.h>

#include "platform/exit_guard.h"

namespace posthaste::platform {
namespace {

std::atomic<bool> is_installed{false};

void begin_child() {
  detail::fork_counter.fetch_add(1, std::memory_order_relaxed);
  forget_workers_after_fork();
}

}  // namespace

core::Result<> install_fork_guard() {
  // No lock, which a fork in another thread could leave locked. Two first calls at once may install
  // it twice; then a child counts by two, which serves as well.
  if (is_installed.load(std::memory_order_acquire)) return {};
  if (pthread_atfork(nullptr, nullptr, begin_child) != 0) {
    return {core::ErrorCode::NoMemory, "no memory for the fork handler"};
  }
  is_installed.store(true, std::memory_order_release);
  return {};
}

}  // namespace posthaste::platform
