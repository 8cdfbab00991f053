#include "intake/intake.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "core/batch_body.h"
#include "core/limits.h"
#include "support/sim_clock.h"

using namespace posthaste::intake;
using posthaste::core::BatchBody;
using posthaste::core::ErrorCode;
using posthaste::core::EventTypeId;
using posthaste::core::kSegmentRecords;
using posthaste::core::kSegmentSize;
using posthaste::core::RecordEntry;
using posthaste::test::SimClock;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t kSegmentCharge = posthaste::core::kSegmentMemory;

struct Harness {
  explicit Harness(uint64_t max_bytes = 64 * kSegmentCharge)
      : intake(max_bytes, clock, [this] { ++wakes_count; }) {}

  ErrorCode push(std::string_view text, EventTypeId type = 0) {
    return intake.push(static_cast<uint32_t>(text.size()), type,
                       [&](char* out) { text.copy(out, text.size()); });
  }
  // Takes room without writing it.
  ErrorCode push_size(uint32_t size_bytes) {
    return intake.push(size_bytes, 0, [](char*) {});
  }
  // Reads all there is; controls read as "<control>".
  std::vector<std::string> read_all() {
    std::vector<std::string> texts;
    Intake::Range range;
    while (intake.read(range)) {
      for (uint32_t i = range.run.first; i < range.run.first + range.run.count; ++i) {
        const RecordEntry& entry = range.segment->entry(i);
        texts.push_back(entry.is_control
                            ? "<control>"
                            : std::string(range.segment->bytes() + entry.offset, entry.size));
      }
      intake.advance(range);
      if (range.is_end) range.segment->release();
    }
    return texts;
  }
  size_t fill(uint32_t size_bytes) {
    size_t count = 0;
    while (push_size(size_bytes) == ErrorCode::Ok) ++count;
    return count;
  }

  SimClock clock;
  int wakes_count = 0;
  Intake intake;
};

}  // namespace

TEST_CASE("Records are read in the order in which they were pushed", "[intake]") {
  Harness harness;
  CHECK(harness.push("one,") == ErrorCode::Ok);
  CHECK(harness.push("two,") == ErrorCode::Ok);
  CHECK(harness.read_all() == std::vector<std::string>{"one,", "two,"});
  CHECK(harness.push("three,") == ErrorCode::Ok);
  CHECK(harness.read_all() == std::vector<std::string>{"three,"});
  CHECK(harness.read_all().empty());
}

TEST_CASE("A run of neighbouring records is one slice of memory", "[intake]") {
  Harness harness;
  for (int i = 0; i < 100; ++i) CHECK(harness.push("record,") == ErrorCode::Ok);
  Intake::Range range;
  REQUIRE(harness.intake.read(range));
  CHECK(range.run.count == 100);
  for (uint32_t i = 0; i + 1 < 100; ++i) {
    const RecordEntry& entry = range.segment->entry(i);
    REQUIRE(entry.offset + entry.size == range.segment->entry(i + 1).offset);
  }
  harness.intake.advance(range);
  if (range.is_end) range.segment->release();
}

TEST_CASE("A record keeps its type and the time it was pushed", "[intake]") {
  Harness harness;
  harness.clock.advance(5s);
  harness.clock.set_coarse_lead(3ms);
  CHECK(harness.push("a,", 17) == ErrorCode::Ok);
  Intake::Range range;
  REQUIRE(harness.intake.read(range));
  CHECK(range.segment->entry(0).type == 17);
  CHECK(range.segment->entry(0).pushed == SimClock::kStart + 5s + 3ms);
  CHECK_FALSE(range.segment->entry(0).is_control);
}

TEST_CASE("The reader stops at an unpublished slot", "[intake]") {
  Harness harness;
  CHECK(harness.push("first,") == ErrorCode::Ok);
  const auto code = harness.intake.push(7, 0, [&](char* out) {
    // While this record is being copied, a later one is complete.
    CHECK(harness.push("third,") == ErrorCode::Ok);
    CHECK(harness.read_all() == std::vector<std::string>{"first,"});
    std::string_view("second,").copy(out, 7);
  });
  CHECK(code == ErrorCode::Ok);
  CHECK(harness.read_all() == std::vector<std::string>{"second,", "third,"});
}

TEST_CASE("The reader does not leave a segment with an unpublished slot", "[intake]") {
  Harness harness;
  const auto code = harness.intake.push(2, 0, [&](char* out) {
    for (uint32_t i = 0; i < kSegmentRecords + 5; ++i) {
      REQUIRE(harness.push("x,") == ErrorCode::Ok);
    }
    CHECK(harness.read_all().empty());
    std::string_view("a,").copy(out, 2);
  });
  CHECK(code == ErrorCode::Ok);
  const auto texts = harness.read_all();
  CHECK(texts.size() == kSegmentRecords + 6);
  CHECK(texts[0] == "a,");
}

TEST_CASE("A full segment ends and the next one goes on", "[intake]") {
  Harness harness;
  for (uint32_t i = 0; i < 3 * kSegmentRecords; ++i) {
    REQUIRE(harness.push(std::to_string(i) + ",") == ErrorCode::Ok);
  }
  CHECK(harness.intake.newest_sequence() == 3);
  Intake::Range range;
  uint64_t sequence = 0;
  uint32_t count = 0;
  while (harness.intake.read(range)) {
    CHECK(range.segment->sequence() >= sequence);
    sequence = range.segment->sequence();
    count += range.run.count;
    CHECK(range.is_end == (sequence < 3));
    harness.intake.advance(range);
    if (range.is_end) range.segment->release();
  }
  CHECK(count == 3 * kSegmentRecords);
}

TEST_CASE("Records fill a segment to its last byte", "[intake]") {
  Harness harness;
  for (int i = 0; i < 4; ++i) CHECK(harness.push_size(kSegmentSize / 4) == ErrorCode::Ok);
  CHECK(harness.intake.newest_sequence() == 1);
  CHECK(harness.push_size(1) == ErrorCode::Ok);
  CHECK(harness.intake.newest_sequence() == 2);
  CHECK(harness.read_all().size() == 5);
}

TEST_CASE("A larger record gets a segment of its own", "[intake]") {
  Harness harness;
  const std::string large = std::string(3 * kSegmentSize, 'x') + ",";
  CHECK(harness.push("before,") == ErrorCode::Ok);
  CHECK(harness.push(large) == ErrorCode::Ok);
  CHECK(harness.push(large) == ErrorCode::Ok);
  CHECK(harness.push("after,") == ErrorCode::Ok);
  CHECK(harness.intake.newest_sequence() == 4);
  CHECK(harness.read_all() == std::vector<std::string>{"before,", large, large, "after,"});
}

TEST_CASE("A full intake answers QueueFull at once, and takes records again when it was read",
          "[intake]") {
  Harness harness(3 * kSegmentCharge);
  CHECK(harness.fill(1000) == 3 * (kSegmentSize / 1000));
  CHECK(harness.push_size(1000) == ErrorCode::QueueFull);
  CHECK(harness.intake.used_bytes() == 3 * kSegmentCharge);
  CHECK(harness.push_size(2 * kSegmentSize) == ErrorCode::QueueFull);
  CHECK(harness.read_all().size() == 3 * (kSegmentSize / 1000));
  CHECK(harness.push_size(1000) == ErrorCode::Ok);
  CHECK(harness.intake.used_bytes() <= 2 * kSegmentCharge);
}

TEST_CASE(
    "Memory of a burst is kept for the next one, and given back when nothing came for a while",
    "[intake]") {
  Harness harness(64 * kSegmentCharge);
  harness.fill(1000);
  harness.read_all();
  CHECK(harness.intake.has_much_spare());
  harness.intake.trim();
  CHECK_FALSE(harness.intake.has_much_spare());
  CHECK(harness.fill(1000) >= 63 * (kSegmentSize / 1000));
}

TEST_CASE("Spare memory makes room for a record larger than a segment", "[intake]") {
  Harness harness(4 * kSegmentCharge);
  harness.fill(1000);
  harness.read_all();
  CHECK(harness.push_size(2 * kSegmentSize) == ErrorCode::Ok);
  CHECK(harness.read_all().size() == 1);
}

TEST_CASE("Memory in use stays under the limit", "[intake]") {
  Harness harness(5 * kSegmentCharge);
  for (int round = 0; round < 20; ++round) {
    harness.fill(static_cast<uint32_t>(1 + 50'000 * round));
    CHECK(harness.intake.used_bytes() <= harness.intake.max_bytes());
    harness.read_all();
  }
}

TEST_CASE("The limit can be changed while the intake is full", "[intake]") {
  Harness harness(2 * kSegmentCharge);
  harness.fill(1000);
  harness.intake.set_max_bytes(4 * kSegmentCharge);
  CHECK(harness.fill(1000) >= kSegmentSize / 1000);
  harness.intake.set_max_bytes(kSegmentCharge);
  CHECK(harness.push_size(1000) == ErrorCode::QueueFull);
}

TEST_CASE("A segment that a batch refers to stays until the batch lets it go", "[intake]") {
  Harness harness(2 * kSegmentCharge);
  CHECK(harness.push("kept,") == ErrorCode::Ok);
  Intake::Range range;
  REQUIRE(harness.intake.read(range));
  BatchBody body;
  body.append(*range.segment, range.run);
  harness.intake.advance(range);
  if (range.is_end) range.segment->release();
  for (int round = 0; round < 3; ++round) {
    harness.fill(1000);
    harness.read_all();
  }
  CHECK(harness.intake.used_bytes() == 2 * kSegmentCharge);
  std::string text(16, '#');
  text.resize(body.read(0, text.data(), text.size()));
  CHECK(text == "[kept]");
  body.detach();
  CHECK(harness.intake.used_bytes() == kSegmentCharge);
}

TEST_CASE("Segments are used again, and keep nothing of their earlier use", "[intake]") {
  Harness harness(2 * kSegmentCharge);
  for (int round = 0; round < 200; ++round) {
    const std::string text = "round " + std::to_string(round) + ",";
    for (uint32_t i = 0; i < kSegmentRecords / 2; ++i) REQUIRE(harness.push(text) == ErrorCode::Ok);
    if (round % 10 == 0) {
      REQUIRE(harness.push(std::string(kSegmentSize / 2, 'x')) == ErrorCode::Ok);
      REQUIRE(harness.read_all().size() == kSegmentRecords / 2 + 1);
      continue;
    }
    const auto texts = harness.read_all();
    REQUIRE(texts.size() == kSegmentRecords / 2);
    for (const std::string& each : texts) REQUIRE(each == text);
  }
  CHECK(harness.intake.newest_sequence() >= 100);
}

TEST_CASE("A control takes its place in the order of events", "[intake]") {
  Harness harness;
  CHECK(harness.push("a,") == ErrorCode::Ok);
  CHECK(harness.intake.push_control());
  CHECK(harness.push("b,") == ErrorCode::Ok);
  CHECK(harness.intake.push_control());
  CHECK(harness.intake.push_control());
  CHECK(harness.read_all() ==
        std::vector<std::string>{"a,", "<control>", "b,", "<control>", "<control>"});
}

TEST_CASE("Controls are never refused for want of room", "[intake]") {
  Harness harness(2 * kSegmentCharge);
  const size_t records_count = harness.fill(1000);
  CHECK(harness.push_size(1000) == ErrorCode::QueueFull);
  for (int i = 0; i < 1000; ++i) REQUIRE(harness.intake.push_control());
  CHECK(harness.push_size(1) == ErrorCode::QueueFull);
  const auto texts = harness.read_all();
  CHECK(texts.size() == records_count + 1000);
  CHECK(texts.back() == "<control>");
  CHECK(harness.push("again,") == ErrorCode::Ok);
  CHECK(harness.read_all() == std::vector<std::string>{"again,"});
}

TEST_CASE("More controls than a segment has places are taken, too", "[intake]") {
  Harness harness;
  for (uint32_t i = 0; i < 2 * kSegmentRecords + 1; ++i) REQUIRE(harness.intake.push_control());
  CHECK(harness.read_all().size() == 2 * kSegmentRecords + 1);
}

TEST_CASE("A shut intake takes nothing more and gives what it has", "[intake]") {
  Harness harness;
  CHECK(harness.push("a,") == ErrorCode::Ok);
  CHECK(harness.push(std::string(kSegmentSize, 'x')) == ErrorCode::Ok);
  CHECK(harness.intake.push_control());
  harness.intake.shut();
  CHECK_FALSE(harness.intake.is_drained());
  CHECK(harness.push("b,") == ErrorCode::State);
  CHECK(harness.push_size(kSegmentSize) == ErrorCode::State);
  CHECK_FALSE(harness.intake.push_control());
  CHECK(harness.read_all().size() == 3);
  CHECK(harness.intake.is_drained());
}

TEST_CASE("An empty intake is drained as soon as it is shut", "[intake]") {
  Harness harness;
  CHECK_FALSE(harness.intake.is_drained());
  harness.intake.shut();
  CHECK(harness.intake.is_drained());
  harness.intake.shut();
  CHECK(harness.intake.is_drained());
}

TEST_CASE("A shut intake is not drained while a record is being copied", "[intake]") {
  Harness harness;
  const auto code = harness.intake.push(2, 0, [&](char* out) {
    harness.intake.shut();
    CHECK(harness.read_all().empty());
    CHECK_FALSE(harness.intake.is_drained());
    std::string_view("a,").copy(out, 2);
  });
  CHECK(code == ErrorCode::Ok);
  CHECK(harness.read_all() == std::vector<std::string>{"a,"});
  CHECK(harness.intake.is_drained());
}

TEST_CASE("An idle reader is woken by the next record, once", "[intake]") {
  Harness harness;
  REQUIRE(harness.intake.prepare_wait(true));
  CHECK(harness.push("a,") == ErrorCode::Ok);
  CHECK(harness.push("b,") == ErrorCode::Ok);
  CHECK(harness.wakes_count == 1);
  harness.intake.end_wait();
  CHECK(harness.push("c,") == ErrorCode::Ok);
  CHECK(harness.wakes_count == 1);
}

TEST_CASE("A reader with news does not wait", "[intake]") {
  Harness harness;
  CHECK(harness.push("a,") == ErrorCode::Ok);
  CHECK_FALSE(harness.intake.prepare_wait(true));
  CHECK(harness.push("b,") == ErrorCode::Ok);
  CHECK(harness.wakes_count == 0);
}

TEST_CASE("A reader that ticks is woken by a full segment, not by records", "[intake]") {
  Harness harness;
  CHECK(harness.push("a,") == ErrorCode::Ok);
  REQUIRE(harness.intake.prepare_wait(false));
  for (uint32_t i = 1; i < kSegmentRecords; ++i) REQUIRE(harness.push("b,") == ErrorCode::Ok);
  CHECK(harness.wakes_count == 0);
  CHECK(harness.push("c,") == ErrorCode::Ok);
  CHECK(harness.wakes_count == 1);
  harness.intake.end_wait();
  CHECK_FALSE(harness.intake.prepare_wait(false));
}

TEST_CASE("A waiting reader is woken by a control and by a refused record", "[intake]") {
  Harness harness(kSegmentCharge);
  CHECK(harness.push("a,") == ErrorCode::Ok);
  REQUIRE(harness.intake.prepare_wait(false));
  CHECK(harness.intake.push_control());
  CHECK(harness.wakes_count == 1);
  harness.intake.end_wait();

  REQUIRE(harness.intake.prepare_wait(false));
  harness.fill(1000);
  CHECK(harness.wakes_count == 2);
}

TEST_CASE("A waiting reader is woken by a larger record that is refused", "[intake]") {
  Harness harness(kSegmentCharge);
  CHECK(harness.push("a,") == ErrorCode::Ok);
  REQUIRE(harness.intake.prepare_wait(false));
  CHECK(harness.push_size(kSegmentSize) == ErrorCode::QueueFull);
  CHECK(harness.wakes_count == 1);
}
