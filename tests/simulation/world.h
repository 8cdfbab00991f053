// One run: a host that does everything a host may do, receivers that do everything a receiver may
// do, and a ledger that watches the engine between them.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "simulation/chance.h"
#include "simulation/far_side.h"
#include "simulation/ledger.h"
#include "simulation/trace.h"
#include "support/sim_engine.h"

namespace posthaste::simulation {

// Runs one seed from the first webhook to the close. trace: null for none.
RunResult run_seed(uint64_t seed, std::FILE* trace, Counts& counts);

}  // namespace posthaste::simulation
