#include "platform/random_seed.h"

#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "core/random.h"

namespace posthaste::platform {
namespace {

std::atomic<uint64_t> calls_count{0};

uint64_t nanoseconds(clockid_t id) {
  timespec value{};
  clock_gettime(id, &value);
  return static_cast<uint64_t>(value.tv_sec) * 1'000'000'000u +
         static_cast<uint64_t>(value.tv_nsec);
}

uint64_t mixed_seed() {
  const uint64_t sources[] = {nanoseconds(CLOCK_REALTIME),
                              nanoseconds(CLOCK_MONOTONIC),
                              static_cast<uint64_t>(getpid()),
                              static_cast<uint64_t>(syscall(SYS_gettid)),
                              static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&sources)),
                              calls_count.fetch_add(1, std::memory_order_relaxed)};
  uint64_t seed = 0;
  for (const uint64_t source : sources) seed = core::Random(seed ^ source).next();
  return seed;
}

}  // namespace

uint64_t random_seed() {
  uint64_t seed = 0;
  // Up to 256 bytes come whole or not at all.
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed) return seed;
  return mixed_seed();
}

}  // namespace posthaste::platform
