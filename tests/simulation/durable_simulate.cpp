// The simulation of durable mode: what it must meet, and the breaks it must notice. README.md in
// this folder says how to use it.
#include "simulation/durable_world.h"
#include "simulation/runner.h"

namespace posthaste::simulation {
namespace {

using core::Break;

constexpr BreakInfo kBreaks[] = {
    {"CursorAhead", Break::CursorAhead, " owed open "},
    {"RowsAfterAttempts", Break::RowsAfterAttempts, " one_batch unreadable "},
    {"SkipFdatasync", Break::SkipFdatasync, " owed open unreadable "},
    {"SkipRow", Break::SkipRow, " one_batch owed unreadable "},
    {"RowGoneEarly", Break::RowGoneEarly, " owed unreadable "},
    {"LowAhead", Break::LowAhead, " owed unreadable "},
    {"EarlySync", Break::EarlySync, " owed unwanted "},
    {"RecycleEarly", Break::RecycleEarly, " owed unreadable "},
    {"LossForgotten", Break::LossForgotten, " owed "},
};

constexpr const char* kMustOccur[] = {
    "push",
    "sync",
    "sync refused",
    "kill between steps",
    "kill at a crash point",
    "kill in a disk step",
    "kill while opening",
    "power cut between steps",
    "power cut at a crash point",
    "power cut in a disk step",
    "power cut while opening",
    "close",
    "open failed",
    "other limits",
    "clock set back",
    "clock set forward",
    "disk stalls",
    "disk refuses for long",
    "event in a part",
    "disk: write failed",
    "disk: write torn",
    "disk: sync failed",
    "disk: names failed",
    "disk: database found it full",
    "attempt again after a crash",
    "report unsecured",
    "events dropped quota",
    "events dropped expired",
    "events dropped removed",
    "events owed",
    "host put",
    "host create",
    "host edit target",
    "host edit types",
    "host activate",
    "host deactivate",
    "host pause",
    "host resume",
    "host remove",
    "host remove with batches",
    "host flush",
};

}  // namespace
}  // namespace posthaste::simulation

int main(int argc, char** argv) {
  using namespace posthaste::simulation;
  return run_suite({"durable_simulate", &run_durable_seed, kBreaks, kMustOccur, 12}, argc, argv);
}
