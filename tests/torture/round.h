// One round of the torture: so many hosts killed one after the other on one spool, then quiet, then
// the check that everything owed has arrived.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/chance.h"
#include "torture/arrivals.h"
#include "torture/crossings.h"
#include "torture/far_side.h"
#include "torture/host_process.h"
#include "torture/ledger.h"

namespace posthaste::torture {

struct RoundOptions {
  std::string directory;   // for spool, ledger and logs
  std::string break_name;  // empty: none
  uint64_t first_cycle = 1;
  uint64_t cycles_count = 0;
  // Up to as many more, until each crash point was crossed so often.
  uint64_t crossings_least = 0;
};

struct RoundSums {
  LedgerSums ledger;
  uint64_t cycles = 0;
  uint64_t kills = 0;
  uint64_t double_kills = 0;  // of hosts whose predecessor was killed in recovery, too
  uint64_t closes = 0;
};

// Purpose: drives one round. Ownership: refers to everything. Threads: one, beside those of the far
// side. Invariants: one host at a time, and nothing of it is under way when the next one starts.
class Round {
 public:
  Round(RoundOptions options, FarSide& far_side, Crossings& crossings, simulation::Chance& chance);

  // Empty when every rule held.
  std::vector<Failure> run();
  const RoundSums& sums() const { return sums_; }
  uint64_t next_cycle() const { return cycle_; }

 private:
  // How a host is to end.
  struct Plan {
    std::string mode = "run";
    std::string ending = "close";  // of itself, if it lives so long
    Mood mood = Mood::Good;
    uint64_t work_ms = 0;
    size_t point = kCrashPointsCount;  // to be killed at; kCrashPointsCount: none
    uint64_t crossing = 1;             // the how-manieth time
    bool is_killed = false;            // at some moment
    bool waits_for_start = false;      // the moment counts from there
    uint64_t kill_after_ms = 0;
  };

  bool is_wanted(uint64_t index) const;
  Plan next_plan();
  Plan recovery_plan();
  size_t next_point();
  bool run_cycle(const Plan& plan);
  bool drain();
  bool is_spool_empty();
  std::vector<std::string> arguments_of(const Plan& plan) const;
  bool fail(std::string text);

  const RoundOptions options_;
  FarSide& far_side_;
  Crossings& crossings_;
  simulation::Chance& chance_;
  Arrivals arrivals_;
  uint64_t cycle_ = 0;
  bool was_killed_ = false;  // the last host
  bool was_killed_recovering_ = false;
  std::vector<Failure> failures_;
  RoundSums sums_;
};

}  // namespace posthaste::torture
