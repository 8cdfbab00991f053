#include "platform/thread.h"

#include <signal.h>
#include <sys/prctl.h>

#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <thread>

using posthaste::platform::Thread;

namespace {

Thread start(std::function<void()> body) {
  auto thread = Thread::start("posthaste-test", std::move(body));
  REQUIRE(thread);
  return std::move(*thread);
}

}  // namespace

TEST_CASE("A thread runs its body once and join waits for its end", "[platform][thread]") {
  int runs_count = 0;
  Thread thread = start([&] { ++runs_count; });
  CHECK(thread.is_joinable());
  thread.join();
  CHECK_FALSE(thread.is_joinable());
  CHECK(runs_count == 1);
}

TEST_CASE("A thread blocks every signal except the four of faults", "[platform][thread]") {
  sigset_t mask;
  sigemptyset(&mask);
  start([&] { pthread_sigmask(SIG_SETMASK, nullptr, &mask); }).join();
  for (int signal = 1; signal < SIGRTMAX; ++signal) {
    // The C library keeps the first real-time signals for itself.
    if (signal == SIGKILL || signal == SIGSTOP || (signal >= 32 && signal < SIGRTMIN)) continue;
    const bool is_fault =
        signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
    INFO("signal " << signal);
    CHECK(sigismember(&mask, signal) == (is_fault ? 0 : 1));
  }
}

TEST_CASE("Starting a thread leaves the mask of its creator as it was", "[platform][thread]") {
  sigset_t wanted, before, after;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR2);
  pthread_sigmask(SIG_SETMASK, &wanted, &before);
  start([] {}).join();
  pthread_sigmask(SIG_SETMASK, &before, &after);
  CHECK(sigismember(&after, SIGUSR2) == 1);
  CHECK(sigismember(&after, SIGTERM) == 0);
}

TEST_CASE("A signal of the process goes to the host while a worker runs", "[platform][thread]") {
  sigset_t wanted, before;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &wanted, &before);
  std::promise<void> end;
  Thread thread = start([&] { end.get_future().wait(); });
  kill(getpid(), SIGTERM);
  int taken = 0;
  CHECK(sigwait(&wanted, &taken) == 0);
  CHECK(taken == SIGTERM);
  end.set_value();
  thread.join();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("A thread has its name and a stack of 512 KiB", "[platform][thread]") {
  char name[16] = {};
  size_t stack_size = 0;
  start([&] {
    prctl(PR_GET_NAME, name);
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &stack_size);
    pthread_attr_destroy(&attributes);
  }).join();
  CHECK(std::string(name) == "posthaste-test");
  // Sanitizers add what they need themselves.
  CHECK(stack_size >= Thread::kStackSize);
  CHECK(stack_size < 2 * Thread::kStackSize);
}

TEST_CASE("join_for gives up while the body runs and joins once it has ended",
          "[platform][thread]") {
  std::promise<void> end;
  Thread thread = start([&] { end.get_future().wait(); });
  CHECK_FALSE(thread.join_for(std::chrono::milliseconds(1)));
  CHECK(thread.is_joinable());
  end.set_value();
  CHECK(thread.join_for(std::chrono::seconds(10)));
  CHECK_FALSE(thread.is_joinable());
}

TEST_CASE("A detached thread runs on and frees its body", "[platform][thread]") {
  std::promise<void> go;
  auto owned = std::make_shared<std::future<void>>(go.get_future());
  const std::weak_ptr<std::future<void>> watch = owned;
  Thread thread = start([owned] { owned->wait(); });
  owned.reset();
  thread.detach();
  CHECK_FALSE(thread.is_joinable());
  CHECK_FALSE(watch.expired());
  go.set_value();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!watch.expired() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  CHECK(watch.expired());
}

TEST_CASE("A moved thread belongs to its new owner", "[platform][thread]") {
  Thread first = start([] {});
  Thread second = std::move(first);
  CHECK_FALSE(first.is_joinable());
  Thread third;
  third = std::move(second);
  REQUIRE(third.is_joinable());
  third.join();
}
