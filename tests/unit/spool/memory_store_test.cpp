#include "spool/memory_store.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>

using namespace posthaste;
using namespace posthaste::spool;
using namespace std::chrono_literals;

namespace {

constexpr core::Duration kDay = 24h;
constexpr uint64_t kRoomy = 4u << 20;
constexpr uint64_t kSmall = 64u << 10;

core::WallTime at(core::Duration time) {
  return core::WallTime(time);
}

// A canonical batch id.
std::string batch_id(uint64_t number) {
  std::string digits = std::to_string(number);
  return "d0c4f2a0-0000-11ee-8000-" + std::string(12 - digits.size(), '0') + digits;
}

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

std::vector<std::string> ids(const std::vector<AttemptRecord>& records) {
  std::vector<std::string> out;
  for (const AttemptRecord& record : records) out.push_back(record.batch_id);
  return out;
}

std::vector<std::string> all_ids(const MemoryStore& store, core::Duration now,
                                 const std::string& webhook_id = "w") {
  return ids(store.batch_status(webhook_id, 1'000'000, StatusFilter::All, at(now)));
}

}  // namespace

TEST_CASE("An attempt is given back as it was logged", "[spool][memory_store]") {
  MemoryStore store(kDay, kRoomy);
  AttemptRecord record;
  record.webhook_id = "the webhook's id, longer than a short string";
  record.batch_id = batch_id(7);
  record.sealed = at(10s);
  record.time = at(20s);
  record.attempt_count = 3;
  record.failures_count = 3;
  record.network_name = "ETIMEDOUT";
  record.latency = 1500us;
  record.size_bytes = 5'000'000'000;
  record.events_count = 10'000;
  store.log_attempt(record);

  const auto records = store.batch_status(record.webhook_id, 10, StatusFilter::All, at(20s));
  REQUIRE(records.size() == 1);
  CHECK(records[0].webhook_id == record.webhook_id);
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
}

TEST_CASE("Batch status has the last attempt of each batch, newest first",
          "[spool][memory_store]") {
  MemoryStore store(kDay, kRoomy);
  store.log_attempt(make("w", 1, 1s, false, 1));
  store.log_attempt(make("w", 2, 2s, true));
  store.log_attempt(make("other", 3, 3s, true));
  store.log_attempt(make("w", 4, 4s, false, 1));
  store.log_attempt(make("w", 1, 5s, false, 2));
  store.log_attempt(make("w", 4, 6s, true, 2));

  const auto records = store.batch_status("w", 10, StatusFilter::All, at(6s));
  REQUIRE(ids(records) == std::vector{batch_id(4), batch_id(1), batch_id(2)});
  CHECK(records[0].is_delivered);
  CHECK(records[0].failures_count == 1);
  CHECK(records[1].attempt_count == 2);
  CHECK(ids(store.batch_status("w", 2, StatusFilter::All, at(6s))) ==
        std::vector{batch_id(4), batch_id(1)});
  CHECK(store.batch_status("w", 0, StatusFilter::All, at(6s)).empty());
  CHECK(store.batch_status("unknown", 10, StatusFilter::All, at(6s)).empty());
}

TEST_CASE("Only batches with a failure are listed when asked so, until the limit of those",
          "[spool][memory_store]") {
  MemoryStore store(kDay, kRoomy);
  store.log_attempt(make("w", 1, 1s, false));
  store.log_attempt(make("w", 2, 2s, true));
  store.log_attempt(make("w", 3, 3s, true, 4));
  store.log_attempt(make("w", 4, 4s, true));
  CHECK(ids(store.batch_status("w", 2, StatusFilter::FailedOnly, at(5s))) ==
        std::vector{batch_id(3), batch_id(1)});
}

TEST_CASE("Attempts older than the log's age are neither shown nor kept", "[spool][memory_store]") {
  MemoryStore store(10s, kRoomy);
  store.log_attempt(make("w", 1, 1s, true));
  store.log_attempt(make("w", 2, 5s, true));
  CHECK(all_ids(store, 11s) == std::vector{batch_id(2), batch_id(1)});
  CHECK(all_ids(store, 12s) == std::vector{batch_id(2)});
  const uint64_t used = store.used_bytes();
  store.log_attempt(make("w", 3, 12s, true));
  CHECK(store.used_bytes() == used);
  CHECK(store.left_early_count() == 0);
  CHECK(all_ids(store, 12s) == std::vector{batch_id(3), batch_id(2)});
}

TEST_CASE("Over the bound the oldest attempts leave first and are counted",
          "[spool][memory_store]") {
  MemoryStore store(kDay, kSmall);
  constexpr uint64_t kAttempts = 5000;
  uint64_t most = 0;
  for (uint64_t i = 1; i <= kAttempts; ++i) {
    store.log_attempt(make(i % 2 ? "w" : "other", i, i * 1s, i % 3 == 0));
    most = std::max(most, store.used_bytes());
  }
  CHECK(most <= kSmall);
  const auto own = all_ids(store, kAttempts * 1s);
  const auto others = all_ids(store, kAttempts * 1s, "other");
  const uint64_t kept = own.size() + others.size();
  CHECK(kept > 100);
  CHECK(store.left_early_count() == kAttempts - kept);
  REQUIRE(own.front() == batch_id(kAttempts - 1));
  for (size_t i = 0; i < own.size(); ++i) REQUIRE(own[i] == batch_id(kAttempts - 1 - 2 * i));
  // Each record costs its bound well under 300 bytes.
  CHECK(kept * 300 > kSmall);
}

TEST_CASE("A batch that fails for hours takes one place", "[spool][memory_store]") {
  MemoryStore store(kDay, kSmall);
  store.log_attempt(make("w", 1, 1s, true));
  for (uint32_t i = 1; i <= 10'000; ++i) store.log_attempt(make("w", 2, 1s + i * 1s, false, i));
  CHECK(all_ids(store, 3h) == std::vector{batch_id(2), batch_id(1)});
  CHECK(store.left_early_count() == 0);
}

TEST_CASE("History has the last success and the last failure, also of attempts that left",
          "[spool][memory_store]") {
  MemoryStore store(10s, kRoomy);
  CHECK_FALSE(store.history("w").last_successful);
  CHECK_FALSE(store.history("w").last_failure);
  store.log_attempt(make("w", 1, 1s, true));
  CHECK(store.history("w").last_successful == at(1s));
  CHECK_FALSE(store.history("w").last_failure);
  store.log_attempt(make("w", 2, 2s, false));
  store.log_attempt(make("other", 3, 100s, true));
  CHECK(all_ids(store, 100s).empty());
  CHECK(store.history("w").last_successful == at(1s));
  CHECK(store.history("w").last_failure == at(2s));
}

TEST_CASE("A forgotten webhook has neither attempts nor history and frees their memory",
          "[spool][memory_store]") {
  MemoryStore store(kDay, kRoomy);
  store.log_attempt(make("other", 9, 1s, true));
  const uint64_t used = store.used_bytes();
  store.log_attempt(make("w", 1, 2s, false));
  store.log_attempt(make("other", 8, 3s, false));
  store.log_attempt(make("w", 2, 4s, true));
  store.forget_webhook("w");
  store.forget_webhook("unknown");
  CHECK(all_ids(store, 4s).empty());
  CHECK_FALSE(store.history("w").last_failure);
  CHECK(all_ids(store, 4s, "other") == std::vector{batch_id(8), batch_id(9)});
  CHECK(store.left_early_count() == 0);
  store.log_attempt(make("other", 8, 5s, true, 2));
  CHECK(store.used_bytes() == 2 * used);
  store.log_attempt(make("w", 1, 6s, true, 2));
  CHECK(all_ids(store, 6s) == std::vector{batch_id(1)});
}

TEST_CASE("Limits change live", "[spool][memory_store]") {
  MemoryStore store(kDay, kRoomy);
  for (uint64_t i = 1; i <= 2000; ++i) {
    store.log_attempt(make(i % 2 ? "w" : "other", i, i * 1s, i % 4 != 0));
  }
  store.set_limits(kDay, kSmall);
  CHECK(store.used_bytes() <= kSmall);
  const auto kept = all_ids(store, 2000s);
  CHECK(kept.size() > 50);
  CHECK(kept.front() == batch_id(1999));
  CHECK(store.left_early_count() + kept.size() + all_ids(store, 2000s, "other").size() == 2000);
  // What was moved together is still found by its batch.
  store.log_attempt(make("other", 2000, 2001s, true, 2));
  const auto others = store.batch_status("other", 2, StatusFilter::All, at(2001s));
  CHECK(ids(others) == std::vector{batch_id(2000), batch_id(1998)});
  CHECK(others[0].is_delivered);
  store.set_limits(2s, kSmall);
  CHECK(all_ids(store, 2001s) == std::vector{batch_id(1999)});
}

TEST_CASE("Threads log and read at once", "[spool][memory_store]") {
  MemoryStore store(kDay, kSmall);
  std::thread writer([&] {
    for (uint64_t i = 1; i <= 3000; ++i) store.log_attempt(make("w", i / 2, i * 1s, i % 2, 1));
  });
  for (int i = 0; i < 50; ++i) {
    for (const AttemptRecord& record : store.batch_status("w", 100, StatusFilter::All, at(3000s))) {
      REQUIRE(record.webhook_id == "w");
      REQUIRE(record.batch_id.size() == 36);
    }
    store.history("w");
  }
  writer.join();
  CHECK(store.history("w").last_failure == at(3000s));
}
