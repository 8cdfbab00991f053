// The torture: kills hosts in the middle of everything, thousands of times, and proves that nothing
// that was accepted is lost. README.md in this folder says how to use it; scripts/torture.sh builds
// and runs it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>

#include "torture/breaks.h"
#include "torture/demands.h"
#include "torture/round.h"

namespace posthaste::torture {
namespace {

// After so many cycles comes a quiet phase, and everything is checked.
constexpr uint64_t kRoundCycles = 200;
// With a rule broken the first failure will do, so rounds are short at first.
constexpr uint64_t kFirstBrokenRoundCycles = 25;
// A run of so many cycles must have crossed every crash point so often.
constexpr uint64_t kCrossingsLeast = 20;

struct Options {
  uint64_t cycles_count = kRoundCycles;
  uint64_t seed = 0;
  std::string directory;
  const BreakInfo* broken = nullptr;
  bool keeps = false;
};

struct Totals {
  RoundSums sums;
  void add(const RoundSums& round) {
    sums.cycles += round.cycles;
    sums.kills += round.kills;
    sums.double_kills += round.double_kills;
    sums.closes += round.closes;
    sums.ledger.events += round.ledger.events;
    sums.ledger.obligations += round.ledger.obligations;
    sums.ledger.duplicates += round.ledger.duplicates;
    sums.ledger.dropped += round.ledger.dropped;
  }
};

void print_sums(const RoundSums& sums, const Crossings& crossings) {
  uint64_t point_kills = 0;
  for (size_t i = 0; i < kCrashPointsCount; ++i) point_kills += crossings.kills(i);
  fmt::print(
      "{} cycles: {} killed, {} of these at a crash point, {} twice in a row in recovery; {} "
      "closed\n"
      "{} events, {} obligations kept, {} batches came twice, {} events dropped by a quota\n",
      sums.cycles, sums.kills, point_kills, sums.double_kills, sums.closes, sums.ledger.events,
      sums.ledger.obligations, sums.ledger.duplicates, sums.ledger.dropped);
}

bool print_crossings(const Crossings& crossings, bool is_demanding) {
  bool is_enough = true;
  fmt::print("crossings and kills by crash point:\n");
  for (size_t i = 0; i < kCrashPointsCount; ++i) {
    if (!is_demanded(kCrashPoints[i])) continue;
    const bool is_short = is_demanding && crossings.crossings(i) < kCrossingsLeast;
    fmt::print("{:>10} {:>5}  {}{}\n", crossings.crossings(i), crossings.kills(i), kCrashPoints[i],
               is_short ? "  (too few)" : "");
    is_enough = is_enough && !is_short;
  }
  return is_enough;
}

// Whether the failures are those that the break must cause.
int judge_break(const BreakInfo& broken, const std::vector<Failure>& failures) {
  for (const Failure& failure : failures) {
    fmt::print("{}: {}\n", failure.check, failure.text);
    if (broken.checks.find(" " + failure.check + " ") != std::string_view::npos) return 0;
  }
  if (failures.empty()) {
    fmt::print("nobody noticed {}\n", broken.name);
  } else {
    fmt::print("expected one of{}\n", broken.checks);
  }
  return 1;
}

int run(const Options& options) {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "posthaste-torture-XXXXXX").string();
  if (options.directory.empty() && !mkdtemp(pattern.data())) {
    std::perror(pattern.c_str());
    return 2;
  }
  const fs::path directory = options.directory.empty() ? pattern : options.directory;
  fs::create_directories(directory);
  fmt::print("seed {}\n", options.seed);
  const auto start = std::chrono::steady_clock::now();

  Crossings crossings(directory / "counters");
  simulation::Chance chance(options.seed);
  FarSide far_side(options.seed + 1);
  Totals totals;
  std::vector<Failure> failures;
  uint64_t cycle = 1;
  uint64_t round_cycles = options.broken ? kFirstBrokenRoundCycles : kRoundCycles;
  const bool is_demanding = options.cycles_count >= kRoundCycles && !options.broken;
  for (uint64_t done = 0; done < options.cycles_count && failures.empty();) {
    RoundOptions round_options;
    round_options.directory = directory;
    if (options.broken) round_options.break_name = options.broken->name;
    round_options.first_cycle = cycle;
    round_options.cycles_count = std::min(round_cycles, options.cycles_count - done);
    round_cycles = std::min(2 * round_cycles, kRoundCycles);
    if (is_demanding) round_options.crossings_least = kCrossingsLeast;
    fs::remove(directory / "ledger");
    Round round(round_options, far_side, crossings, chance);
    failures = round.run();
    totals.add(round.sums());
    done += round_options.cycles_count;
    cycle = round.next_cycle();
  }
  if (options.broken) {
    fs::remove_all(directory);
    return judge_break(*options.broken, failures);
  }
  print_sums(totals.sums, crossings);
  const bool is_enough = print_crossings(crossings, is_demanding);
  fmt::print("{:.1f} s\n",
             std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  for (const Failure& failure : failures) fmt::print("{}: {}\n", failure.check, failure.text);
  if (failures.empty() && is_enough) {
    if (!options.keeps) fs::remove_all(directory);
    return 0;
  }
  fmt::print(
      "failed; spool, ledger, log and arrivals are in {}\nrepeat with --cycles {} --seed {}\n",
      directory.string(), options.cycles_count, options.seed);
  return 1;
}

int usage() {
  fmt::print(
      "usage: torture [--cycles N] [--seed S] [--directory D] [--keep] [--break NAME]\nbreaks:");
  for (const BreakInfo& info : kBreaks) fmt::print(" {}", info.name);
  fmt::print("\n");
  return 2;
}

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  options.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--keep") {
      options.keeps = true;
      continue;
    }
    if (++i == argc) return usage();
    if (name == "--cycles") {
      options.cycles_count = std::strtoull(argv[i], nullptr, 10);
    } else if (name == "--seed") {
      options.seed = std::strtoull(argv[i], nullptr, 10);
    } else if (name == "--directory") {
      options.directory = argv[i];
    } else if (name == "--break") {
      options.broken = find_break(argv[i]);
      if (!options.broken) return usage();
    } else {
      return usage();
    }
  }
  return run(options);
}

}  // namespace
}  // namespace posthaste::torture

int main(int argc, char** argv) {
  return posthaste::torture::main(argc, argv);
}
