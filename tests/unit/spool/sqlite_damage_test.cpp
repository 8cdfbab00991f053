// Damage that the durable store finds when it opens, and while it is open.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "spool/sqlite_batches.h"
#include "spool/sqlite_quarantine.h"
#include "spool/sqlite_store.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

SqliteStoreOptions options_for(const TemporaryDirectory& directory) {
  SqliteStoreOptions options;
  options.directory = directory.path();
  return options;
}

std::unique_ptr<SqliteStore> open_store(const TemporaryDirectory& directory) {
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE((store ? "" : store.error().message) == "");
  return std::move(*store);
}

constexpr uint64_t kBatches = 2000;

// Two webhooks and batches that wait, in a database whose log is empty.
void fill(const TemporaryDirectory& directory) {
  const auto store = open_store(directory);
  SimRecords records;
  REQUIRE(store->define_type("host_event", "host_class"));
  store->put_webhook(make_webhook(1));
  store->put_webhook(make_webhook(2));
  for (uint64_t i = 1; i <= kBatches; ++i) store->seal(make_batch(i, {{i * 1000, 100}}, 1 + i % 2));
  store->set_low(1000);
  REQUIRE(store->commit(records));
}

void run(const TemporaryDirectory& directory, const char* sql) {
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadWrite, nullptr, 100));
  REQUIRE(database.exec(sql));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The pages that hold the text, with other bytes over them; how many.
int damage_pages_with(const TemporaryDirectory& directory, const std::string& text) {
  std::string bytes = read_file(directory.database());
  int count = 0;
  for (size_t at = 0; (at = bytes.find(text, at)) != std::string::npos; ++count) {
    const size_t page = at / 4096 * 4096;
    bytes.replace(page, 4096, 4096, '\x5a');
    at = page + 4096;
  }
  // In place: the store has the file open.
  std::fstream file(directory.database(), std::ios::binary | std::ios::in | std::ios::out);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return count;
}

std::vector<std::string> names_with(const TemporaryDirectory& directory, const std::string& text) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    const std::string name = entry.path().filename().string();
    if (name.find(text) != std::string::npos) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("A start finds whatever was changed in webhooks, cursors and numbers",
          "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  const char* const change =
      GENERATE("UPDATE webhooks SET target = 'https://elsewhere.example/' WHERE generation = 2",
               "UPDATE webhooks SET auth_token = 'x'", "UPDATE webhooks SET events = '[\"x\"]'",
               "UPDATE webhooks SET is_paused = 1", "UPDATE cursors SET sealed_to = sealed_to + 1",
               "UPDATE cursors SET is_removed = 1", "DELETE FROM cursors WHERE generation = 1",
               "UPDATE meta SET value = value + 4096 WHERE key = 'low'",
               "UPDATE meta SET value = 1 WHERE key = 'greatest_sequence'",
               "UPDATE event_types SET class = 'x'", "DELETE FROM webhooks WHERE generation = 1");
  INFO(change);
  run(directory, change);
  {
    auto store = SqliteStore::open(options_for(directory));
    const core::Error error = store ? (*store)->recover().error() : store.error();
    CHECK(is_damage(error));
    CHECK(error.message.find(directory.database()) != std::string::npos);
  }
  REQUIRE(quarantine(options_for(directory), at(0s)));
  const auto store = open_store(directory);
  const auto state = store->recover();
  REQUIRE((state ? "" : state.error().message) == "");
  for (const WebhookRow& row : state->webhooks) {
    CHECK(row.webhook.target == make_webhook(row.webhook.generation).webhook.target);
  }
  CHECK(store->check()->empty());
}

TEST_CASE("A batch never goes to another webhook than it was sealed for",
          "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  run(directory, "UPDATE batches SET generation = 2 WHERE sequence = 10");
  run(directory, "UPDATE batches SET events_count = 2 WHERE sequence = 11");
  const auto store = open_store(directory);
  REQUIRE(store->recover());
  CHECK(is_damage(store->open_body(10).error()));
  CHECK(is_damage(store->open_body(11).error()));
  CHECK(store->open_body(12));
  CHECK(store->check()->size() == 2);
}

TEST_CASE("A database that is gone or empty beside a journal is damage, not a fresh start",
          "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  const std::string journal = directory.path() + "/journal-000000000001";
  std::ofstream(journal) << "frames";
  CHECK(open_store(directory)->recover());
  const bool is_empty = GENERATE(false, true);
  std::filesystem::remove(directory.database());
  if (is_empty) std::ofstream{directory.database()};
  const auto opened = SqliteStore::open(options_for(directory));
  REQUIRE_FALSE(opened);
  CHECK(is_damage(opened.error()));
  CHECK(names_with(directory, "spool.db").size() == (is_empty ? 1u : 0u));
  const auto salvaged = quarantine(options_for(directory), at(0s));
  REQUIRE(salvaged);
  CHECK(salvaged->moved_to.empty() == !is_empty);
  const auto store = open_store(directory);
  CHECK(store->recover());
  // The journal may have events under numbers that nobody knows any more.
  CHECK(*store->define_type("another_event", "host_class") > 1000);
}

TEST_CASE("A database that is older than the journal beside it is damage",
          "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  TemporaryDirectory without_log;
  const auto store = open_store(directory);
  REQUIRE(store->define_type("host_event", "host_class"));
  std::filesystem::copy_file(directory.database(), without_log.database());
  CHECK(open_store(without_log)->recover());
  std::ofstream(without_log.path() + "/journal-000000000001") << "frames";
  const auto opened = SqliteStore::open(options_for(without_log));
  REQUIRE_FALSE(opened);
  CHECK(is_damage(opened.error()));
}

TEST_CASE("A lost log costs no webhook", "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  TemporaryDirectory without_log;
  const auto store = open_store(directory);
  SimRecords records;
  REQUIRE(store->define_type("host_event", "host_class"));
  store->put_webhook(make_webhook(1));
  store->put_webhook(make_webhook(2));
  REQUIRE(store->commit(records));
  store->set_removed(2);
  REQUIRE(store->commit(records));
  store->seal(make_batch(1, {{1000, 100}}));
  REQUIRE(store->commit(records));
  std::filesystem::copy_file(directory.database(), without_log.database());
  const auto state = open_store(without_log)->recover();
  REQUIRE(state);
  REQUIRE(state->webhooks.size() == 1);
  CHECK(state->webhooks[0].webhook.generation == 1);
  CHECK(state->webhooks[0].sealed_to < 1000);
}

TEST_CASE("A database found damaged while it is open is replaced, and what is queued is kept",
          "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  const auto store = open_store(directory);
  // A page of rows and one of the index.
  REQUIRE(damage_pages_with(directory, batch_id(700)) == 2);
  SimRecords records;
  store->finish(700, {});
  store->seal(make_batch(kBatches + 1, {{9'000'000, 10}}));
  const auto committed = store->commit(records);
  REQUIRE_FALSE(committed);
  REQUIRE(is_damage(committed.error()));

  const auto salvaged = store->renew(at(0s));
  REQUIRE((salvaged ? "" : salvaged.error().message) == "");
  CHECK(salvaged->damaged_tables == std::vector<std::string>{"batches"});
  // The engine knows those that are gone, and gives them up itself.
  CHECK(salvaged->losses.empty());
  CHECK(salvaged->batches_count > kBatches - 100);
  CHECK(std::filesystem::exists(salvaged->moved_to));
  REQUIRE(store->commit(records));
  const auto sequences = live_sequences(*store);
  CHECK(sequences.back() == kBatches + 1);
  CHECK(std::find(sequences.begin(), sequences.end(), 700u) == sequences.end());
  CHECK(store->find_batch(batch_id(5))->sequence == 5);
  CHECK(store->open_body(700).code() == core::ErrorCode::NotFound);
  CHECK((read_body(*store, 5) == body_of(records_of({{5000, 100}}))));
  CHECK(store->check()->empty());
}

TEST_CASE("A damaged database that would cost a webhook is not replaced while the engine runs",
          "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  const auto store = open_store(directory);
  REQUIRE(damage_pages_with(directory, "webhook-1") == 1);
  REQUIRE(damage_pages_with(directory, batch_id(700)) == 2);
  const auto salvaged = store->renew(at(0s));
  REQUIRE_FALSE(salvaged);
  CHECK(salvaged.error().message.find("webhooks") != std::string::npos);
  CHECK(names_with(directory, ".damaged").empty());
  CHECK(names_with(directory, ".fresh").empty());
  CHECK(store->open_body(5));
}

TEST_CASE("What is put aside is as it was found, log included", "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  TemporaryDirectory killed;
  {
    const auto store = open_store(directory);
    SimRecords records;
    store->finish(3, {});
    REQUIRE(store->commit(records));
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy_file(directory.database() + suffix, killed.database() + suffix);
    }
  }
  REQUIRE(damage_pages_with(killed, batch_id(700)) == 2);
  const std::string database = read_file(killed.database());
  const std::string log = read_file(killed.database() + "-wal");
  REQUIRE_FALSE(log.empty());
  CHECK_FALSE(open_store(killed)->recover());
  // Refused, it is as it was, too.
  CHECK((read_file(killed.database()) == database));
  CHECK((read_file(killed.database() + "-wal") == log));
  const auto salvaged = quarantine(options_for(killed), at(0s));
  REQUIRE(salvaged);
  CHECK((read_file(salvaged->moved_to) == database));
  CHECK((read_file(salvaged->moved_to + "-wal") == log));
}

TEST_CASE("Of the databases that were put aside the newest are kept", "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  for (int i = 0; i < 5; ++i) REQUIRE(quarantine(options_for(directory), at(i * 1h)));
  const auto names = names_with(directory, ".damaged");
  REQUIRE(names.size() == kDamagedKept);
  CHECK(names.back() == "spool.db.damaged-20270115T120000Z");
}

TEST_CASE("A batch is found by its id without a look at the others", "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadOnly, nullptr, 100));
  Statement plan(database, std::string("EXPLAIN QUERY PLAN ") + kSelectLive + kWhereId);
  plan.bind(batch_id(5));
  std::string text;
  while (plan.step()) text += plan.text(3) + '\n';
  INFO(text);
  CHECK(text.find("batch_ids") != std::string::npos);
  CHECK(text.find("SCAN") == std::string::npos);
}

TEST_CASE("A check ends when the store is told so", "[spool][sqlite_damage]") {
  TemporaryDirectory directory;
  fill(directory);
  const auto store = open_store(directory);
  CHECK(store->check()->empty());
  store->stop_checks();
  CHECK(store->check().code() == core::ErrorCode::State);
}
