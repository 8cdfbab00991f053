#include "metrics/minute_counts.h"

#include <catch2/catch.hpp>

using namespace posthaste;
using namespace posthaste::metrics;
using namespace std::chrono_literals;

namespace {

using Counts = std::vector<uint64_t>;

core::Instant at(core::Duration time) {
  return core::Instant(time);
}

}  // namespace

TEST_CASE("What a counter grew by in each minute is told oldest first",
          "[metrics][minute_counts]") {
  MinuteCounts minutes;
  minutes.feed(at(60s), 5);
  minutes.feed(at(119s), 7);
  minutes.feed(at(120s), 17);
  minutes.feed(at(300s), 18);
  const auto history = minutes.history(at(310s));
  CHECK(history.counts == Counts{7, 10, 0, 0, 1});
  CHECK(history.last_so_far == 10s);
}

TEST_CASE("The minute under way is the last, also when nothing was counted in it",
          "[metrics][minute_counts]") {
  MinuteCounts minutes;
  minutes.feed(at(30s), 3);
  CHECK(minutes.history(at(59s)).counts == Counts{3});
  CHECK(minutes.history(at(60s)).counts == Counts{3, 0});
  CHECK(minutes.history(at(60s)).last_so_far == 0s);
  CHECK(minutes.history(at(119'999ms)).last_so_far == 59'999ms);
}

TEST_CASE("Minutes of the last hour are kept and older ones forgotten",
          "[metrics][minute_counts]") {
  MinuteCounts minutes;
  for (int minute = 0; minute < 200; ++minute) {
    minutes.feed(at(minute * 60s + 1s), static_cast<uint64_t>(minute + 1) * 10);
  }
  const auto history = minutes.history(at(199 * 60s + 59s));
  CHECK(history.counts == Counts(MinuteCounts::kMinutes + 1, 10));
  // 30 minutes of silence later the first 31 of them are left.
  CHECK(minutes.history(at(229 * 60s)).counts.size() == 61);
  CHECK(minutes.history(at(229 * 60s)).counts.back() == 0);
  CHECK(minutes.history(at(1000 * 60s)).counts.empty());
}

TEST_CASE("A counter that does not grow leaves no minutes", "[metrics][minute_counts]") {
  MinuteCounts minutes;
  CHECK(minutes.history(at(1h)).counts.empty());
  minutes.feed(at(1s), 0);
  CHECK(minutes.history(at(1h)).counts.empty());
}

TEST_CASE("A counter that began anew is counted from there", "[metrics][minute_counts]") {
  MinuteCounts minutes;
  minutes.feed(at(1s), 100);
  minutes.feed(at(2s), 4);
  minutes.feed(at(3s), 6);
  CHECK(minutes.history(at(4s)).counts == Counts{102});
}
