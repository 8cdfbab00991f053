#include "platform/exit_guard.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "platform/fork_guard.h"

namespace posthaste::platform {

// The workers of this process. Needs neither a constructor nor a destructor at run time, since it
// is used before main and after the destructors of statics.
struct ExitRegistry {
  std::mutex mutex;  // guards what follows, and the private members of every guard in the list
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;  // of the list, or of is_parked_
  bool is_installed = false;
  ExitGuard* first = nullptr;

  void add(ExitGuard& guard);
  void remove(ExitGuard& guard);
  void park(ExitGuard& guard);
  bool are_all_parked() const;
  void wake_all() const;
  void wait_until_parked();
};
static_assert(std::is_trivially_destructible_v<ExitRegistry>);

namespace {

constinit ExitRegistry registry;
constinit thread_local ExitGuard* this_thread_guard = nullptr;

timespec monotonic_after(core::Duration delay) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto at = std::chrono::nanoseconds(now.tv_nsec) + delay;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at);
  return {now.tv_sec + seconds.count(), (at - seconds).count()};
}

void park_workers() {
  detail::is_exiting.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(registry.mutex);
  registry.wake_all();
  registry.wait_until_parked();
}

}  // namespace

void ExitRegistry::add(ExitGuard& guard) {
  const std::lock_guard lock(mutex);
  guard.next_ = first;
  if (first) first->previous_ = &guard;
  first = &guard;
}

void ExitRegistry::remove(ExitGuard& guard) {
  const std::lock_guard lock(mutex);
  (guard.previous_ ? guard.previous_->next_ : first) = guard.next_;
  if (guard.next_) guard.next_->previous_ = guard.previous_;
  pthread_cond_broadcast(&changed);
}

void ExitRegistry::park(ExitGuard& guard) {
  const std::lock_guard lock(mutex);
  guard.is_parked_ = true;
  pthread_cond_broadcast(&changed);
}

bool ExitRegistry::are_all_parked() const {
  for (const ExitGuard* guard = first; guard; guard = guard->next_) {
    if (!guard->is_parked_) return false;
  }
  return true;
}

void ExitRegistry::wake_all() const {
  for (const ExitGuard* guard = first; guard; guard = guard->next_) {
    if (!guard->is_parked_) guard->wake_();
  }
}

// The mutex is held on entry and on return.
void ExitRegistry::wait_until_parked() {
  const timespec deadline = monotonic_after(ExitGuard::kParkingMax);
  while (!are_all_parked()) {
    if (pthread_cond_clockwait(&changed, mutex.native_handle(), CLOCK_MONOTONIC, &deadline)) return;
  }
}

core::Result<> ExitGuard::install() {
  const std::lock_guard lock(registry.mutex);
  if (registry.is_installed) return {};
  if (std::atexit(park_workers) != 0) {
    return {core::ErrorCode::System, "the exit handler was refused"};
  }
  registry.is_installed = true;
  return {};
}

ExitGuard::ExitGuard(std::function<void()> wake)
    : wake_(std::move(wake)), generation_(fork_generation()) {
  registry.add(*this);
  this_thread_guard = this;
}

ExitGuard::~ExitGuard() {
  this_thread_guard = nullptr;
  // A guard that a child inherited is in no list of the child.
  if (generation_ == fork_generation()) registry.remove(*this);
}

void ExitGuard::park_this_thread_if_exiting() {
  if (is_exiting() && this_thread_guard) this_thread_guard->park();
}

void ExitGuard::park() {
  registry.park(*this);
  // Every signal is blocked, so this is for good; the loop is for a host that unblocks them.
  for (;;) pause();
}

void forget_workers_after_fork() {
  const bool is_installed = registry.is_installed;
  new (&registry) ExitRegistry;
  registry.is_installed = is_installed;
  detail::is_exiting.store(false, std::memory_order_relaxed);
}

}  // namespace posthaste::platform
