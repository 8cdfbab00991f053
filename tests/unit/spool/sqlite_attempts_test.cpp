#include <catch2/catch.hpp>

#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  TemporaryDirectory directory;
  SqliteStoreOptions options;
  SimRecords records;
  std::unique_ptr<SqliteStore> store;

  Fixture() {
    options.directory = directory.path();
    options.sync = SyncLevel::Normal;
    reopen();
  }
  void reopen() {
    store.reset();
    auto opened = SqliteStore::open(options);
    REQUIRE(opened);
    store = std::move(*opened);
  }
  void commit() { REQUIRE(store->commit(records)); }
  std::vector<std::string> ids(const std::string& webhook_id, core::Duration now,
                               StatusFilter filter = StatusFilter::All, size_t limit = 1000) const {
    std::vector<std::string> out;
    for (const AttemptRecord& record : store->batch_status(webhook_id, limit, filter, at(now))) {
      out.push_back(record.batch_id);
    }
    return out;
  }
};

AttemptRecord make(const std::string& webhook_id, uint64_t batch, core::Duration time,
                   bool is_delivered, uint32_t attempt_count = 1) {
  AttemptRecord record;
  record.webhook_id = webhook_id;
  record.batch_id = batch_id(batch);
  record.time = at(time);
  record.attempt_count = attempt_count;
  record.failures_count = attempt_count - (is_delivered ? 1 : 0);
  record.is_delivered = is_delivered;
  record.status = is_delivered ? 200 : 503;
  return record;
}

}  // namespace

TEST_CASE("The log of attempts survives a restart", "[spool][sqlite_attempts]") {
  Fixture fixture;
  AttemptRecord record = make("w", 7, 20s, false, 3);
  record.sealed = at(10s);
  record.status = 0;
  record.network_name = "ETIMEDOUT";
  record.latency = 1500us;
  record.size_bytes = 5'000'000'000;
  record.events_count = 10'000;
  fixture.store->log_attempt(record);
  fixture.commit();
  fixture.reopen();
  const auto records = fixture.store->batch_status("w", 10, StatusFilter::All, at(20s));
  REQUIRE(records.size() == 1);
  CHECK(records[0].webhook_id == "w");
  CHECK(records[0].batch_id == record.batch_id);
  CHECK(records[0].sealed == record.sealed);
  CHECK(records[0].time == record.time);
  CHECK(records[0].attempt_count == 3);
  CHECK(records[0].failures_count == 3);
  CHECK_FALSE(records[0].is_delivered);
  CHECK(records[0].status == 0);
  CHECK(records[0].network_name == "ETIMEDOUT");
  CHECK(records[0].latency == record.latency);
  CHECK(records[0].size_bytes == record.size_bytes);
  CHECK(records[0].events_count == record.events_count);
  CHECK(fixture.store->history("w").last_failure == at(20s));
  CHECK_FALSE(fixture.store->history("w").last_successful);
}

TEST_CASE("Batch status has the last attempt of each batch, written or still queued",
          "[spool][sqlite_attempts]") {
  Fixture fixture;
  fixture.store->log_attempt(make("w", 1, 1s, false, 1));
  fixture.store->log_attempt(make("w", 2, 2s, true));
  fixture.store->log_attempt(make("other", 3, 3s, true));
  fixture.commit();
  fixture.store->log_attempt(make("w", 4, 4s, false, 1));
  fixture.store->log_attempt(make("w", 1, 5s, false, 2));
  fixture.store->log_attempt(make("w", 4, 6s, true, 2));
  const std::vector<std::string> expected{batch_id(4), batch_id(1), batch_id(2)};
  CHECK(fixture.ids("w", 6s) == expected);
  CHECK(fixture.store->history("w").last_successful == at(6s));
  fixture.commit();
  CHECK(fixture.ids("w", 6s) == expected);
  CHECK(fixture.ids("w", 6s, StatusFilter::All, 2) == std::vector{batch_id(4), batch_id(1)});
  CHECK(fixture.ids("w", 6s, StatusFilter::FailedOnly) == std::vector{batch_id(4), batch_id(1)});
  CHECK(fixture.ids("w", 6s, StatusFilter::All, 0).empty());
  CHECK(fixture.ids("unknown", 6s).empty());
  CHECK(fixture.store->batch_status("w", 1, StatusFilter::All, at(6s))[0].attempt_count == 2);
  CHECK(fixture.store->history("w").last_failure == at(5s));
  CHECK(fixture.store->history("other").last_successful == at(3s));
}

TEST_CASE("Attempts on disk leave at the log's age, but not the history",
          "[spool][sqlite_attempts]") {
  Fixture fixture;
  fixture.store->set_limits(10s, 1u << 20);
  fixture.store->log_attempt(make("w", 1, 1s, true));
  fixture.store->log_attempt(make("w", 2, 5s, true));
  fixture.commit();
  CHECK(fixture.ids("w", 12s) == std::vector{batch_id(2)});
  REQUIRE(fixture.store->maintain(at(12s)));
  // Asked as of an earlier time, only what is still there can answer.
  CHECK(fixture.ids("w", 5s) == std::vector{batch_id(2)});
  REQUIRE(fixture.store->maintain(at(100s)));
  CHECK(fixture.ids("w", 5s).empty());
  CHECK(fixture.store->history("w").last_successful == at(5s));
  CHECK(fixture.store->left_early_count() == 0);
}

TEST_CASE("Over the bound of the log on disk the oldest leave first and are counted",
          "[spool][sqlite_attempts]") {
  Fixture fixture;
  fixture.store->set_limits(24h, 64u << 10);
  for (uint64_t i = 1; i <= 2000; ++i) {
    fixture.store->log_attempt(make(i % 2 ? "w" : "other", i, i * 1s, i % 3 == 0));
    if (i % 50 == 0) fixture.commit();
  }
  const auto own = fixture.ids("w", 2000s);
  const auto others = fixture.ids("other", 2000s);
  CHECK(own.size() > 100);
  CHECK(fixture.store->left_early_count() == 2000 - own.size() - others.size());
  for (size_t i = 0; i < own.size(); ++i) REQUIRE(own[i] == batch_id(1999 - 2 * i));
  fixture.reopen();
  fixture.store->set_limits(24h, 16u << 10);
  fixture.store->log_attempt(make("w", 3000, 3000s, true));
  fixture.commit();
  CHECK(fixture.ids("w", 3000s).size() < own.size() / 3);
  CHECK(fixture.ids("w", 3000s)[0] == batch_id(3000));
}

TEST_CASE("While the disk refuses, the log waits in bounded memory", "[spool][sqlite_attempts]") {
  Fixture fixture;
  fixture.store->set_limits(24h, 64u << 10);
  for (uint64_t i = 1; i <= 5000; ++i) fixture.store->log_attempt(make("w", i, i * 1s, true));
  CHECK(fixture.store->queued_bytes() <= 64u << 10);
  const auto kept = fixture.ids("w", 5000s);
  CHECK(kept.size() > 50);
  CHECK(kept[0] == batch_id(5000));
  CHECK(fixture.store->left_early_count() == 5000 - kept.size());
}

TEST_CASE("A forgotten webhook leaves neither attempts nor history in the database",
          "[spool][sqlite_attempts]") {
  Fixture fixture;
  fixture.store->log_attempt(make("w", 1, 1s, false));
  fixture.store->log_attempt(make("other", 2, 2s, true));
  fixture.commit();
  fixture.store->log_attempt(make("w", 3, 3s, true));
  fixture.store->forget_webhook("w");
  fixture.commit();
  CHECK(fixture.ids("w", 3s).empty());
  CHECK_FALSE(fixture.store->history("w").last_failure);
  CHECK_FALSE(fixture.store->history("w").last_successful);
  CHECK(fixture.ids("other", 3s) == std::vector{batch_id(2)});
}
