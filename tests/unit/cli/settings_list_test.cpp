#include "cli/settings_list.h"

#include <catch2/catch.hpp>

#include "support/temporary_directory.h"

using namespace posthaste;
using namespace posthaste::cli;

TEST_CASE("A setting is a key and a value around the first equals sign", "[cli][settings_list]") {
  const auto setting = parse_setting("  key =  a = b \r");
  REQUIRE(setting);
  CHECK(setting->key == "key");
  CHECK(setting->value == "a = b");
  CHECK(parse_setting("key=")->value.empty());
  for (const char* text : {"", "key", "=", "=value", "  = value"}) {
    CHECK_FALSE(parse_setting(text));
  }
}

TEST_CASE("What is no setting is not repeated, for it may be a secret", "[cli][settings_list]") {
  CHECK_THAT(parse_setting("hunter2").error().message, !Catch::Contains("hunter2"));
}

TEST_CASE("A settings file has lines of settings, blank ones and remarks", "[cli][settings_list]") {
  const testing::TemporaryDirectory folder;
  const auto settings =
      read_settings_file(folder.write("conf", "# remark\n\n a = 1 \r\n  # b = 2\nc=3"));
  REQUIRE(settings);
  REQUIRE(settings->size() == 2);
  CHECK(settings->front().key == "a");
  CHECK(settings->front().value == "1");
  CHECK(settings->back().key == "c");
}

TEST_CASE("An error of a settings file names the file and the line", "[cli][settings_list]") {
  const testing::TemporaryDirectory folder;
  const auto file = folder.write("conf", "a=1\n\nnothing\n");
  const auto settings = read_settings_file(file);
  REQUIRE_FALSE(settings);
  CHECK(settings.error().code == core::ErrorCode::BadFile);
  CHECK(settings.error().message == file + " line 3: a setting is written KEY=VALUE");
  CHECK_THAT(read_settings_file(folder.path() + "/none").error().message,
             Catch::Contains("cannot open " + folder.path() + "/none"));
}

TEST_CASE("A file beyond its limit is refused and one at the limit is read",
          "[cli][settings_list]") {
  const testing::TemporaryDirectory folder;
  const auto file = folder.write("file", "12345");
  CHECK(*read_file(file, 5) == "12345");
  CHECK_FALSE(read_file(file, 4));
}

TEST_CASE("A time is a day, a moment of UTC, or a length before now", "[cli][settings_list]") {
  constexpr int64_t kNow = 1'800'000'000'000;
  CHECK(*parse_time("1970-01-02", kNow) == 86'400'000);
  CHECK(*parse_time("1970-01-01T00:00:01", kNow) == 1000);
  CHECK(*parse_time("1970-01-01T01:00:00Z", kNow) == 3'600'000);
  CHECK(*parse_time("2h", kNow) == kNow - 7'200'000);
  for (const char* text : {"", "x", "2026-13-01", "12:00", "-1s", "2026-01-31T25:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text, kNow));
  }
}
