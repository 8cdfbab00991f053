// Many events from many threads: complete, each once, in order, in bounded memory.
#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "support/host.h"
#include "support/receiver.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kEvents = 100'000;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int kEvents = 100'000;
#else
constexpr int kEvents = 1'000'000;
#endif
#else
constexpr int kEvents = 1'000'000;
#endif

constexpr int kThreads = 4;
constexpr std::array<const char*, 3> kTypes = {"delivery", "bounce", "open"};

// Follows the ticks inside one webhook's batches; ticks are handed out in the order of the pushes.
struct Ledger {
  std::array<std::vector<bool>, kThreads> seen;
  std::array<int64_t, kThreads> last_of_thread;
  uint64_t count = 0;
  uint64_t repeated = 0;
  uint64_t out_of_order = 0;

  Ledger() {
    for (auto& numbers : seen) numbers.resize(kEvents / kThreads);
    last_of_thread.fill(-1);
  }
  void take(int thread, int64_t number) {
    ++count;
    const auto index = static_cast<size_t>(thread);
    if (seen[index][static_cast<size_t>(number)]) ++repeated;
    seen[index][static_cast<size_t>(number)] = true;
    if (number <= last_of_thread[index]) ++out_of_order;
    last_of_thread[index] = number;
  }
};

void read_body(const std::string& body, Ledger& ledger) {
  constexpr std::string_view kKey = "\"n\":\"";
  for (size_t at = 0; (at = body.find(kKey, at)) != std::string::npos;) {
    at += kKey.size();
    const int thread = body[at] - '0';
    ledger.take(thread, std::strtoll(body.c_str() + at + 2, nullptr, 10));
  }
}

}  // namespace

TEST_CASE(
    "Events of four threads reach three webhooks complete, each once, in order, under 512 MiB",
    "[integration][volume]") {
  std::mutex mutex;
  std::map<std::string, Ledger> ledgers;
  std::map<std::string, std::vector<uint64_t>> sizes;
  Receiver receiver(
      {.record_bodies = true, .records_max = 0, .on_request = [&](const Request& request) {
         const std::lock_guard lock(mutex);
         read_body(request.body, ledgers[request.path]);
         sizes[request.path].push_back(request.event_count);
       }});
  Host host;
  host.put("all", receiver.url("/all"))
      .put("some", receiver.url("/some"), {{"events", "delivery,open"}})
      .put("few", receiver.url("/few"), {{"events", "bounce"}})
      .start();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string filler(430, static_cast<char>('a' + thread));
      for (int i = 0; i < kEvents / kThreads; ++i) {
        const std::string event = "{\"n\":\"" + std::to_string(thread) + ":" + std::to_string(i) +
                                  "\",\"f\":\"" + filler + "\"}";
        host.push_all(kTypes[static_cast<size_t>(i) % 3], event);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  host.must(host.flush(100'000));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);

  const std::lock_guard lock(mutex);
  constexpr uint64_t kPerThread = kEvents / kThreads;
  constexpr uint64_t kOfThird = kThreads * (kPerThread / 3);
  CHECK(ledgers["/all"].count == kEvents);
  CHECK(ledgers["/few"].count >= kOfThird);
  CHECK(ledgers["/some"].count + ledgers["/few"].count == kEvents);
  for (const auto& [path, ledger] : ledgers) {
    INFO(path);
    CHECK(ledger.repeated == 0);
    CHECK(ledger.out_of_order == 0);
  }
  // Under load every batch but the last is full.
  for (auto& [path, counts] : sizes) {
    for (size_t i = 0; i + 1 < counts.size(); ++i) CHECK(counts[i] == 10'000);
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(usage.ru_maxrss < 512 * 1024);
#endif
}

TEST_CASE("If one push returned before another began on another thread, their order is kept",
          "[integration][volume]") {
  std::vector<int> order;
  std::mutex mutex;
  Receiver receiver({.records_max = 0, .on_request = [&](const Request& request) {
                       const std::lock_guard lock(mutex);
                       constexpr std::string_view kKey = "\"n\":\"";
                       for (size_t at = 0;
                            (at = request.body.find(kKey, at)) != std::string::npos;) {
                         at += kKey.size();
                         order.push_back(std::atoi(request.body.c_str() + at));
                       }
                     }});
  Host host;
  host.put("w", receiver.url()).start();
  // Four threads hand a turn round: each push begins after the last one returned.
  std::atomic<int> turn{0};
  constexpr int kTurns = 40'000;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int mine = thread; mine < kTurns; mine += kThreads) {
        while (turn.load(std::memory_order_acquire) != mine) std::this_thread::yield();
        host.push_all("delivery", "{\"n\":\"" + std::to_string(mine) + "\"}");
        turn.store(mine + 1, std::memory_order_release);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  host.must(host.flush());
  const std::lock_guard lock(mutex);
  REQUIRE(order.size() == kTurns);
  for (int i = 0; i < kTurns; ++i) REQUIRE(order[static_cast<size_t>(i)] == i);
}
