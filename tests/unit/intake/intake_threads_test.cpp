// The intake under producers that really run at the same time. The sizes are small enough for the
// thread sanitizer, for which these tests are made.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "core/limits.h"
#include "core/random.h"
#include "intake/intake.h"
#include "support/sim_clock.h"

using namespace posthaste::intake;
using posthaste::core::ErrorCode;
using posthaste::core::kSegmentRecords;
using posthaste::core::kSegmentSize;
using posthaste::core::Random;
using posthaste::core::RecordEntry;
using posthaste::test::SimClock;

namespace {

constexpr uint64_t kSegmentCharge = posthaste::core::kSegmentMemory;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kIsInstrumented = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr bool kIsInstrumented = true;
#else
constexpr bool kIsInstrumented = false;
#endif
#else
constexpr bool kIsInstrumented = false;
#endif

constexpr size_t kThreads = 4;

// What a producer knew when it pushed: how many records of each thread had been pushed, by calls
// that had returned.
struct Stamp {
  uint32_t thread = 0;
  uint32_t number = 0;
  std::array<uint32_t, kThreads> known{};
};

// False when the intake was shut, which happens when the reader found that nothing moves any more.
bool push_until_taken(Intake& intake, uint32_t size_bytes, const void* head, size_t head_size) {
  const auto write = [&](char* out) {
    std::memcpy(out, head, head_size);
    // The rest of the room is the record's, too: the last byte is written and read.
    out[size_bytes - 1] = ',';
  };
  for (;;) {
    const ErrorCode code = intake.push(size_bytes, 0, write);
    if (code != ErrorCode::QueueFull) return code == ErrorCode::Ok;
    std::this_thread::yield();
  }
}

// False when nothing came for much longer than a busy machine needs.
template <typename Read>
bool read_until(Intake& intake, uint64_t count, const Read& read) {
  constexpr auto kPatience = std::chrono::seconds(20);
  uint64_t done = 0;
  auto last_news = std::chrono::steady_clock::now();
  while (done < count) {
    Intake::Range range;
    if (!intake.read(range)) {
      if (std::chrono::steady_clock::now() - last_news > kPatience) {
        intake.shut();
        return false;
      }
      std::this_thread::yield();
      continue;
    }
    last_news = std::chrono::steady_clock::now();
    for (uint32_t i = range.run.first; i < range.run.first + range.run.count; ++i) {
      read(*range.segment, range.segment->entry(i));
      ++done;
    }
    intake.advance(range);
    if (range.is_end) range.segment->release();
  }
  return true;
}

}  // namespace

TEST_CASE("If push A returned before push B began, on any threads, A comes before B",
          "[intake][threads]") {
  constexpr uint32_t kEach = kIsInstrumented ? 6000 : 40'000;
  SimClock clock;
  Intake intake(8 * kSegmentCharge, clock, [] {});
  std::array<std::atomic<uint32_t>, kThreads> returned{};
  std::vector<std::thread> producers;
  for (uint32_t thread = 0; thread < kThreads; ++thread) {
    producers.emplace_back([&, thread] {
      Random random(thread + 1);
      for (uint32_t number = 0; number < kEach; ++number) {
        Stamp stamp{thread, number, {}};
        for (size_t i = 0; i < kThreads; ++i) stamp.known[i] = returned[i].load();
        // Mostly small ones; some so large that segments end early, or that get one of their own.
        const uint64_t kind = random.below(200);
        const uint64_t size_bytes = kind == 0   ? kSegmentSize / 3 + random.below(kSegmentSize)
                                    : kind < 20 ? sizeof stamp + 1 + random.below(100'000)
                                                : sizeof stamp + 1 + random.below(200);
        const auto size = static_cast<uint32_t>(size_bytes);
        if (!push_until_taken(intake, size, &stamp, sizeof stamp)) return;
        returned[thread].store(number + 1);
      }
    });
  }
  std::array<uint32_t, kThreads> seen{};
  uint64_t violations = 0;
  const auto check = [&](const Segment& segment, const RecordEntry& entry) {
    Stamp stamp;
    std::memcpy(&stamp, segment.bytes() + entry.offset, sizeof stamp);
    if (stamp.thread >= kThreads || stamp.number != seen[stamp.thread]) ++violations;
    if (segment.bytes()[entry.offset + entry.size - 1] != ',') ++violations;
    for (size_t i = 0; i < kThreads; ++i) {
      if (seen[i] < stamp.known[i]) ++violations;
    }
    ++seen[stamp.thread % kThreads];
  };
  CHECK(read_until(intake, kThreads * kEach, check));
  for (std::thread& producer : producers) producer.join();
  CHECK(violations == 0);
  Intake::Range range;
  CHECK_FALSE(intake.read(range));
}

TEST_CASE("Every record of four threads is read once through segments that are used again",
          "[intake][threads]") {
  constexpr uint32_t kEach = kIsInstrumented ? 100'000 : 500'000;
  SimClock clock;
  Intake intake(2 * kSegmentCharge, clock, [] {});
  std::vector<std::thread> producers;
  for (uint32_t thread = 0; thread < kThreads; ++thread) {
    producers.emplace_back([&, thread] {
      for (uint32_t number = 0; number < kEach; ++number) {
        const std::array<uint32_t, 2> head = {thread, number};
        const auto size_bytes = static_cast<uint32_t>(sizeof head + 1 + number % 7);
        if (!push_until_taken(intake, size_bytes, &head, sizeof head)) return;
      }
    });
  }
  std::array<uint32_t, kThreads> seen{};
  uint64_t violations = 0;
  const auto check = [&](const Segment& segment, const RecordEntry& entry) {
    std::array<uint32_t, 2> head{};
    std::memcpy(head.data(), segment.bytes() + entry.offset, sizeof head);
    const bool is_next = head[0] < kThreads && head[1] == seen[head[0]];
    if (!is_next || entry.size != sizeof head + 1 + head[1] % 7) ++violations;
    ++seen[head[0] % kThreads];
  };
  CHECK(read_until(intake, kThreads * uint64_t{kEach}, check));
  for (std::thread& producer : producers) producer.join();
  CHECK(violations == 0);
  CHECK(intake.used_bytes() <= 2 * kSegmentCharge);
  CHECK(intake.newest_sequence() >= kThreads * uint64_t{kEach} / kSegmentRecords);
}

TEST_CASE("Eight threads that collide at the ends of segments lose and double nothing",
          "[intake][threads]") {
  constexpr uint32_t kEach = kIsInstrumented ? 1500 : 10'000;
  constexpr uint32_t kMany = 8;
  SimClock clock;
  Intake intake(6 * kSegmentCharge, clock, [] {});
  std::vector<std::thread> producers;
  std::atomic<uint64_t> controls{0};
  for (uint32_t thread = 0; thread < kMany; ++thread) {
    producers.emplace_back([&, thread] {
      Random random(thread + 100);
      for (uint32_t number = 0; number < kEach; ++number) {
        // A segment has room for four to five of these, so every other push meets an end.
        const auto size_bytes =
            static_cast<uint32_t>(kSegmentSize / 5 + random.below(kSegmentSize / 20));
        const std::array<uint32_t, 2> head = {thread, number};
        if (!push_until_taken(intake, size_bytes, &head, sizeof head)) return;
        if (number % 64 == 0 && intake.push_control()) controls.fetch_add(1);
      }
    });
  }
  constexpr uint64_t kControls = kMany * ((kEach + 63) / 64);
  std::array<uint32_t, kMany> seen{};
  uint64_t violations = 0;
  uint64_t controls_seen = 0;
  const auto check = [&](const Segment& segment, const RecordEntry& entry) {
    if (entry.is_control) {
      ++controls_seen;
      return;
    }
    std::array<uint32_t, 2> head{};
    std::memcpy(head.data(), segment.bytes() + entry.offset, sizeof head);
    if (head[0] >= kMany || head[1] != seen[head[0]]) ++violations;
    ++seen[head[0] % kMany];
  };
  CHECK(read_until(intake, kMany * kEach + kControls, check));
  for (std::thread& producer : producers) producer.join();
  CHECK(violations == 0);
  CHECK(controls == kControls);
  CHECK(controls_seen == kControls);
}

TEST_CASE("A producer that slept while its segment was drained and used again ends nothing early",
          "[intake][threads]") {
  // Few segments with few records each: a segment comes back before every producer that found it
  // closed has done something about it.
  constexpr uint32_t kEach = kIsInstrumented ? 4000 : 20'000;
  SimClock clock;
  Intake intake(3 * kSegmentCharge, clock, [] {});
  std::vector<std::thread> producers;
  for (uint32_t thread = 0; thread < kThreads; ++thread) {
    producers.emplace_back([&] {
      for (uint32_t number = 0; number < kEach; ++number) {
        if (!push_until_taken(intake, kSegmentSize / 4, &number, sizeof number)) return;
      }
    });
  }
  CHECK(read_until(intake, kThreads * kEach, [](const Segment&, const RecordEntry&) {}));
  for (std::thread& producer : producers) producer.join();
}

TEST_CASE("What was accepted before the intake was shut is read, nothing else",
          "[intake][threads]") {
  for (uint64_t round = 0; round < 30; ++round) {
    SimClock clock;
    Intake intake(3 * kSegmentCharge, clock, [] {});
    std::atomic<uint64_t> accepted{0};
    uint64_t count = 0;
    std::vector<std::thread> producers;
    for (uint32_t thread = 0; thread < kThreads; ++thread) {
      producers.emplace_back([&, thread] {
        Random random(round * kThreads + thread);
        for (;;) {
          const auto size_bytes = static_cast<uint32_t>(
              random.below(50) == 0 ? kSegmentSize / 2 : 1 + random.below(20'000));
          const ErrorCode code =
              intake.push(size_bytes, 0, [&](char* out) { out[size_bytes - 1] = ','; });
          if (code == ErrorCode::State) return;
          if (code == ErrorCode::Ok) {
            accepted.fetch_add(1);
          } else {
            std::this_thread::yield();
          }
        }
      });
    }
    const bool moves =
        read_until(intake, 50 + round * 20, [&](const Segment&, const RecordEntry&) { ++count; });
    CHECK(moves);
    intake.shut();
    while (moves && !intake.is_drained()) {
      Intake::Range range;
      if (intake.read(range)) {
        count += range.run.count;
        intake.advance(range);
        if (range.is_end) range.segment->release();
      } else {
        std::this_thread::yield();
      }
    }
    for (std::thread& producer : producers) producer.join();
    REQUIRE(count == accepted);
  }
}

TEST_CASE("A reader that waits for records misses none", "[intake][threads]") {
  constexpr uint32_t kEach = kIsInstrumented ? 3000 : 20'000;
  SimClock clock;
  std::mutex mutex;
  std::condition_variable woken;
  bool is_woken = false;
  Intake intake(4 * kSegmentCharge, clock, [&] {
    const std::lock_guard lock(mutex);
    is_woken = true;
    woken.notify_one();
  });
  std::vector<std::thread> producers;
  for (uint32_t thread = 0; thread < 2; ++thread) {
    producers.emplace_back([&] {
      for (uint32_t number = 0; number < kEach; ++number) {
        if (!push_until_taken(intake, 9, &number, sizeof number)) return;
        // Gives the reader the time to fall asleep now and then.
        if (number % 16 == 0) std::this_thread::yield();
      }
    });
  }
  uint64_t count = 0;
  bool has_missed = false;
  while (count < 2 * kEach && !has_missed) {
    Intake::Range range;
    if (intake.read(range)) {
      count += range.run.count;
      intake.advance(range);
      if (range.is_end) range.segment->release();
      continue;
    }
    if (!intake.prepare_wait(true)) continue;
    std::unique_lock lock(mutex);
    has_missed = !woken.wait_for(lock, std::chrono::seconds(20), [&] { return is_woken; });
    is_woken = false;
    lock.unlock();
    intake.end_wait();
  }
  CHECK_FALSE(has_missed);
  if (has_missed) intake.shut();
  for (std::thread& producer : producers) producer.join();
}
