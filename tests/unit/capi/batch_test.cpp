#include "owned.h"
#include "platform/clock.h"
#include "spool/memory_store.h"

using namespace posthaste::testing;
using posthaste::core::EngineSettings;
using posthaste::core::WallTime;
using posthaste::platform::SystemClock;
using posthaste::spool::AttemptRecord;
using posthaste::spool::MemoryStore;

namespace {

std::string batch_id(int number) {
  return "032d3305-4029-11e4-98f0-00000000000" + std::to_string(number);
}

// A batch made in 2014 and tried now, since the log forgets old attempts.
AttemptRecord attempt_of(int number, WallTime now) {
  AttemptRecord attempt;
  attempt.webhook_id = "hook";
  attempt.batch_id = batch_id(number);
  attempt.sealed = WallTime(std::chrono::milliseconds(1406756288007));
  attempt.time = now;
  attempt.attempt_count = 1;
  attempt.latency = std::chrono::microseconds(160900);
  attempt.events_count = 12;
  return attempt;
}

// An engine with a webhook whose log holds a delivery, a refusal, a broken connection and a
// delivery after failures, in this order.
EngineHandle engine_with_history() {
  const EngineSettings settings;
  posthaste::engine::EngineParts parts;
  auto clock = std::make_unique<SystemClock>();
  auto store = std::make_unique<MemoryStore>(std::chrono::hours(24), uint64_t{1} << 20);
  AttemptRecord attempt = attempt_of(1, clock->wall_now());
  attempt.is_delivered = true;
  attempt.status = 200;
  store->log_attempt(attempt);
  attempt = attempt_of(2, clock->wall_now());
  attempt.failures_count = 2;
  attempt.status = 400;
  store->log_attempt(attempt);
  attempt = attempt_of(3, clock->wall_now());
  attempt.failures_count = 1;
  attempt.network_name = "ECONNRESET";
  store->log_attempt(attempt);
  attempt = attempt_of(4, clock->wall_now());
  attempt.failures_count = 7;
  attempt.is_delivered = true;
  attempt.status = 204;
  store->log_attempt(attempt);
  parts.clock = std::move(clock);
  parts.store = std::move(store);
  EngineHandle engine(new posthaste_engine{
      std::make_unique<posthaste::engine::Engine>(settings, std::move(parts)), nullptr});
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  return engine;
}

std::string status_of(const EngineHandle& engine, size_t limit, int32_t which) {
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_batch_status(engine.get(), "hook", limit, which, &text, nullptr) ==
          POSTHASTE_OK);
  return take(text);
}

}  // namespace

TEST_CASE("Batch status has the original's shape, newest first, failed batches only",
          "[capi][batch]") {
  const auto begin = [](int number) {
    return "{\"batch_id\":\"" + batch_id(number) +
           R"(","webhook_id":"hook","ts":"2014-07-30T21:38:08.007Z",)";
  };
  CHECK(
      status_of(engine_with_history(), 0, POSTHASTE_STATUS_FAILED) ==
      "[" + begin(4) + R"("attempts":7,"response_code":"204","batch_size":12,"latency":160},)" +
          begin(3) + R"("attempts":1,"failure_code":"ECONNRESET","batch_size":12,"latency":160},)" +
          begin(2) +
          R"("attempts":2,"response_code":"400","failure_code":"400","batch_size":12,"latency":160}])");
}

TEST_CASE("Batch status shows successes when asked to, and no more than its limit",
          "[capi][batch]") {
  const EngineHandle engine = engine_with_history();
  CHECK(status_of(engine, 0, POSTHASTE_STATUS_ALL).find(batch_id(1)) != std::string::npos);
  const std::string first = status_of(engine, 1, POSTHASTE_STATUS_ALL);
  CHECK(first.find(batch_id(4)) != std::string::npos);
  CHECK(first.find(batch_id(3)) == std::string::npos);
}

TEST_CASE("A webhook without batches has an empty status and an empty open batch",
          "[capi][batch]") {
  const EngineHandle engine = make_engine();
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  CHECK(status_of(engine, 0, POSTHASTE_STATUS_ALL) == "[]");
  uint64_t events = 7;
  uint64_t bytes = 7;
  CHECK(posthaste_open_batch(engine.get(), "hook", &events, &bytes, nullptr) == POSTHASTE_OK);
  CHECK(events == 0);
  CHECK(bytes == 0);
  CHECK(posthaste_open_batch(engine.get(), "hook", nullptr, nullptr, nullptr) == POSTHASTE_OK);
}

TEST_CASE("Batch calls name the argument that is to blame", "[capi][batch]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  posthaste_text_t* text = nullptr;
  uint64_t events = 7;
  const auto culprit = [&] { return std::string(posthaste_error_key(error.get())); };
  CHECK(posthaste_batch_status(engine.get(), "nobody", 0, POSTHASTE_STATUS_ALL, &text,
                               error.get()) == POSTHASTE_E_NOT_FOUND);
  CHECK(posthaste_batch_status(engine.get(), "nobody", 0, 2, &text, error.get()) ==
        POSTHASTE_E_INVALID);
  CHECK(culprit() == "which");
  CHECK(posthaste_batch_status(engine.get(), nullptr, 0, 0, &text, error.get()) ==
        POSTHASTE_E_INVALID);
  CHECK(culprit() == "id");
  CHECK(posthaste_batch_status(engine.get(), "nobody", 0, 0, nullptr, error.get()) ==
        POSTHASTE_E_INVALID);
  CHECK(culprit() == "out");
  CHECK(posthaste_open_batch(engine.get(), "nobody", &events, nullptr, error.get()) ==
        POSTHASTE_E_NOT_FOUND);
  CHECK(events == 0);
  CHECK(posthaste_flush(nullptr, 0, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_flush_ticket(engine.get(), nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_sync(nullptr, 0, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_sync_ticket(engine.get(), nullptr, error.get()) == POSTHASTE_E_INVALID);
}
