#include "spool/sqlite_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/fault_vfs.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

// Purpose: a store in a folder, opened anew as often as a test likes.
struct Fixture {
  TemporaryDirectory directory;
  SqliteStoreOptions options;
  SimRecords records;
  std::unique_ptr<SqliteStore> store;

  Fixture() {
    options.directory = directory.path();
    reopen();
  }
  void reopen() {
    store.reset();
    auto opened = SqliteStore::open(options);
    REQUIRE((opened ? "" : opened.error().message) == "");
    store = std::move(*opened);
  }
  CommitOutcome commit() {
    auto outcome = store->commit(records);
    REQUIRE((outcome ? "" : outcome.error().message) == "");
    return *outcome;
  }
  RecoveredState recover() {
    auto state = store->recover();
    REQUIRE((state ? "" : state.error().message) == "");
    return *state;
  }
  Findings check() const {
    auto findings = store->check();
    REQUIRE(findings);
    return *findings;
  }
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

}  // namespace

TEST_CASE("A batch's row is there after a restart as it was sealed", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  BatchRow batch = make_batch(7, {{100, 50}, {400, 30}, {900, 1}});
  const uint64_t number = fixture.store->seal(batch);
  CHECK(fixture.store->committed() < number);
  CHECK(fixture.commit().committed == number);
  CHECK(fixture.store->committed() == number);
  CHECK(fixture.store->synced() == number);
  fixture.reopen();

  std::vector<LiveBatch> batches;
  REQUIRE(fixture.store->for_each_live([&](const LiveBatch& live) { batches.push_back(live); }));
  REQUIRE(batches.size() == 1);
  const LiveBatch& live = batches[0];
  CHECK(live.sequence == 7);
  CHECK(live.id == batch.id);
  CHECK(live.generation == 1);
  CHECK(live.target_revision == 1);
  CHECK(live.sealed == batch.sealed);
  CHECK(live.events_count == 3);
  CHECK(live.size_bytes == 82);
  CHECK(live.body_kind == BodyKind::Journal);
  CHECK(live.first_position == 100);
  CHECK(live.end_position == 901);
  CHECK(live.retry == RetryState{});
  const auto body = fixture.store->open_body(7);
  REQUIRE(body);
  CHECK(body->ranges == batch.ranges);
  CHECK(body->size_bytes == 82);
  CHECK(fixture.recover().greatest_sequence == 7);
  CHECK(fixture.check().empty());
}

TEST_CASE("The cursor of a webhook moves with each of its seals and never back",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  fixture.store->put_webhook(make_webhook(2));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->seal(make_batch(2, {{300, 50}}));
  fixture.store->set_low(90);
  fixture.commit();
  RecoveredState state = fixture.recover();
  REQUIRE(state.webhooks.size() == 2);
  CHECK(state.webhooks[0].sealed_to == 350);
  CHECK(state.webhooks[1].sealed_to == 0);
  CHECK(state.low == 90);
  CHECK(state.greatest_position == 350);
  fixture.store->put_webhook(make_webhook(1));
  fixture.store->set_low(10);
  fixture.commit();
  state = fixture.recover();
  CHECK(state.webhooks[0].sealed_to == 350);
  CHECK(state.low == 90);
}

TEST_CASE("The retry state of a batch survives a restart", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->seal(make_batch(2, {{150, 50}}));
  fixture.commit();
  RetryState retry;
  retry.attempts_count = 4;
  retry.failures_count = 3;
  retry.content_failures_count = 2;
  retry.counts_against_endpoint = false;
  retry.clock_started = at(5s);
  retry.due = at(60s);
  fixture.store->attempted(1, retry);
  RetryState paused;
  paused.clock_left_when_paused = 3h;
  fixture.store->attempted(2, paused);
  fixture.commit();
  fixture.reopen();
  const auto batches = fixture.store->list_batches({}, 0, 10);
  REQUIRE(batches);
  REQUIRE(batches->size() == 2);
  CHECK((*batches)[0].retry == retry);
  CHECK((*batches)[1].retry == paused);
}

TEST_CASE("A batch that is over is gone, whatever is written about it later",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.commit();
  fixture.store->finish(1, {});
  fixture.commit();
  fixture.store->attempted(1, {});
  fixture.commit();
  CHECK(live_sequences(*fixture.store).empty());
  CHECK(fixture.store->open_body(1).code() == core::ErrorCode::NotFound);
  CHECK(fixture.store->find_batch(batch_id(1)).code() == core::ErrorCode::NotFound);
  CHECK(fixture.check().empty());
  fixture.reopen();
  // The sequence is not used again even though no row has it.
  CHECK(fixture.recover().greatest_sequence == 1);
}

TEST_CASE("A drop is written with its loss, which stays until it was reported",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->seal(make_batch(2, {{150, 50}}));
  fixture.commit();
  fixture.store->finish(1, dropped({"webhook-1", 2, 10, 1}));
  fixture.store->finish(2, dropped({"webhook-1", 2, 5, 1}));
  fixture.store->add_loss({"webhook-1", 3, 1, 0});
  fixture.commit();
  fixture.reopen();
  CHECK(live_sequences(*fixture.store).empty());
  CHECK(fixture.recover().losses ==
        std::vector<Loss>{{"webhook-1", 2, 15, 2}, {"webhook-1", 3, 1, 0}});
  fixture.store->losses_reported({"webhook-1", 2, 15, 2});
  fixture.store->add_loss({"webhook-1", 3, 4, 1});
  fixture.store->losses_reported({"webhook-1", 3, 1, 0});
  fixture.commit();
  CHECK(fixture.recover().losses == std::vector<Loss>{{"webhook-1", 3, 4, 1}});
}

TEST_CASE("A webhook comes back with all that was declared", "[spool][sqlite_store]") {
  Fixture fixture;
  WebhookRow row = make_webhook(3, 2);
  row.webhook.credentials = "user:secret";
  row.webhook.auth_token = "t\"oken";
  row.webhook.headers = {{"X-Second", "b, \"quoted\""}, {"X-First", "h\xc3\xa9"}, {"X-Empty", ""}};
  row.webhook.overrides = {{"batch.max_events", "7"}, {"retry.schedule", "1s,2s"}};
  row.webhook.source_file = "/etc/mail/webhooks.json";
  row.webhook.active = false;
  row.webhook.is_paused = true;
  row.activates = at(60s);
  row.sealed_to = 77;
  fixture.store->put_webhook(row);
  fixture.commit();
  fixture.reopen();
  const RecoveredState state = fixture.recover();
  REQUIRE(state.webhooks.size() == 1);
  const WebhookRow& read = state.webhooks[0];
  CHECK(read.webhook.id == row.webhook.id);
  CHECK(core::is_same_declaration(read.webhook, row.webhook));
  CHECK(read.webhook.credentials == "user:secret");
  CHECK(read.webhook.headers == row.webhook.headers);
  CHECK(read.webhook.overrides == row.webhook.overrides);
  CHECK(read.webhook.events == row.webhook.events);
  CHECK(read.webhook.origin == row.webhook.origin);
  CHECK(read.webhook.source_file == row.webhook.source_file);
  CHECK_FALSE(read.webhook.active);
  CHECK(read.webhook.is_paused);
  CHECK(read.webhook.created == row.webhook.created);
  CHECK(read.webhook.generation == 3);
  CHECK(read.webhook.target_revision == 2);
  CHECK(read.activates == at(60s));
  CHECK(read.sealed_to == 77);
  CHECK_FALSE(read.is_removed);
  CHECK(state.greatest_generation == 3);
}

TEST_CASE("A batch keeps the target it was sealed for, and a tombstone its batches",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1, 1));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->put_webhook(make_webhook(1, 2));
  fixture.store->put_webhook(make_webhook(2, 1));
  fixture.store->set_removed(1);
  fixture.store->set_removed(2);
  fixture.commit();
  fixture.reopen();
  RecoveredState state = fixture.recover();
  // Of generation 2 nothing is left to do.
  REQUIRE(state.webhooks.size() == 2);
  CHECK(state.webhooks[0].webhook.target == "https://receiver.example/1");
  CHECK(state.webhooks[0].is_removed);
  // What the batch is sent with is what the webhook had last.
  CHECK(state.webhooks[1].webhook.generation == 1);
  CHECK(state.webhooks[1].webhook.target_revision == 2);
  CHECK(fixture.check().empty());
  fixture.store->finish(1, {});
  fixture.store->forget(1);
  fixture.commit();
  state = fixture.recover();
  CHECK(state.webhooks.empty());
  // Never used again.
  CHECK(state.greatest_generation == 2);
}

TEST_CASE("An earlier target goes when its last batch is over", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1, 1));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->put_webhook(make_webhook(1, 2));
  fixture.commit();
  CHECK(fixture.recover().webhooks.size() == 2);
  fixture.store->finish(1, {});
  fixture.store->forget_revision(1, 1);
  fixture.commit();
  REQUIRE(fixture.recover().webhooks.size() == 1);
  CHECK(fixture.recover().webhooks[0].webhook.target_revision == 2);
}

TEST_CASE("A dead letter keeps id and body, and lives again with a fresh clock",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  // A body of more than three pieces.
  const BatchRow batch = make_batch(5, {{100, 150'000}, {400'000, 77'777}});
  fixture.store->seal(batch);
  fixture.commit();
  fixture.store->attempted(5, {3, 3, 0, true, at(1s), {}, at(2s)});
  fixture.store->finish(5, dead_lettered(at(9s), 410));
  fixture.commit();
  CHECK(live_sequences(*fixture.store).empty());
  CHECK(fixture.records.size_max <= kPieceSize);
  fixture.reopen();

  const auto letter = fixture.store->find_dead_letter(batch.id);
  REQUIRE(letter);
  CHECK(letter->sequence == 5);
  CHECK(letter->webhook_id == "webhook-1");
  CHECK(letter->sealed == batch.sealed);
  CHECK(letter->events_count == 2);
  CHECK(letter->size_bytes == batch.size_bytes);
  CHECK(letter->cause.status == 410);
  CHECK(letter->cause.died == at(9s));
  CHECK(letter->cause.attempts_count == 3);
  const std::string body = body_of(records_of(batch.ranges));
  CHECK((read_body(*fixture.store, 5) == body));
  CHECK(fixture.check().empty());

  fixture.store->put_webhook(make_webhook(2, 4));
  fixture.store->replay_dead_letter(5, 2, 4);
  fixture.commit();
  CHECK(fixture.store->find_dead_letter(batch.id).code() == core::ErrorCode::NotFound);
  const auto live = fixture.store->find_batch(batch.id);
  REQUIRE(live);
  CHECK(live->generation == 2);
  CHECK(live->target_revision == 4);
  CHECK(live->retry == RetryState{});
  CHECK(live->sealed == batch.sealed);
  CHECK((read_body(*fixture.store, 5) == body));
  fixture.store->finish(5, {});
  fixture.commit();
  CHECK(read_body(*fixture.store, 5) == "no body");
  CHECK(fixture.check().empty());
}

TEST_CASE("Dead letters are found, counted and deleted by what is known of them",
          "[spool][sqlite_store]") {
  Fixture fixture;
  for (uint64_t i = 1; i <= 20; ++i) {
    if (i <= 2) fixture.store->put_webhook(make_webhook(i));
    fixture.store->seal(make_batch(i, {{i * 100, 99}}, 1 + i % 2));
    fixture.store->finish(i, dead_lettered(at(i * 1s), i % 4 == 0 ? 404 : 503));
  }
  fixture.commit();
  DeadLetterFilter filter;
  CHECK(*fixture.store->dead_letter_sums(filter) == Sums{20, 20, 2000});
  filter.webhook_id = "webhook-1";
  CHECK(fixture.store->dead_letter_sums(filter)->batches_count == 10);
  filter.status = 404;
  CHECK(fixture.store->dead_letter_sums(filter)->batches_count == 5);
  filter.died_from = at(8s);
  filter.died_before = at(16s);
  auto letters = fixture.store->list_dead_letters(filter, 0, 100);
  REQUIRE(letters);
  REQUIRE(letters->size() == 2);
  CHECK((*letters)[0].sequence == 8);
  CHECK((*letters)[1].sequence == 12);
  CHECK(fixture.store->list_dead_letters(filter, 8, 100)->size() == 1);
  CHECK(fixture.store->list_dead_letters(filter, 0, 1)->size() == 1);
  fixture.store->delete_dead_letters(filter);
  DeadLetterFilter one;
  one.batch_id = batch_id(3);
  fixture.store->delete_dead_letters(one);
  fixture.commit();
  CHECK(fixture.store->dead_letter_sums({})->batches_count == 17);
  CHECK(fixture.store->dead_letter_sums(one)->batches_count == 0);
  CHECK(fixture.check().empty());
}

TEST_CASE("Over the quota of dead letters the oldest leave, as losses", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->set_dead_letter_limits(10s, 350);
  fixture.store->put_webhook(make_webhook(1));
  for (uint64_t i = 1; i <= 5; ++i) {
    fixture.store->seal(make_batch(i, {{i * 100, 99}}));
    fixture.store->finish(i, dead_lettered(at(i * 1s)));
  }
  CHECK(fixture.commit().losses == std::vector<Loss>{{"webhook-1", kLossDeadLetterQuota, 1, 1},
                                                     {"webhook-1", kLossDeadLetterQuota, 1, 1}});
  CHECK(fixture.recover().losses == std::vector<Loss>{{"webhook-1", kLossDeadLetterQuota, 2, 2}});
  CHECK(fixture.store->dead_letter_sums({})->size_bytes == 300);
  CHECK(read_body(*fixture.store, 1) == "no body");

  // And those that are older than their age.
  const auto maintained = fixture.store->maintain(at(14s + 1ns));
  REQUIRE(maintained);
  CHECK(maintained->losses == std::vector<Loss>{{"webhook-1", kLossDeadLetterAge, 1, 1},
                                                {"webhook-1", kLossDeadLetterAge, 1, 1}});
  CHECK(fixture.store->dead_letter_sums({})->batches_count == 1);
  CHECK(fixture.check().empty());
}

TEST_CASE("A long wait leaves the journal with all its bytes", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  const BatchRow before = make_batch(1, {{100, 900}});
  const BatchRow within = make_batch(2, {{1000, 70'000}});
  const BatchRow across = make_batch(3, {{900, 90}, {99'000, 2000}});
  const BatchRow behind = make_batch(4, {{101'000, 500}});
  for (const BatchRow& batch : {before, within, across, behind}) fixture.store->seal(batch);
  fixture.commit();
  CHECK(*fixture.store->has_live_in(1000, 100'000));
  const auto moved = fixture.store->move_to_blob(1000, 100'000, fixture.records);
  REQUIRE(moved);
  CHECK(moved->batches_count == 2);
  CHECK(moved->size_bytes == within.size_bytes + across.size_bytes);
  CHECK(fixture.records.size_max <= kPieceSize);
  CHECK_FALSE(*fixture.store->has_live_in(1000, 100'000));
  CHECK(*fixture.store->has_live_in(0, 1000));
  CHECK(*fixture.store->has_live_in(101'499, 101'500));
  CHECK_FALSE(*fixture.store->has_live_in(101'500, 200'000));
  fixture.reopen();
  CHECK(fixture.store->find_batch(within.id)->body_kind == BodyKind::Blob);
  CHECK(fixture.store->find_batch(behind.id)->body_kind == BodyKind::Journal);
  for (const BatchRow& batch : {before, within, across, behind}) {
    CHECK((read_body(*fixture.store, batch.sequence) == body_of(records_of(batch.ranges))));
  }
  CHECK(fixture.check().empty());
}

TEST_CASE("A batch whose records are gone is named, and one that cannot be read now stays",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->seal(make_batch(2, {{150, 50}}));
  fixture.commit();
  fixture.records.fails = true;
  const auto postponed = fixture.store->move_to_blob(0, 1000, fixture.records);
  REQUIRE(postponed);
  CHECK(postponed->postponed_count == 2);
  CHECK(postponed->unreadable.empty());
  fixture.records.fails = false;
  fixture.records.gone_until = 150;
  const auto moved = fixture.store->move_to_blob(0, 1000, fixture.records);
  REQUIRE(moved);
  CHECK(moved->unreadable == std::vector<uint64_t>{1});
  CHECK(moved->batches_count == 1);
  // It keeps no file of the journal, and its turn will show that there is nothing to send.
  CHECK_FALSE(*fixture.store->has_live_in(0, 1000));
  CHECK(read_body(*fixture.store, 1).empty());
  CHECK(fixture.check() == Findings{"the body of batch 1 is not whole"});

  // As a dead letter it is a loss instead.
  fixture.store->finish(1, dead_lettered(at(1s)));
  CHECK(fixture.commit().losses == std::vector<Loss>{{"webhook-1", kLossUnreadable, 1, 1}});
  CHECK(live_sequences(*fixture.store) == std::vector<uint64_t>{2});
  CHECK(fixture.store->dead_letter_sums({})->batches_count == 0);
  CHECK(fixture.check().empty());
}

TEST_CASE("A batch gives way to its parts, in the journal and in the database",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  const BatchRow parent = make_batch(1, {{100, 100'000}, {200'000, 50'000}});
  const std::string records = records_of(parent.ranges);
  fixture.store->seal(parent);
  fixture.commit();
  if (GENERATE(false, true)) {
    REQUIRE(fixture.store->move_to_blob(0, 1'000'000, fixture.records));
  }
  RetryState retry;
  retry.attempts_count = 1;
  fixture.store->split(
      1, {{2, batch_id(2), 1, 0, 70'000, retry}, {3, batch_id(3), 1, 70'000, 80'000, retry}});
  fixture.commit();
  CHECK(live_sequences(*fixture.store) == std::vector<uint64_t>{2, 3});
  CHECK((read_body(*fixture.store, 2) == body_of(records.substr(0, 70'000))));
  CHECK((read_body(*fixture.store, 3) == body_of(records.substr(70'000))));
  CHECK(fixture.store->find_batch(batch_id(3))->sealed == parent.sealed);
  CHECK(fixture.store->find_batch(batch_id(3))->retry == retry);
  CHECK(fixture.recover().greatest_sequence == 3);
  CHECK(fixture.check().empty());
}

TEST_CASE("Waiting batches are listed page by page and summed by webhook",
          "[spool][sqlite_store]") {
  Fixture fixture;
  for (uint64_t i = 1; i <= 30; ++i) {
    if (i <= 3) fixture.store->put_webhook(make_webhook(i));
    fixture.store->seal(make_batch(i, {{i * 100, 99}}, 1 + i % 3));
  }
  fixture.commit();
  const auto page = fixture.store->list_batches(2, 4, 3);
  REQUIRE(page);
  REQUIRE(page->size() == 3);
  CHECK((*page)[0].sequence == 7);
  CHECK((*page)[2].sequence == 13);
  CHECK(fixture.store->list_batches({}, 28, 100)->size() == 2);
  const auto sums = fixture.store->live_sums();
  REQUIRE(sums);
  REQUIRE(sums->size() == 3);
  CHECK((*sums)[0].generation == 1);
  CHECK((*sums)[0].live == Sums{10, 10, 1000});
}

TEST_CASE("An event type keeps its number for ever", "[spool][sqlite_store]") {
  Fixture fixture;
  const uint32_t first = *fixture.store->define_type("bounce", "message_event");
  const uint32_t second = *fixture.store->define_type("host_event", "host_class");
  CHECK(first != second);
  CHECK(*fixture.store->define_type("bounce", "message_event") == first);
  fixture.reopen();
  CHECK(*fixture.store->define_type("host_event", "another_class") == second);
  CHECK(*fixture.store->define_type("third", "host_class") > second);
  fixture.reopen();
  const auto types = fixture.store->event_types();
  REQUIRE(types.size() == 3);
  CHECK(types[1].number == second);
  CHECK(types[1].name == "host_event");
  CHECK(types[1].class_name == "another_class");
}

TEST_CASE("The database is for its owner only", "[spool][sqlite_store]") {
  const mode_t earlier = umask(0);
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  fixture.commit();
  umask(earlier);
  CHECK(mode_of(fixture.directory.database()) == 0600);
  CHECK(mode_of(fixture.directory.database() + "-wal") == 0600);
  CHECK(mode_of(fixture.directory.database() + "-shm") == 0600);
  fixture.store.reset();
  chmod(fixture.directory.database().c_str(), 0644);
  fixture.reopen();
  CHECK(mode_of(fixture.directory.database()) == 0600);
}

TEST_CASE("A database behind a symbolic link is not opened", "[spool][sqlite_store]") {
  TemporaryDirectory elsewhere;
  TemporaryDirectory directory;
  const std::string victim = elsewhere.path() + "/victim";
  std::ofstream(victim) << "";
  chmod(victim.c_str(), 0644);
  REQUIRE(symlink(victim.c_str(), directory.database().c_str()) == 0);
  SqliteStoreOptions options;
  options.directory = directory.path();
  const auto opened = SqliteStore::open(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.code() == core::ErrorCode::SpoolIo);
  CHECK(opened.error().message.find(directory.database()) != std::string::npos);
  CHECK(std::filesystem::file_size(victim) == 0);
  CHECK(mode_of(victim) == 0644);
}

TEST_CASE("A directory behind a symbolic link serves as well", "[spool][sqlite_store]") {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() + "/real");
  std::filesystem::create_directory_symlink("real", directory.path() + "/link");
  SqliteStoreOptions options;
  options.directory = directory.path() + "/link";
  CHECK(SqliteStore::open(options));
}

TEST_CASE("A newer format is refused with both versions, and left as it is",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store.reset();
  Database database;
  REQUIRE(database.open(fixture.directory.database(), Access::ReadWrite, nullptr, 100));
  REQUIRE(database.exec("PRAGMA user_version=7; DROP TABLE meta"));
  database.close();
  const auto opened = SqliteStore::open(fixture.options);
  REQUIRE_FALSE(opened);
  CHECK(opened.code() == core::ErrorCode::Unsupported);
  CHECK_FALSE(is_damage(opened.error()));
  CHECK(opened.error().message.find("has format 7, this library reads up to 1") !=
        std::string::npos);
}

TEST_CASE("Somebody else's database is refused", "[spool][sqlite_store]") {
  TemporaryDirectory directory;
  std::ofstream(directory.database()) << "";
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadWrite, nullptr, 100));
  REQUIRE(database.exec("CREATE TABLE mails (id INTEGER)"));
  database.close();
  SqliteStoreOptions options;
  options.directory = directory.path();
  const auto opened = SqliteStore::open(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("not a spool of Posthaste") != std::string::npos);
  CHECK_FALSE(is_damage(opened.error()));
}

TEST_CASE("Space of batches that are over is used again", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.options.attempts_max_bytes = 64u << 10;
  fixture.options.sync = SyncLevel::Normal;
  fixture.reopen();
  fixture.store->put_webhook(make_webhook(1));
  uint64_t after_first_minute = 0;
  // A second: ten batches are sealed, those of ten seconds ago are delivered, one had to wait.
  for (uint64_t second = 1; second <= 900; ++second) {
    for (uint64_t i = 0; i < 10; ++i) {
      const uint64_t sequence = second * 10 + i;
      const core::StreamPosition position = sequence * 5000;
      fixture.store->seal(make_batch(sequence, {{position, 4000}}));
      if (second > 10) fixture.store->finish(sequence - 100, {});
      AttemptRecord attempt;
      attempt.webhook_id = "webhook-1";
      attempt.batch_id = batch_id(sequence);
      attempt.time = at(second * 1s);
      fixture.store->log_attempt(attempt);
    }
    fixture.commit();
    if (second % 5 == 0) {
      REQUIRE(fixture.store->move_to_blob(0, second * 50'000 + 5000, fixture.records));
    }
    if (second % 10 == 0) REQUIRE(fixture.store->maintain(at(second * 1s)));
    if (second == 60) after_first_minute = fixture.store->disk_bytes();
  }
  // A page or two more or less in the middle of things.
  CHECK(fixture.store->disk_bytes() <= after_first_minute + after_first_minute / 50);
  CHECK(fixture.check().empty());
}

TEST_CASE("What an outage took is given back when it is over", "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.store->put_webhook(make_webhook(1));
  for (uint64_t i = 1; i <= 30; ++i) {
    fixture.store->seal(make_batch(i, {{i << 20, 1u << 20}}));
  }
  fixture.commit();
  REQUIRE(fixture.store->move_to_blob(0, 100u << 20, fixture.records));
  REQUIRE(fixture.store->maintain(at(1s)));
  REQUIRE(fixture.store->maintain(at(2s)));
  CHECK(fixture.store->disk_bytes() > 30u << 20);
  for (uint64_t i = 1; i <= 30; ++i) fixture.store->finish(i, {});
  fixture.commit();
  CHECK(fixture.store->free_bytes() > 29u << 20);
  for (int i = 0; i < 20; ++i) REQUIRE(fixture.store->maintain(at(3s + i * 1s)));
  CHECK(fixture.store->disk_bytes() < 18u << 20);
  CHECK(fixture.check().empty());
}

TEST_CASE("The log of the database stays small and is empty when nothing happens",
          "[spool][sqlite_store]") {
  Fixture fixture;
  fixture.options.sync = SyncLevel::Normal;
  fixture.reopen();
  fixture.store->put_webhook(make_webhook(1));
  const std::string log = fixture.directory.database() + "-wal";
  for (uint64_t i = 1; i <= 3000; ++i) {
    fixture.store->seal(make_batch(i, {{i * 100, 100}}));
    if (i > 5) fixture.store->finish(i - 5, {});
    CHECK(fixture.commit().checkpoint.code == core::ErrorCode::Ok);
    if (i % 100 == 0) REQUIRE(std::filesystem::file_size(log) < 5u << 20);
  }
  REQUIRE(fixture.store->maintain(at(1s)));
  CHECK(std::filesystem::file_size(log) > 0);
  REQUIRE(fixture.store->maintain(at(2s)));
  CHECK(std::filesystem::file_size(log) == 0);
}
