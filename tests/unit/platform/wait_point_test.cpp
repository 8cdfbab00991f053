// A waiting place: nobody is missed, and nothing is waited for twice.
#include "platform/wait_point.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <thread>

using namespace posthaste;
using namespace std::chrono_literals;
using platform::WaitPoint;

TEST_CASE("A wake that came before the wait ends it", "[platform][wait_point]") {
  WaitPoint point;
  point.wake();
  point.wake();
  CHECK_FALSE(point.wait(1h, -1));
  // Both were taken note of: the next wait lasts until the time is over.
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(point.wait(20ms, -1));
  CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
}

TEST_CASE("A wake from another thread ends a wait", "[platform][wait_point]") {
  WaitPoint point;
  for (int i = 0; i < 1000; ++i) {
    std::thread other([&point] { point.wake(); });
    point.wait(1h, -1);
    other.join();
    // It may have been late for the flag and early for the descriptor.
    point.wait(core::Duration::zero(), -1);
  }
}

TEST_CASE("A wait ends when its descriptor can be read, and says so", "[platform][wait_point]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  WaitPoint point;
  CHECK_FALSE(point.wait(1ms, ends[0]));
  REQUIRE(::write(ends[1], "x", 1) == 1);
  CHECK(point.wait(1h, ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("A waiting place that got no descriptor is woken all the same",
          "[platform][wait_point]") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(lowest >= 0);
  ::close(lowest);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto point = std::make_unique<WaitPoint>();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  std::thread other([&point] {
    std::this_thread::sleep_for(20ms);
    point->wake();
  });
  point->wait(1h, -1);
  other.join();
}
