#include "simulation/runner.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/crash_point.h"

namespace posthaste::core {
Break chosen_break = Break::None;
void (*crash_point_hook)(const char*) = nullptr;
}  // namespace posthaste::core

namespace posthaste::simulation {
namespace {

struct Options {
  uint64_t first_seed = 1;
  uint64_t last_seed = 20;
  double minutes = 0;
  const char* trace_path = nullptr;
  const char* seeds_file = nullptr;
  const BreakInfo* broken = nullptr;
  bool prints_counts = true;
};

void print_counts(const Counts& counts) {
  for (const auto& [name, count] : counts) fmt::print("{:>10}  {}\n", count, name);
}

RunResult run_once(const Suite& suite, uint64_t seed, const Options& options, Counts& counts) {
  std::FILE* const file = options.trace_path ? std::fopen(options.trace_path, "w") : nullptr;
  RunResult result = suite.run_seed(seed, file, counts);
  if (file) std::fclose(file);
  return result;
}

// Twice, since the same seed must give the same trace.
RunResult run_twice(const Suite& suite, uint64_t seed, const Options& options, Counts& counts) {
  RunResult result = run_once(suite, seed, options, counts);
  if (result.violation) return result;
  Counts ignored;
  const RunResult again = suite.run_seed(seed, nullptr, ignored);
  if (again.violation || again.trace_hash != result.trace_hash) {
    result.violation = Violation{"trace", "the second run with this seed went another way"};
  }
  return result;
}

int run_with_break(const Suite& suite, const Options& options) {
  core::chosen_break = options.broken->kind;
  for (uint64_t seed = options.first_seed; seed <= options.last_seed; ++seed) {
    Counts counts;
    const RunResult result = run_twice(suite, seed, options, counts);
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

bool has_everything(const Suite& suite, const Counts& counts) {
  bool is_complete = true;
  for (const char* name : suite.must_occur) {
    if (counts.contains(name)) continue;
    fmt::print("never occurred: {}\n", name);
    is_complete = false;
  }
  return is_complete;
}

int run_seeds(const Suite& suite, const Options& options, const std::vector<uint64_t>& seeds) {
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
    const RunResult result = run_twice(suite, seed, options, counts);
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
  const bool is_complete = runs_count < suite.quick_seeds_count || has_everything(suite, counts);
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

int usage(const Suite& suite) {
  fmt::print(
      "usage: {} [--seed N | --seeds A..B | --seeds-file FILE] [--minutes M] [--trace FILE]\n"
      "                [--break NAME] [--quiet]\n"
      "breaks:",
      suite.program);
  for (const BreakInfo& info : suite.breaks) fmt::print(" {}", info.name);
  fmt::print("\n");
  return 2;
}

bool parse_value(const Suite& suite, Options& options, std::string_view name, const char* value) {
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
    for (const BreakInfo& info : suite.breaks) {
      if (info.name == std::string_view(value)) options.broken = &info;
    }
    return options.broken != nullptr;
  } else {
    return false;
  }
  return true;
}

}  // namespace

int run_suite(const Suite& suite, int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--quiet") {
      options.prints_counts = false;
    } else if (i + 1 >= argc || !parse_value(suite, options, name, argv[++i])) {
      return usage(suite);
    }
  }
  if (options.broken) return run_with_break(suite, options);
  std::vector<uint64_t> seeds;
  if (options.seeds_file) {
    seeds = read_seeds(options.seeds_file);
  } else {
    for (uint64_t seed = options.first_seed; seed <= options.last_seed; ++seed) {
      seeds.push_back(seed);
    }
  }
  return run_seeds(suite, options, seeds);
}

}  // namespace posthaste::simulation
