// The command line of a simulation: runs seeds, each twice to compare the traces, and tells how
// often each fault, state and outcome occurred.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>

#include "core/deliberate_break.h"
#include "simulation/trace.h"

namespace posthaste::simulation {

struct BreakInfo {
  const char* name;
  core::Break kind;
  const char* invariants;  // those that notice it, with blanks between and around
};

struct Suite {
  const char* program;
  RunResult (*run_seed)(uint64_t seed, std::FILE* trace, Counts& counts);
  std::span<const BreakInfo> breaks;
  std::span<const char* const> must_occur;  // at least once in so many seeds
  uint64_t quick_seeds_count;
};

// What main returns.
int run_suite(const Suite& suite, int argc, char** argv);

}  // namespace posthaste::simulation
