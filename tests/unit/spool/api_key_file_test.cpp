#include "spool/api_key_file.h"

#include <catch2/catch.hpp>

#include "support/fault_file_system.h"

using namespace posthaste;

namespace {

spool::ApiKey key(const std::string& id, std::optional<uint32_t> subaccount = std::nullopt) {
  return {id,   "name \"of\" " + id, std::string(64, 'a'),
          true, subaccount,          core::WallTime(std::chrono::milliseconds(1234567))};
}

void write_text(journal::FileSystem& files, const std::string& path, std::string_view text) {
  auto file = files.open(path, journal::OpenMode::Share, {});
  REQUIRE(file);
  REQUIRE((*file)->truncate(0));
  REQUIRE((*file)->write_at(0, text));
}

}  // namespace

TEST_CASE("A spool without a file of keys has none", "[spool][api_key_file]") {
  test::FaultFileSystem files(1);
  const spool::ApiKeyFile file(files, "/spool", {});
  CHECK(file.read()->empty());
}

TEST_CASE("Keys come back as they were written", "[spool][api_key_file]") {
  test::FaultFileSystem files(1);
  spool::ApiKeyFile file(files, "/spool", {});
  REQUIRE(file.write({key("one"), key("two", 7)}));
  REQUIRE(file.write({key("two", 7), key("three", 0)}));
  const auto keys = file.read();
  REQUIRE(keys);
  REQUIRE(keys->size() == 2);
  CHECK(keys->front().id == "two");
  CHECK(keys->front().name == "name \"of\" two");
  CHECK(keys->front().hash == std::string(64, 'a'));
  CHECK(keys->front().may_modify);
  CHECK(keys->front().subaccount == 7);
  CHECK(keys->front().created == core::WallTime(std::chrono::milliseconds(1234567)));
  CHECK(keys->back().subaccount == 0);
}

TEST_CASE("A write that fails at any step leaves the old keys", "[spool][api_key_file]") {
  for (const test::FaultStep step : {test::FaultStep::Create, test::FaultStep::Write,
                                     test::FaultStep::Sync, test::FaultStep::Rename}) {
    CAPTURE(static_cast<int>(step));
    test::FaultFileSystem files(1);
    spool::ApiKeyFile file(files, "/spool", {});
    REQUIRE(file.write({key("old")}));
    files.fail(step, EIO);
    CHECK_FALSE(file.write({key("new")}));
    CHECK(file.read()->front().id == "old");
    REQUIRE(file.write({key("new")}));
    CHECK(file.read()->front().id == "new");
  }
}

TEST_CASE("A file that holds no keys is refused whole, and can be set aside",
          "[spool][api_key_file]") {
  test::FaultFileSystem files(1);
  spool::ApiKeyFile file(files, "/spool", {});
  REQUIRE(file.write({key("one")}));
  for (const char* text : {"", "{}", "[{}]", "[1]", R"([{"id":"a","name":"b","sha256":"c"}])"}) {
    CAPTURE(text);
    write_text(files, "/spool/api-keys.json", text);
    CHECK(file.read().code() == core::ErrorCode::BadFile);
  }
  const auto name = file.set_aside();
  REQUIRE(name);
  CHECK(*name == "/spool/api-keys.json.damaged");
  CHECK(file.read()->empty());
}
