#include "engine/report_queue.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/settings.h"

using namespace posthaste;
using namespace posthaste::engine;

namespace {

constexpr core::Duration kNoWait{0};
constexpr uint64_t kRoomy = 4u << 20;
constexpr uint64_t kSmall = 64u << 10;
constexpr uint32_t kAll = core::kAllReportKinds;

Report make(ReportKind kind, int64_t time_ms = 0) {
  Report report;
  report.kind = kind;
  report.webhook_id = "webhook";
  report.time_ms = time_ms;
  return report;
}

Report make_ticket(uint64_t ticket) {
  Report report = make(ReportKind::Ticket);
  report.ticket = ticket;
  return report;
}

Report make_drop(const std::string& webhook_id, DropReason reason, uint64_t events_count,
                 int64_t time_ms = 0) {
  Report report = make(ReportKind::Dropped, time_ms);
  report.webhook_id = webhook_id;
  report.batch_id = "batch of " + webhook_id;
  report.message = "batch dropped";
  report.reason = reason;
  report.events_count = events_count;
  report.count = 1;
  report.bytes = events_count * 500;
  return report;
}

std::vector<Report> drain(ReportQueue& queue) {
  std::vector<Report> reports;
  while (auto report = queue.poll(kNoWait)) reports.push_back(std::move(*report));
  return reports;
}

std::vector<int64_t> times_of(const std::vector<Report>& reports) {
  std::vector<int64_t> times;
  for (const Report& report : reports) times.push_back(report.time_ms);
  return times;
}

size_t read_bytes(int fd) {
  char buffer[4096];
  const ssize_t size = read(fd, buffer, sizeof buffer);
  return size < 0 ? 0 : static_cast<size_t>(size);
}

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

// Fills the queue with reports of one kind until some are lost; returns how many were pushed.
uint64_t overfill(ReportQueue& queue, ReportKind kind, uint64_t max_bytes) {
  const uint64_t pushes = max_bytes / sizeof(Report) + 10;
  for (uint64_t i = 1; i <= pushes; ++i) queue.push(make(kind, static_cast<int64_t>(i)));
  return pushes;
}

}  // namespace

TEST_CASE("Reports of all kinds come in the order of happening", "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  std::vector<int64_t> expected;
  int64_t time = 0;
  for (int round = 0; round < 3; ++round) {
    queue.push(make(ReportKind::Delivered, ++time));
    queue.push(make(ReportKind::State, ++time));
    queue.push(make_drop("w" + std::to_string(round), DropReason::Quota, 1, ++time));
    queue.push(make(ReportKind::Ticket, ++time));
    queue.push(make(ReportKind::Log, ++time));
    queue.push(make(ReportKind::Retrying, ++time));
  }
  for (int64_t i = 1; i <= time; ++i) expected.push_back(i);
  CHECK(times_of(drain(queue)) == expected);
  CHECK(queue.used_bytes() == 0);
}

TEST_CASE("Drops of one webhook and reason merge into one exact count while unpolled",
          "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  Report probed = make_drop("a", DropReason::Expired, 10, 100);
  probed.status = 503;
  probed.attempts_count = 9;
  queue.push(std::move(probed));
  queue.push(make(ReportKind::Log, 101));
  queue.push(make_drop("a", DropReason::Quota, 7, 102));
  queue.push(make_drop("b", DropReason::Expired, 5, 103));
  Report reached = make_drop("a", DropReason::Expired, 20, 104);
  reached.reached = transport::Reached::Maybe;
  queue.push(std::move(reached));
  Report several = make_drop("a", DropReason::Expired, 30, 105);
  several.count = 4;
  queue.push(std::move(several));

  const auto reports = drain(queue);
  REQUIRE(times_of(reports) == std::vector<int64_t>{100, 101, 102, 103});
  CHECK(reports[0].webhook_id == "a");
  CHECK(reports[0].reason == DropReason::Expired);
  CHECK(reports[0].events_count == 60);
  CHECK(reports[0].count == 6);
  CHECK(reports[0].bytes == 30'000);
  CHECK(reports[0].reached == transport::Reached::Maybe);
  CHECK(reports[0].batch_id.empty());
  CHECK(reports[0].status == 0);
  CHECK(reports[0].attempts_count == 0);
  CHECK(reports[0].message == "drops merged, reason expired: batches 6, events 60");
  CHECK(reports[2].events_count == 7);
  CHECK(reports[2].batch_id == "batch of a");
  CHECK(reports[2].message == "batch dropped");
  CHECK(queue.used_bytes() == 0);

  queue.push(make_drop("a", DropReason::Expired, 1, 200));
  CHECK(queue.poll(kNoWait)->events_count == 1);
}

TEST_CASE("Delivered and retrying reports give way first, the oldest of them at once",
          "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  queue.push(make(ReportKind::State, -2));
  queue.push(make(ReportKind::Retrying, -1));
  const uint64_t pushes = overfill(queue, ReportKind::Delivered, kSmall);
  queue.push(make(ReportKind::Log, 1'000'000));
  CHECK(queue.used_bytes() <= kSmall);

  const auto reports = drain(queue);
  REQUIRE(reports.size() > 3);
  CHECK(reports[0].kind == ReportKind::Overflow);
  CHECK(reports[1].time_ms == -2);
  CHECK(reports[2].kind == ReportKind::Delivered);
  CHECK(reports[reports.size() - 2].time_ms == static_cast<int64_t>(pushes));
  CHECK(reports.back().kind == ReportKind::Log);
  // All but the overflow, the state and the line are of the delivered ones.
  CHECK(reports[0].count == 1 + pushes - (reports.size() - 3));
}

TEST_CASE("Without delivered and retrying reports the oldest give way", "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  const uint64_t pushes = overfill(queue, ReportKind::State, kSmall);
  // It is the only one that yields, so it is lost before the older ones.
  queue.push(make(ReportKind::Delivered, -1));
  const auto reports = drain(queue);
  CHECK(reports[0].kind == ReportKind::Overflow);
  CHECK(reports[0].count == pushes + 1 - (reports.size() - 1));
  CHECK(reports[0].time_ms == 1);
  for (size_t i = 1; i < reports.size(); ++i) {
    REQUIRE(reports[i].time_ms == static_cast<int64_t>(pushes - (reports.size() - 1) + i));
  }
}

TEST_CASE("After losses the next poll begins with exactly one overflow report",
          "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  overfill(queue, ReportKind::Delivered, kSmall);
  const auto first = queue.poll(kNoWait);
  CHECK(first->kind == ReportKind::Overflow);
  CHECK(first->message == std::to_string(first->count) + " reports were lost for want of room");
  CHECK(queue.poll(kNoWait)->kind == ReportKind::Delivered);
  const uint64_t pushes = overfill(queue, ReportKind::Delivered, kSmall);
  CHECK(queue.poll(kNoWait)->count >= pushes - kSmall / sizeof(Report));
  for (const Report& report : drain(queue)) CHECK(report.kind == ReportKind::Delivered);
}

TEST_CASE("A report larger than the bound is lost alone and counted", "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  queue.push(make(ReportKind::Delivered, 1));
  Report large = make(ReportKind::Log, 2);
  large.message = std::string(kSmall, 'x');
  queue.push(std::move(large));
  const auto reports = drain(queue);
  REQUIRE(times_of(reports) == std::vector<int64_t>{2, 1});
  CHECK(reports[0].kind == ReportKind::Overflow);
  CHECK(reports[0].count == 1);
}

TEST_CASE("Tickets are never lost, even when they alone are over the bound",
          "[engine][report_queue]") {
  ReportQueue queue(kSmall, 0);
  for (uint64_t i = 1; i <= 1024; ++i) queue.push(make_ticket(i));
  const auto reports = drain(queue);
  REQUIRE(reports.size() == 1024);
  for (uint64_t i = 0; i < 1024; ++i) REQUIRE(reports[i].ticket == i + 1);
}

TEST_CASE("Drops of more webhooks than there is room for merge further and stay exact",
          "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  queue.push(make_ticket(1));
  queue.push(make(ReportKind::State));
  constexpr uint64_t kWebhooks = 5000;
  std::map<DropReason, std::pair<uint64_t, uint64_t>> expected;
  for (uint64_t i = 0; i < kWebhooks; ++i) {
    const auto reason = i % 3 == 0 ? DropReason::Expired : DropReason::Quota;
    queue.push(
        make_drop("webhook " + std::to_string(i % 1000), reason, i, static_cast<int64_t>(i)));
    expected[reason].first += i;
    ++expected[reason].second;
  }
  CHECK(queue.used_bytes() <= kSmall);

  std::map<DropReason, std::pair<uint64_t, uint64_t>> found;
  std::map<DropReason, int> totals_count;
  const auto reports = drain(queue);
  CHECK(reports.front().kind == ReportKind::Overflow);
  CHECK(reports.front().count == 1);
  for (const Report& report : reports) {
    if (report.kind != ReportKind::Dropped) continue;
    found[report.reason].first += report.events_count;
    found[report.reason].second += report.count;
    CHECK(report.bytes == report.events_count * 500);
    if (report.webhook_id.empty()) {
      ++totals_count[report.reason];
      CHECK(report.batch_id.empty());
      CHECK(report.time_ms < 3);
    }
  }
  CHECK(found == expected);
  CHECK(totals_count ==
        std::map<DropReason, int>{{DropReason::Expired, 1}, {DropReason::Quota, 1}});
  CHECK(reports.size() > 10);
  CHECK(queue.used_bytes() == 0);
}

TEST_CASE("A million reports that nobody polls stay under the bound", "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  constexpr uint64_t kPushes = 1'000'000;
  uint64_t most = 0;
  for (uint64_t i = 0; i < kPushes; ++i) {
    if (i % 10 == 9) {
      queue.push(make_drop("w", DropReason::Quota, 3));
    } else {
      queue.push(make(i % 3 == 0 ? ReportKind::State : ReportKind::Delivered));
    }
    if (i % 1000 == 0) most = std::max(most, queue.used_bytes());
  }
  CHECK(most <= kSmall);
  uint64_t kept = 0, lost = 0, dropped_events = 0, drop_reports = 0;
  for (const Report& report : drain(queue)) {
    if (report.kind == ReportKind::Overflow) {
      lost += report.count;
    } else if (report.kind == ReportKind::Dropped) {
      dropped_events += report.events_count;
      ++drop_reports;
    } else {
      ++kept;
    }
  }
  CHECK(drop_reports == 1);
  CHECK(dropped_events == kPushes / 10 * 3);
  CHECK(kept + lost == kPushes / 10 * 9);
}

TEST_CASE("report.kinds keeps kinds out, tickets excepted, and changes live",
          "[engine][report_queue]") {
  ReportQueue queue(kRoomy, 1u << 2);
  CHECK(queue.is_wanted(ReportKind::Retrying));
  CHECK(queue.is_wanted(ReportKind::Ticket));
  CHECK_FALSE(queue.is_wanted(ReportKind::Delivered));
  queue.push(make(ReportKind::Delivered, 1));
  queue.push(make(ReportKind::Retrying, 2));
  queue.push(make_drop("w", DropReason::Quota, 1, 3));
  queue.push(make(ReportKind::Ticket, 4));
  queue.set_kinds(1u << 1);
  queue.push(make(ReportKind::Delivered, 5));
  queue.push(make(ReportKind::Retrying, 6));
  CHECK(times_of(drain(queue)) == std::vector<int64_t>{2, 4, 5});
}

TEST_CASE("With overflow deselected losses make no report", "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll & ~(1u << 6));
  overfill(queue, ReportKind::Delivered, kSmall);
  for (const Report& report : drain(queue)) CHECK(report.kind == ReportKind::Delivered);
}

TEST_CASE("A smaller bound takes effect at once", "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  for (int i = 0; i < 1000; ++i) queue.push(make(ReportKind::Log, i));
  REQUIRE(queue.used_bytes() > kSmall);
  queue.set_max_bytes(kSmall);
  CHECK(queue.used_bytes() <= kSmall);
  const auto reports = drain(queue);
  CHECK(reports[0].count + reports.size() - 1 == 1000);
  CHECK(reports.back().time_ms == 999);
}

TEST_CASE("An empty queue answers nothing at once, or after the time-out",
          "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  CHECK_FALSE(queue.poll(kNoWait));
  CHECK_FALSE(queue.poll(std::chrono::milliseconds(1)));
}

TEST_CASE("A poll without limit returns with the report that comes", "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  std::set<uint64_t> tickets;
  std::mutex mutex;
  std::vector<std::thread> pollers;
  for (int i = 0; i < 3; ++i) {
    pollers.emplace_back([&] {
      const auto report = queue.poll(std::nullopt);
      const std::lock_guard lock(mutex);
      tickets.insert(report ? report->ticket : 0);
    });
  }
  for (uint64_t i = 1; i <= 3; ++i) queue.push(make_ticket(i));
  for (std::thread& poller : pollers) poller.join();
  CHECK(tickets == std::set<uint64_t>{1, 2, 3});
}

TEST_CASE("After close polls take what waits and wait for nothing", "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  std::thread poller([&] { CHECK_FALSE(queue.poll(std::nullopt)); });
  queue.wake_all();
  poller.join();
  queue.push(make(ReportKind::Log));
  CHECK(queue.poll(std::nullopt));
  CHECK_FALSE(queue.poll(std::nullopt));
}

TEST_CASE("The descriptor is a non-blocking, close-on-exec pipe that exists from start on",
          "[engine][report_queue]") {
  int fd = -1;
  {
    ReportQueue queue(kRoomy, kAll);
    CHECK(queue.fd() == -1);
    queue.push(make(ReportKind::Log));
    REQUIRE(queue.open_descriptor());
    fd = queue.fd();
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(fcntl(fd, F_GETFD) == -1);
}

TEST_CASE("The descriptor gets one byte per change from empty to not", "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  REQUIRE(queue.open_descriptor());
  CHECK_FALSE(is_readable(queue.fd()));
  queue.push(make(ReportKind::Log));
  queue.push(make(ReportKind::Log));
  queue.push(make_drop("w", DropReason::Quota, 1));
  CHECK(read_bytes(queue.fd()) == 1);
  REQUIRE(queue.poll(kNoWait));
  queue.push(make(ReportKind::Log));
  CHECK_FALSE(is_readable(queue.fd()));
  CHECK(drain(queue).size() == 3);
  queue.push(make_drop("w", DropReason::Quota, 1));
  drain(queue);
  queue.push(make_ticket(1));
  CHECK(read_bytes(queue.fd()) == 2);
}

TEST_CASE("Reports that wait before the descriptor is made are announced on it",
          "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  queue.push(make(ReportKind::Log));
  queue.push(make(ReportKind::Log));
  REQUIRE(queue.open_descriptor());
  CHECK(read_bytes(queue.fd()) == 1);
}

TEST_CASE("A report that is not queued is not announced, the overflow it causes is",
          "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll & ~(1u << 1));
  REQUIRE(queue.open_descriptor());
  queue.push(make(ReportKind::Delivered));
  CHECK_FALSE(is_readable(queue.fd()));
  Report large = make(ReportKind::Log);
  large.message = std::string(kSmall, 'x');
  queue.push(std::move(large));
  CHECK(read_bytes(queue.fd()) == 1);
}

TEST_CASE("A full pipe blocks nobody and stays readable", "[engine][report_queue]") {
  ReportQueue queue(kRoomy, kAll);
  REQUIRE(queue.open_descriptor());
  for (int i = 0; i < 70'000; ++i) {
    queue.push(make(ReportKind::Log));
    queue.poll(kNoWait);
  }
  CHECK(is_readable(queue.fd()));
}

TEST_CASE("Threads that push and poll at once lose nothing that is not counted",
          "[engine][report_queue]") {
  ReportQueue queue(kSmall, kAll);
  REQUIRE(queue.open_descriptor());
  constexpr uint64_t kEach = 5000;
  std::vector<std::thread> pushers;
  for (int i = 0; i < 3; ++i) {
    pushers.emplace_back([&queue, i] {
      for (uint64_t j = 0; j < kEach; ++j) {
        queue.push(make(ReportKind::Delivered));
        queue.push(make_drop("w" + std::to_string((static_cast<uint64_t>(i) + j) % 200),
                             DropReason::Closed, 1));
      }
    });
  }
  std::atomic<uint64_t> delivered{0}, events{0};
  std::vector<std::thread> pollers;
  for (int i = 0; i < 2; ++i) {
    pollers.emplace_back([&] {
      while (const auto report = queue.poll(std::nullopt)) {
        if (report->kind == ReportKind::Dropped) {
          events += report->events_count;
        } else {
          delivered += report->kind == ReportKind::Overflow ? report->count : 1;
        }
      }
    });
  }
  for (std::thread& pusher : pushers) pusher.join();
  queue.wake_all();
  for (std::thread& poller : pollers) poller.join();
  CHECK(delivered == 3 * kEach);
  CHECK(events == 3 * kEach);
}
