// A pair of memory fences for a flag that many threads look at often and one thread raises seldom:
// the many pay next to nothing. A full fence on every push would wait until the record's bytes have
// left the processor, which costs more than copying them.
#pragma once

#include <atomic>

namespace posthaste::platform {

// Two threads, each of which writes one variable, passes its fence and reads the other's variable:
// at least one of them sees the other's write. Threads: any.
class AsymmetricFence {
 public:
  // Asks the kernel for its part (membarrier). Where it is refused, both fences are full ones.
  // Called before the threads in question start; again after a fork.
  static void install();

  // For those who pass often.
  static void light() {
    if (is_expedited_.load(std::memory_order_relaxed)) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
  }
  // For the one who passes seldom. False when the kernel refused now what it granted before (a
  // sandbox that was closed meanwhile): this once nothing is promised; from the next time on the
  // light fence is a full one.
  static bool heavy();

 private:
  static std::atomic<bool> is_expedited_;
};

}  // namespace posthaste::platform
