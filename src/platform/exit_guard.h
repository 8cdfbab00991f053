// Keeps workers out of libcurl and OpenSSL while a host that calls exit without close tears those
// down: one atexit handler parks them (c-api.md, "Exit"). Workers hold an ExitGuard for as long as
// they may use those libraries.
#pragma once

#include <atomic>
#include <functional>

#include "core/result.h"
#include "core/time.h"

namespace posthaste::platform {

namespace detail {
inline constinit std::atomic<bool> is_exiting{false};
}

// Purpose: one worker's entry among those that exit waits for. Ownership: the worker's own; made
// before its first call of libcurl, destroyed after its last. Threads: the worker's only.
// Invariants: a parked worker never runs again; a child made by fork waits for none of its parent's
// workers.
class ExitGuard {
 public:
  // The longest that exit is held up.
  static constexpr core::Duration kParkingMax = std::chrono::milliseconds(200);

  // Registers the one handler, as the last act of the first start, so that it runs before those of
  // the libraries that were initialised until then; later calls do nothing. Threads: any. Fails
  // with System.
  static core::Result<> install();

  // The process runs its exit handlers; workers are parked or about to be. Threads: any.
  static bool is_exiting() { return detail::is_exiting.load(std::memory_order_relaxed); }

  // wake: makes the worker's wait return soon; called on the thread that exits; must neither block
  // nor come back here.
  explicit ExitGuard(std::function<void()> wake);
  ~ExitGuard();
  ExitGuard(const ExitGuard&) = delete;
  ExitGuard& operator=(const ExitGuard&) = delete;

  // Called in every round of the worker's loop, outside libcurl, no lock held; does not return once
  // the process exits.
  void park_if_exiting() {
    if (is_exiting()) park();
  }

  // The same for the calling thread's guard, and nothing where it has none. For libcurl's
  // callbacks, in which no lock of libcurl or OpenSSL is held: one call of curl_multi_perform, with
  // many handshakes, may take longer than exit waits.
  static void park_this_thread_if_exiting();

 private:
  friend struct ExitRegistry;

  void park();

  const std::function<void()> wake_;
  const uint32_t generation_;  // of the process that it was made in
  bool is_parked_ = false;
  ExitGuard* previous_ = nullptr;
  ExitGuard* next_ = nullptr;
};

// The fork guard calls it in each child: the workers stayed in the parent, with whatever lock they
// held.
void forget_workers_after_fork();

}  // namespace posthaste::platform
