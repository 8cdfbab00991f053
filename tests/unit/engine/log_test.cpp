#include "engine/log.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "core/settings.h"

using namespace posthaste;
using namespace posthaste::engine;

namespace {

class FixedClock final : public platform::Clock {
 public:
  core::Instant now() const override { return core::Instant(std::chrono::seconds(1)); }
  core::WallTime wall_now() const override {
    return core::WallTime(std::chrono::milliseconds(1234));
  }
  core::Instant coarse_now() const override { return now(); }
  core::WallTime coarse_wall_now() const override { return wall_now(); }
};

struct Line {
  int32_t level;
  std::string text;
  bool operator==(const Line&) const = default;
};

void record(int32_t level, const char* line, void* user_data) {
  static_cast<std::vector<Line>*>(user_data)->push_back({level, line});
}

struct Fixture {
  FixedClock clock;
  ReportQueue reports{1u << 20, core::kAllReportKinds};
  Log log{reports, clock};
  std::vector<Line> lines;
};

std::string written(const std::string& text) {
  Fixture fixture;
  fixture.log.set_sink(record, &fixture.lines);
  fixture.log.write(LogLevel::Error, text);
  return fixture.lines.at(0).text;
}

}  // namespace

TEST_CASE("With neither a function nor reports no level is on and lines go nowhere",
          "[engine][log]") {
  Fixture fixture;
  fixture.log.set_levels(4, 0);
  CHECK_FALSE(fixture.log.is_on(LogLevel::Error));
  fixture.log.write(LogLevel::Error, "lost");
  CHECK_FALSE(fixture.reports.poll(core::Duration::zero()));
}

TEST_CASE("The log function gets the lines up to the level with its user data", "[engine][log]") {
  Fixture fixture;
  fixture.log.set_sink(record, &fixture.lines);
  fixture.log.set_levels(2, 0);
  CHECK(fixture.log.is_on(LogLevel::Warning));
  CHECK_FALSE(fixture.log.is_on(LogLevel::Info));
  fixture.log.write(LogLevel::Error, "one");
  fixture.log.write(LogLevel::Warning, "two");
  fixture.log.write(LogLevel::Info, "three");
  CHECK(fixture.lines == std::vector<Line>{{1, "one"}, {2, "two"}});
  CHECK_FALSE(fixture.reports.poll(core::Duration::zero()));
  fixture.log.set_sink(nullptr, nullptr);
  CHECK_FALSE(fixture.log.is_on(LogLevel::Error));
}

TEST_CASE("log.reports delivers lines up to its level as reports", "[engine][log]") {
  Fixture fixture;
  fixture.log.set_levels(3, 2);
  CHECK_FALSE(fixture.log.is_on(LogLevel::Info));
  fixture.log.write(LogLevel::Info, "no");
  fixture.log.write(LogLevel::Warning, "webhook w is slow", "w", "b");
  const auto report = fixture.reports.poll(core::Duration::zero());
  REQUIRE(report);
  CHECK(report->kind == ReportKind::Log);
  CHECK(report->level == 2);
  CHECK(report->message == "webhook w is slow");
  CHECK(report->webhook_id == "w");
  CHECK(report->batch_id == "b");
  CHECK(report->time_ms == 1234);
  CHECK_FALSE(fixture.reports.poll(core::Duration::zero()));

  fixture.log.set_levels(1, 4);
  CHECK_FALSE(fixture.log.is_on(LogLevel::Warning));
  fixture.log.set_levels(4, 4);
  fixture.reports.set_kinds(0);
  CHECK_FALSE(fixture.log.is_on(LogLevel::Error));
}

TEST_CASE("What is logged is one line without control characters", "[engine][log]") {
  CHECK(written("a\nb\r\tc\x1b[1m\x7f!") == "a b  c [1m !");
  CHECK(written(std::string("nul\0here", 8)) == "nul here");
  CHECK(written("a\xc2\x85"
                "b\xc2\xa0\xc3\xa4") == "a  b\xc2\xa0\xc3\xa4");
  CHECK(written("cut \xc2") == "cut \xc2");
  CHECK(written("").empty());
}

TEST_CASE("A long line is cut between two characters", "[engine][log]") {
  const std::string text(Log::kLineSizeMax - 1, 'x');
  CHECK(written(text + "\xc3\xa4"
                       "end") == text);
  CHECK(written(text + "yz") == text + "y");
  CHECK(written(text + "y") == text + "y");
}
