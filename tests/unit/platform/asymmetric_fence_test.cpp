#include "platform/asymmetric_fence.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using posthaste::platform::AsymmetricFence;

namespace {

// Each side raises its flag, passes its fence and looks at the other's flag, in step, many times.
// Returns how often neither saw the other.
int count_missed(int rounds) {
  std::atomic<int> often{0};
  std::atomic<int> seldom{0};
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  int seen_by_often = 0;
  int missed = 0;
  std::thread other([&] {
    for (int round = 1; round <= rounds; ++round) {
      while (started.load() < round) std::this_thread::yield();
      often.store(round, std::memory_order_relaxed);
      AsymmetricFence::light();
      seen_by_often = seldom.load(std::memory_order_relaxed);
      ended.store(round);
    }
  });
  for (int round = 1; round <= rounds; ++round) {
    started.store(round);
    seldom.store(round, std::memory_order_relaxed);
    const bool is_ordered = AsymmetricFence::heavy();
    const int seen = often.load(std::memory_order_relaxed);
    while (ended.load() < round) std::this_thread::yield();
    if (is_ordered && seen != round && seen_by_often != round) ++missed;
  }
  other.join();
  return missed;
}

}  // namespace

TEST_CASE("Of two threads that pass the light and the heavy fence one sees the other's write",
          "[platform][asymmetric_fence]") {
  AsymmetricFence::install();
  CHECK(count_missed(20'000) == 0);
}
