// The runner of the simulation: runs seeds, each twice to compare the traces, and tells how often
// each fault, state and outcome occurred. README.md in this folder says how to use it.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/crash_point.h"
#include "core/deliberate_break.h"
#include "simulation/world.h"

namespace posthaste::core {
Break chosen_break = Break::None;
void (*crash_point_hook)(const char*) = nullptr;
}  // namespace posthaste::core

namespace posthaste::simulation {
namespace {

using core::Break;

struct BreakInfo {
  const char* name;
  Break kind;
  const char* invariants;  // those that notice it, with blanks between and around
};

constexpr BreakInfo kBreaks[] = {
    {"LoseEvent", Break::LoseEvent, " one_place "},
    {"DoubleEvent", Break::DoubleEvent, " one_place "},
    {"MiscountDelivered", Break::MiscountDelivered, " counters "},
    {"OverfullBatch", Break::OverfullBatch, " limits "},
    {"OldBatch", Break::OldBatch, " limits "},
    {"NeedlessSeal", Break::NeedlessSeal, " limits "},
    {"EarlyActivation", Break::EarlyActivation, " one_place "},
    {"TooManyInFlight", Break::TooManyInFlight, " in_flight "},
    {"TooManyConnections", Break::TooManyConnections, " in_flight "},
    {"TooManyProbes", Break::TooManyProbes, " in_flight "},
    {"EarlyProbe", Break::EarlyProbe, " due "},
    {"EarlyRetry", Break::EarlyRetry, " due "},
    {"LateAttempt", Break::LateAttempt, " expiry "},
    {"RestartedClock", Break::RestartedClock, " expiry "},
    {"RunningPauseClock", Break::RunningPauseClock, " expiry "},
    {"ChangedBytes", Break::ChangedBytes, " same_bytes "},
    {"ChangedId", Break::ChangedId, " one_place "},
    {"OutOfOrder", Break::OutOfOrder, " order "},
    {"BlockedByTroubled", Break::BlockedByTroubled, " idle "},
    {"RandomUnseeded", Break::RandomUnseeded, " trace "},
    {"StuckInTrouble", Break::StuckInTrouble, " state idle order "},
    {"UnboundedIntake", Break::UnboundedIntake, " memory "},
    {"UnboundedWaiting", Break::UnboundedWaiting, " memory "},
    {"GreedyCopies", Break::GreedyCopies, " memory "},
    {"UnboundedReports", Break::UnboundedReports, " memory "},
    {"SlowLoses", Break::SlowLoses, " slow_loses_nothing "},
    {"LostDropCount", Break::LostDropCount, " reports "},
    {"SilentClose", Break::SilentClose, " reports "},
    {"EarlyFlush", Break::EarlyFlush, " flush "},
    {"OldTargetForgotten", Break::OldTargetForgotten, " target "},
    {"RemovedStuck", Break::RemovedStuck, " state idle "},
    {"PausedSends", Break::PausedSends, " pause "},
    {"DroppedTwice", Break::DroppedTwice, " reports "},
};

// What a quick run must have met at least once.
constexpr const char* kMustOccur[] = {
    "fault none",
    "fault unknown_name",
    "fault refused",
    "fault tls_failed",
    "fault connect_hangs",
    "fault reset",
    "fault upload_hangs",
    "fault answer_hangs",
    "fault garbled",
    "end 1xx",
    "end 2xx",
    "end 3xx",
    "end 4xx",
    "end 5xx",
    "end ETIMEDOUT",
    "end ECONNRESET",
    "outcome delivered",
    "outcome content failure",
    "outcome mute failure",
    "endpoint fell",
    "endpoint fell by content",
    "endpoint recovered",
    "probe failed",
    "batch in trouble",
    "batch sealed",
    "attempt first",
    "attempt again",
    "attempt cancelled",
    "detached in flight",
    "drop expired",
    "drop quota",
    "drop removed",
    "drop closed",
    "push",
    "push large",
    "push queue full",
    "push unwanted",
    "push before activation",
    "host put",
    "host put again",
    "host create",
    "host edit target",
    "host edit types",
    "host edit settings",
    "host activate",
    "host deactivate",
    "host remove",
    "host remove with batches",
    "host pause",
    "host resume",
    "host flush",
    "host verify",
    "host set",
    "host set refused",
    "flush done",
    "verification passed",
    "verification failed",
    "report delivered",
    "report retrying",
    "report dropped",
    "report state",
    "report overflow",
    "report log",
    "report of joined drops",
    "stall",
    "close gives up",
    "close in time",
};

// So many seeds are expected to show everything.
constexpr uint64_t kQuickSeeds = 20;

struct Options {
  uint64_t first_seed = 1;
  uint64_t last_seed = kQuickSeeds;
  double minutes = 0;
  const char* trace_path = nullptr;
  const char* seeds_file = nullptr;
  const BreakInfo* broken = nullptr;
  bool prints_counts = true;
};

void print_counts(const Counts& counts) {
  for (const auto& [name, count] : counts) fmt::print("{:>10}  {}\n", count, name);
}

RunResult run_once(uint64_t seed, const Options& options, Counts& counts) {
  std::FILE* const file = options.trace_path ? std::fopen(options.trace_path, "w") : nullptr;
  RunResult result = run_seed(seed, file, counts);
  if (file) std::fclose(file);
  return result;
}

// Twice, since the same seed must give the same trace.
RunResult run_twice(uint64_t seed, const Options& options, Counts& counts) {
  RunResult result = run_once(seed, options, counts);
  if (result.violation) return result;
  Counts ignored;
  const RunResult again = run_seed(seed, nullptr, ignored);
  if (again.violation || again.trace_hash != result.trace_hash) {
    result.violation = Violation{"trace", "the second run with this seed went another way"};
  }
  return result;
}

int run_with_break(const Options& options) {
  core::chosen_break = options.broken->kind;
  for (uint64_t seed = options.first_seed; seed <= options.last_seed; ++seed) {
    Counts counts;
    const RunResult result = run_twice(seed, options, counts);
    if (!result.violation) continue;
    fmt::print("seed {}: {}: {}\n", seed, result.violation->invariant, result.violation->text);
    const bool is_expected =
        std::strstr(options.broken->invariants,
                    (" " + result.violation->invariant + " ").c_str()) != nullptr;
    if (is_expected) return EXIT_SUCCESS;
    fmt::print("expected one of{}\n", options.broken->invariants);
    return EXIT_FAILURE;
  }
  fmt::print("nobody noticed {}\n", options.broken->name);
  return EXIT_FAILURE;
}

bool has_everything(const Counts& counts) {
  bool is_complete = true;
  for (const char* name : kMustOccur) {
    if (counts.contains(name)) continue;
    fmt::print("never occurred: {}\n", name);
    is_complete = false;
  }
  return is_complete;
}

int run_seeds(const Options& options, const std::vector<uint64_t>& seeds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(options.minutes * 60);
  Counts counts;
  core::Duration virtual_time{};
  size_t steps_count = 0;
  size_t failures_count = 0;
  size_t runs_count = 0;
  for (uint64_t i = 0;; ++i) {
    const uint64_t seed = i < seeds.size() ? seeds[i] : options.last_seed + 1 + i - seeds.size();
    if (i >= seeds.size() && (options.minutes <= 0 || Clock::now() >= end)) break;
    const RunResult result = run_twice(seed, options, counts);
    ++runs_count;
    virtual_time += result.virtual_time;
    steps_count += result.steps_count;
    if (!result.violation) continue;
    ++failures_count;
    fmt::print("seed {}: {}: {}\n", seed, result.violation->invariant, result.violation->text);
    std::fflush(stdout);
  }
  if (options.prints_counts) print_counts(counts);
  fmt::print("{} seeds, {} failed, {} steps, {:.1f} hours of virtual time\n", runs_count,
             failures_count, steps_count,
             std::chrono::duration<double, std::ratio<3600>>(virtual_time).count());
  const bool is_complete = runs_count < kQuickSeeds || has_everything(counts);
  return failures_count == 0 && is_complete ? EXIT_SUCCESS : EXIT_FAILURE;
}

// One number a line; what follows it on the line is for people.
std::vector<uint64_t> read_seeds(const char* path) {
  std::vector<uint64_t> seeds;
  std::FILE* const file = std::fopen(path, "r");
  if (!file) return seeds;
  char line[512];
  while (std::fgets(line, sizeof line, file)) {
    char* end = nullptr;
    const uint64_t seed = std::strtoull(line, &end, 10);
    if (end != line) seeds.push_back(seed);
  }
  std::fclose(file);
  return seeds;
}

int usage() {
  fmt::print(
      "usage: simulate [--seed N | --seeds A..B | --seeds-file FILE] [--minutes M] [--trace FILE]\n"
      "                [--break NAME] [--quiet]\n"
      "breaks:");
  for (const BreakInfo& info : kBreaks) fmt::print(" {}", info.name);
  fmt::print("\n");
  return 2;
}

bool parse_value(Options& options, std::string_view name, const char* value) {
  if (name == "--seed") {
    options.first_seed = options.last_seed = std::strtoull(value, nullptr, 10);
  } else if (name == "--seeds") {
    const char* const dots = std::strstr(value, "..");
    if (!dots) return false;
    options.first_seed = std::strtoull(value, nullptr, 10);
    options.last_seed = std::strtoull(dots + 2, nullptr, 10);
  } else if (name == "--seeds-file") {
    options.seeds_file = value;
  } else if (name == "--minutes") {
    options.minutes = std::strtod(value, nullptr);
  } else if (name == "--trace") {
    options.trace_path = value;
  } else if (name == "--break") {
    for (const BreakInfo& info : kBreaks) {
      if (info.name == std::string_view(value)) options.broken = &info;
    }
    return options.broken != nullptr;
  } else {
    return false;
  }
  return true;
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--quiet") {
      options.prints_counts = false;
    } else if (i + 1 >= argc || !parse_value(options, name, argv[++i])) {
      return usage();
    }
  }
  if (options.broken) return run_with_break(options);
  std::vector<uint64_t> seeds;
  if (options.seeds_file) {
    seeds = read_seeds(options.seeds_file);
  } else {
    for (uint64_t seed = options.first_seed; seed <= options.last_seed; ++seed) {
      seeds.push_back(seed);
    }
  }
  return run_seeds(options, seeds);
}

}  // namespace
}  // namespace posthaste::simulation

int main(int argc, char** argv) {
  return posthaste::simulation::run(argc, argv);
}
