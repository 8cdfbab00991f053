// Endpoints that answer nothing, read nothing or never resolve: they are cut off in time and hurt
// no one else.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/host.h"
#include "support/receiver.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

const std::string kEvent = R"({"type":"delivery","timestamp":"1","event_id":"1","filler":")" +
                           std::string(440, 'x') + "\"}";

}  // namespace

TEST_CASE(
    "A receiver that hangs is cut at six seconds, sees the connection close, and gets the same "
    "batch again",
    "[integration][silent]") {
  const bool reads = GENERATE(true, false);
  Receiver receiver({.socket_buffer_bytes = 65536});
  if (reads) {
    receiver.hang();
  } else {
    receiver.never_read_bodies();
  }
  Host host;
  host.put("w", receiver.url()).start();
  // Enough that the sockets' buffers cannot take it all.
  for (int i = 0; i < 10'000; ++i) host.push_all("delivery", kEvent);
  REQUIRE(receiver.log().wait_for_connections(1, 10s));
  const Clock::time_point opened = receiver.log().connections()[0].opened_at;
  const std::optional<Connection> ended = receiver.log().wait_for_end(0, 20s);
  REQUIRE(ended);
  CHECK(ended->ended_by_peer());
  const auto held = std::chrono::duration_cast<std::chrono::milliseconds>(ended->ended_at - opened);
  CHECK(held >= 5900ms);
  CHECK(held <= 6500ms);

  const std::string first_id = *receiver.log().requests().at(0).header("X-MessageSystems-Batch-ID");
  const std::string first_body = receiver.log().requests().at(0).body;
  receiver.behave();
  REQUIRE(receiver.log().wait_for_accepted_events(10'000, 20s));
  const Request again = receiver.log().requests().back();
  CHECK(*again.header("X-MessageSystems-Batch-ID") == first_id);
  if (reads) CHECK(again.body == first_body);
}

TEST_CASE("1,000 connections reset in mid-upload leave the host alive and the batch waiting",
          "[integration][silent]") {
  Receiver receiver;
  // Less than one event, so that parts of the batch do not pass either.
  receiver.reset_after(100);
  Host host(Settings{{"retry.base", "1ms"}, {"retry.max", "1ms"}, {"log.level", "off"}});
  host.put("w", receiver.url()).start();
  for (int i = 0; i < 2'000; ++i) host.push_all("delivery", kEvent);
  REQUIRE(posthaste_flush(host.get(), 20'000, host.error()) == POSTHASTE_OK);
  REQUIRE(receiver.log().wait_for_connections(1'000, 60s));
  receiver.behave();
  CHECK(receiver.log().wait_for_accepted_events(2'000, 20s));
}

TEST_CASE("Close returns in time although every endpoint hangs, and reports what it gave up",
          "[integration][silent]") {
  Receiver receiver;
  receiver.hang();
  Host host;
  host.put("a", receiver.url("/a")).put("b", receiver.url("/b")).start();
  for (int i = 0; i < 1'000; ++i) host.push_all("delivery", kEvent);
  const auto begin = Clock::now();
  CHECK(host.close(1'000) == POSTHASTE_E_TIMEOUT);
  const auto took = Clock::now() - begin;
  CHECK(took >= 900ms);
  CHECK(took < 1'500ms);
  CHECK(host.push("delivery", "{}") == POSTHASTE_E_STATE);
  CHECK(host.close(1'000) == POSTHASTE_OK);
  uint64_t dropped = 0;
  for (const ReportHandle& report : host.take_reports()) {
    if (posthaste_report_kind(report.get()) != POSTHASTE_REPORT_DROPPED) continue;
    CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_CLOSED);
    dropped += posthaste_report_events(report.get());
  }
  CHECK(dropped == 2'000);
}

TEST_CASE(
    "With all endpoints hanging push goes on, memory keeps its limits, and every event is "
    "accounted for",
    "[integration][silent]") {
  Receiver receiver;
  receiver.hang();
  Host host(Settings{{"intake.max_bytes", "8MiB"},
                     {"waiting.max_bytes", "64MiB"},
                     {"request.timeout", "1s"},
                     {"retry.max_age", "1m"},
                     {"event.max_bytes", "64KiB"},
                     {"log.level", "off"}});
  host.put("a", receiver.url("/a")).put("b", receiver.url("/b"), {{"events", "delivery"}}).start();
  // Eight times intake.max_bytes at a paced 20,000 events a second.
  constexpr int kEvents = 8 * (8 << 20) / 500;
  int accepted = 0;
  const auto begin = Clock::now();
  for (int i = 0; i < kEvents; ++i) {
    if (i % 200 == 0) std::this_thread::sleep_until(begin + std::chrono::milliseconds(i / 20));
    if (host.push("delivery", kEvent) == POSTHASTE_OK) ++accepted;
  }
  CHECK(accepted >= kEvents * 999 / 1000);
  CHECK(host.close(0) == POSTHASTE_E_TIMEOUT);
  uint64_t dropped = 0;
  for (const ReportHandle& report : host.take_reports()) {
    if (posthaste_report_kind(report.get()) == POSTHASTE_REPORT_DROPPED)
      dropped += posthaste_report_events(report.get());
  }
  CHECK(dropped == 2 * static_cast<uint64_t>(accepted));
}

TEST_CASE("One webhook that never answers does not delay a healthy one", "[integration][silent]") {
  Receiver hanging;
  hanging.hang();
  Receiver healthy;
  Host host;
  host.put("dead", hanging.url()).put("well", healthy.url()).start();
  for (int i = 0; i < 30'000; ++i) host.push_all("delivery", kEvent);
  CHECK(healthy.log().wait_for_accepted_events(30'000, 5s));
}
