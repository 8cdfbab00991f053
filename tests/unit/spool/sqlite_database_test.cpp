#include "spool/sqlite_database.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "spool/sqlite_statement.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;

namespace {

int64_t count_rows(Database& database) {
  Statement count(database, "SELECT count(*) FROM rows");
  return count.step() ? count.integer(0) : -1;
}

}  // namespace

TEST_CASE("A transaction writes nothing after a failure, and the next one begins afresh",
          "[spool][sqlite_database]") {
  TemporaryDirectory directory;
  std::ofstream(directory.database()) << "";
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadWrite, nullptr, 100));
  REQUIRE(database.exec("CREATE TABLE rows (number INTEGER PRIMARY KEY)"));
  Statement insert(database, "INSERT INTO rows (number) VALUES (?1)");
  {
    Transaction transaction(database);
    CHECK(insert.bind(1).run());
    CHECK_FALSE(insert.bind(1).run());
    CHECK_FALSE(insert.bind(2).run());
    const auto committed = transaction.commit();
    REQUIRE_FALSE(committed);
    CHECK(committed.error().message.find("UNIQUE") != std::string::npos);
  }
  {
    Transaction transaction(database);
    CHECK(insert.bind(3).run());
  }
  CHECK(count_rows(database) == 0);
  Transaction transaction(database);
  CHECK(insert.bind(4).run());
  CHECK(transaction.commit());
  CHECK(count_rows(database) == 1);
}

TEST_CASE("A connection for reading writes nothing", "[spool][sqlite_database]") {
  TemporaryDirectory directory;
  std::ofstream(directory.database()) << "";
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadOnly, nullptr, 100));
  CHECK_FALSE(database.exec("CREATE TABLE rows (number INTEGER)"));
  CHECK(database.take_error().code == core::ErrorCode::SpoolIo);
}

TEST_CASE("A statement that does not fit the tables says that they are damaged",
          "[spool][sqlite_database]") {
  TemporaryDirectory directory;
  std::ofstream(directory.database()) << "";
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadWrite, nullptr, 100));
  Statement select(database, "SELECT number FROM rows");
  CHECK(is_damage(database.take_error()));
  // It stays useless, and says so each time.
  CHECK_FALSE(select.bind().step());
  CHECK(is_damage(database.take_error()));
}
