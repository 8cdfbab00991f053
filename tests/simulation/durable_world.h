// One run of durable mode: a host that pushes, syncs and changes webhooks, receivers that fail, a
// disk that fails, and an engine that is killed over and over, until all is quiet and everything
// must have come to its end.
#pragma once

#include <cstdint>
#include <cstdio>

#include "simulation/trace.h"

namespace posthaste::simulation {

// Runs one seed. trace: null for none.
RunResult run_durable_seed(uint64_t seed, std::FILE* trace, Counts& counts);

}  // namespace posthaste::simulation
