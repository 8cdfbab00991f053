#include "platform/exit_guard.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <semaphore>

#include "child_process.h"
#include "platform/fork_guard.h"
#include "platform/thread.h"

using namespace posthaste::platform;
using namespace std::chrono_literals;

namespace {

// Where a test worker waits, as one waits in the transport.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    has_rung_ = true;
    rung_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    rung_.wait(lock, [this] { return has_rung_; });
    has_rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable rung_;
  bool has_rung_ = false;
};

struct Worker {
  Bell bell;
  std::binary_semaphore is_ready{0};
  bool parks = true;

  void run() {
    ExitGuard guard([this] { bell.ring(); });
    is_ready.release();
    for (;;) {
      bell.wait();
      if (parks) guard.park_if_exiting();
    }
  }
};

// The workers of these tests never end, so neither do their objects.
Worker& start_worker(bool parks) {
  auto* worker = new Worker;
  worker->parks = parks;
  auto thread = Thread::start("posthaste-exit", [worker] { worker->run(); });
  if (!thread) _exit(99);
  thread->detach();
  worker->is_ready.acquire();
  return *worker;
}

// How a child that called exit ended.
enum ExitStatus { kParked = 3, kGaveUp = 4, kNotCalled = 5 };

std::chrono::steady_clock::time_point exit_began;
bool is_in_child = false;

// Registered before main, so it runs after the guard's handler and before those of the test
// program, which a child must not run.
[[maybe_unused]] const int kRegistered = std::atexit([] {
  if (!is_in_child) return;
  if (!ExitGuard::is_exiting()) _exit(kNotCalled);
  const auto duration = std::chrono::steady_clock::now() - exit_began;
  _exit(duration < ExitGuard::kParkingMax ? kParked : kGaveUp);
});

[[noreturn]] void exit_child() {
  is_in_child = true;
  exit_began = std::chrono::steady_clock::now();
  std::exit(0);
}

// Runs body in a child, which then exits.
ChildEnd exit_in_child(const std::function<void()>& body) {
  return run_in_child([&]() -> int {
    if (!install_fork_guard() || !ExitGuard::install() || !ExitGuard::install()) return 98;
    body();
    exit_child();
  });
}

}  // namespace

TEST_CASE("exit returns as soon as the workers of all engines are parked",
          "[platform][exit_guard]") {
  const ChildEnd end = exit_in_child([] {
    for (int i = 0; i < 4; ++i) start_worker(true);
  });
  CHECK(end.status == kParked);
}

TEST_CASE("exit waits for a worker that does not park, but only 200 ms", "[platform][exit_guard]") {
  const ChildEnd end = exit_in_child([] {
    start_worker(true);
    start_worker(false);
  });
  CHECK(end.status == kGaveUp);
  CHECK(end.duration < 5s);
}

TEST_CASE("exit waits for no worker that has ended", "[platform][exit_guard]") {
  const ChildEnd end = exit_in_child([] {
    for (int i = 0; i < 3; ++i) {
      auto thread = Thread::start("posthaste-exit", [] {
        const ExitGuard first([] { _exit(97); });
        const ExitGuard second([] { _exit(97); });
        const ExitGuard third([] { _exit(97); });
      });
      if (!thread) _exit(99);
      thread->join();
    }
  });
  CHECK(end.status == kParked);
}

TEST_CASE("A worker that ends while the process exits is waited for no longer",
          "[platform][exit_guard]") {
  const ChildEnd end = exit_in_child([] {
    auto* bell = new Bell;
    auto* is_ready = new std::binary_semaphore(0);
    auto thread = Thread::start("posthaste-exit", [=] {
      const ExitGuard guard([=] { bell->ring(); });
      is_ready->release();
      bell->wait();
    });
    if (!thread) _exit(99);
    thread->detach();
    is_ready->acquire();
  });
  CHECK(end.status == kParked);
}

TEST_CASE("A forked child that exits wakes none of its parent's workers and waits for none",
          "[platform][exit_guard]") {
  const ChildEnd end = run_in_child([]() -> int {
    if (!install_fork_guard() || !ExitGuard::install()) return 98;
    const pid_t parent = getpid();
    const ExitGuard guard([=] {
      if (getpid() != parent) _exit(96);
    });
    return run_in_child([]() -> int { exit_child(); }).status;
  });
  CHECK(end.status == kParked);
}

TEST_CASE("Destroying a guard that a forked child inherited leaves the child's own in place",
          "[platform][exit_guard]") {
  const ChildEnd end = exit_in_child([] {
    auto* guard = new ExitGuard([] {});
    const ChildEnd child = run_in_child([&]() -> int {
      const ExitGuard own([] { _exit(7); });
      delete guard;
      exit_child();
    });
    delete guard;
    if (child.status != 7) _exit(95);
  });
  CHECK(end.status == kParked);
}

TEST_CASE("A forked child has workers of its own, and they are parked", "[platform][exit_guard]") {
  const ChildEnd end = exit_in_child([] {
    const ExitGuard inherited([] {});
    const ChildEnd child = run_in_child([]() -> int {
      start_worker(true);
      exit_child();
    });
    if (child.status != kParked) _exit(94);
  });
  CHECK(end.status == kParked);
}
