// A host thread that waits for an outcome with a time-out, and the question whether the outcome may
// still take effect.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "engine/report.h"

namespace posthaste::engine {

// Purpose: one blocking call. Ownership: shared by the caller and whoever completes it. Threads:
// any. Invariants: either claim() succeeds once and the outcome counts, or wait() timed out and
// nothing took effect.
class Waiter {
 public:
  // Before something is made that must not be made after a time-out: true when the caller still
  // waits.
  bool claim() {
    const std::lock_guard lock(mutex_);
    if (has_given_up_) return false;
    is_claimed_ = true;
    return true;
  }

  void complete(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    changed_.notify_all();
  }

  // timeout_ms: negative waits without limit. Nothing when the time passed; what was claimed is
  // waited for all the same, since it is only a moment away.
  std::optional<Outcome> wait(int32_t timeout_ms) {
    std::unique_lock lock(mutex_);
    const auto is_done = [&] { return outcome_.has_value(); };
    if (timeout_ms < 0) {
      changed_.wait(lock, is_done);
    } else if (!changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), is_done)) {
      if (!is_claimed_) {
        has_given_up_ = true;
        return std::nullopt;
      }
      changed_.wait(lock, is_done);
    }
    return std::move(outcome_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_claimed_ = false;
  bool has_given_up_ = false;
  std::optional<Outcome> outcome_;
};

}  // namespace posthaste::engine
