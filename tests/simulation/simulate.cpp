// The simulation of memory mode: what it must meet, and the breaks it must notice. README.md in
// this folder says how to use it.
#include "simulation/runner.h"
#include "simulation/world.h"

namespace posthaste::simulation {
namespace {

using core::Break;

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

}  // namespace
}  // namespace posthaste::simulation

int main(int argc, char** argv) {
  using namespace posthaste::simulation;
  return run_suite({"simulate", &run_seed, kBreaks, kMustOccur, 20}, argc, argv);
}
