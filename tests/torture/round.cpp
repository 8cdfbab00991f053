#include "torture/round.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>
#include <thread>
#include <utility>

#include "torture/demands.h"

namespace posthaste::torture {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{30'000};
// When nothing came for so long, the last retry has come.
constexpr milliseconds kQuiet{500};
constexpr int kDrainsMax = 20;

void sleep_ms(uint64_t length_ms) {
  std::this_thread::sleep_for(milliseconds(length_ms));
}

}  // namespace

Round::Round(RoundOptions options, FarSide& far_side, Crossings& crossings,
             simulation::Chance& chance)
    : options_(std::move(options)),
      far_side_(far_side),
      crossings_(crossings),
      chance_(chance),
      cycle_(options_.first_cycle) {}

std::vector<Failure> Round::run() {
  // The permanent webhooks are there before anything is killed.
  Plan first;
  first.work_ms = 20;
  bool goes_on = run_cycle(first);
  for (uint64_t i = 0; goes_on && is_wanted(i); ++i) {
    const bool recovers = was_killed_ && chance_.one_in(was_killed_recovering_ ? 2 : 5);
    goes_on = run_cycle(recovers ? recovery_plan() : next_plan());
  }
  Ledger ledger;
  goes_on = goes_on && drain();
  ledger.read(options_.directory + "/ledger");
  if (goes_on) {
    failures_ = ledger.check(arrivals_);
  } else {
    for (const std::string& problem : ledger.problems()) failures_.push_back({"host", problem});
  }
  sums_.ledger = ledger.sums();
  if (!failures_.empty()) arrivals_.write(options_.directory + "/arrivals");
  return failures_;
}

// Until there were enough, and somewhat longer if that is what it takes to cross everything.
bool Round::is_wanted(uint64_t index) const {
  if (index < options_.cycles_count) return true;
  if (options_.crossings_least == 0 || index >= 2 * options_.cycles_count) return false;
  for (size_t i = 0; i < kCrashPointsCount; ++i) {
    if (is_demanded(kCrashPoints[i]) && crossings_.crossings(i) < options_.crossings_least) {
      return true;
    }
  }
  return false;
}

Round::Plan Round::next_plan() {
  Plan plan;
  plan.mood = chance_.of({Mood::Good, Mood::Mixed, Mood::Mixed, Mood::Mixed, Mood::Down});
  const uint64_t dice = chance_.below(100);
  if (dice < 45) {
    plan.point = next_point();
    plan.crossing = chance_.one_in(2) ? 1 : chance_.between(1, 12);
    plan.work_ms = 150;
    plan.ending = "kill";
  } else if (dice < 94) {
    plan.is_killed = true;
    plan.waits_for_start = chance_.below(5) > 0;
    plan.kill_after_ms = chance_.below(plan.waits_for_start ? 100 : 25);
    // The place that recovery starts from is written twice a second.
    if (plan.waits_for_start && chance_.one_in(5)) plan.kill_after_ms += 500;
    plan.work_ms = 5'000;
    plan.ending = "kill";
  } else {
    plan.work_ms = chance_.between(10, 100);
  }
  return plan;
}

// Another kill before the host has come to do anything new.
Round::Plan Round::recovery_plan() {
  Plan plan = next_plan();
  plan.is_killed = false;
  plan.mode = "recover";
  plan.ending = chance_.one_in(8) ? "close" : "kill";
  plan.work_ms = chance_.between(10, 60);
  plan.crossing = 1;
  if (plan.ending == "kill" && chance_.one_in(2)) {
    plan.point = next_point();
  } else {
    plan.point = kCrashPointsCount;
    plan.is_killed = plan.ending == "kill";
    plan.waits_for_start = chance_.one_in(2);
    plan.kill_after_ms = chance_.below(20);
  }
  return plan;
}

// Of some at random, the one that killed least.
size_t Round::next_point() {
  size_t least = kCrashPointsCount;
  for (int i = 0; i < 4; ++i) {
    const size_t point = chance_.below(kCrashPointsCount);
    if (!is_demanded(kCrashPoints[point])) continue;
    if (least == kCrashPointsCount || crossings_.kills(point) < crossings_.kills(least)) {
      least = point;
    }
  }
  return least;
}

bool Round::run_cycle(const Plan& plan) {
  far_side_.begin(arrivals_, cycle_, plan.mood);
  HostProcess host(arguments_of(plan), options_.directory + "/host.log");
  if (plan.is_killed) {
    if (plan.waits_for_start && !host.wait_for_start(kPatience)) return fail("did not start");
    sleep_ms(plan.kill_after_ms);
    host.kill_now();
  }
  if (!host.wait(kPatience)) return fail("did not end");
  const bool may_die = plan.ending == "kill" || plan.point != kCrashPointsCount;
  const bool is_killed = host.was_killed() && may_die;
  if (!is_killed && !host.has_succeeded()) return fail(host.ending());
  const bool is_recovery = plan.mode == "recover";
  ++sums_.cycles;
  ++(is_killed ? sums_.kills : sums_.closes);
  sums_.double_kills += is_killed && is_recovery && was_killed_recovering_;
  was_killed_ = is_killed;
  was_killed_recovering_ = is_killed && is_recovery;
  if (!far_side_.settle()) return fail("left connections behind");
  ++cycle_;
  return true;
}

std::vector<std::string> Round::arguments_of(const Plan& plan) const {
  std::vector<std::string> arguments = {"directory=" + options_.directory + "/spool",
                                        "port=" + far_side_.port(),
                                        "ledger=" + options_.directory + "/ledger",
                                        "counters=" + options_.directory + "/counters",
                                        fmt::format("cycle={}", cycle_),
                                        fmt::format("seed={}", chance_.below(1u << 30)),
                                        fmt::format("work_ms={}", plan.work_ms),
                                        "mode=" + plan.mode,
                                        "ending=" + plan.ending};
  if (plan.point != kCrashPointsCount) {
    arguments.push_back(std::string("point=") + kCrashPoints[plan.point]);
    arguments.push_back(fmt::format("crossing={}", plan.crossing));
  }
  if (!options_.break_name.empty()) arguments.push_back("break=" + options_.break_name);
  return arguments;
}

// The quiet phase: nothing fails any more, and a host runs until nothing is left.
bool Round::drain() {
  for (int i = 0; i < kDrainsMax; ++i) {
    Plan plan;
    plan.mode = "drain";
    far_side_.begin(arrivals_, cycle_, Mood::Healthy);
    HostProcess host(arguments_of(plan), options_.directory + "/host.log");
    if (!host.wait_for_start(kPatience)) return fail("did not start to drain");
    sleep_ms(kQuiet.count() * static_cast<uint64_t>(i > 3 ? 4 : 1));
    while (arrivals_.age() < kQuiet) sleep_ms(10);
    host.close_input();
    if (!host.wait(kPatience)) return fail("did not end after draining");
    if (!host.has_succeeded()) return fail(host.ending());
    if (!far_side_.settle()) return fail("left connections behind");
    ++cycle_;
    if (is_spool_empty()) return true;
  }
  return fail("batches were left when all was quiet");
}

bool Round::is_spool_empty() {
  sqlite3* database = nullptr;
  sqlite3_stmt* count = nullptr;
  bool is_empty = false;
  const std::string path = options_.directory + "/spool/spool.db";
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
      sqlite3_prepare_v2(
          database, "SELECT (SELECT count(*) FROM batches) + (SELECT count(*) FROM dead_letters)",
          -1, &count, nullptr) == SQLITE_OK &&
      sqlite3_step(count) == SQLITE_ROW) {
    is_empty = sqlite3_column_int64(count, 0) == 0;
  }
  sqlite3_finalize(count);
  sqlite3_close(database);
  return is_empty;
}

bool Round::fail(std::string text) {
  failures_.push_back({"host", fmt::format("the host of cycle {} {}", cycle_, text)});
  return false;
}

}  // namespace posthaste::torture
