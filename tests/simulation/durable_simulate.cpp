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
    {"EarlySync", Break::EarlySync, " owed unwanted registry "},
    {"RecycleEarly", Break::RecycleEarly, " owed unreadable "},
    {"LossForgotten", Break::LossForgotten, " owed "},
    {"SecretsUnwritten", Break::SecretsUnwritten, " registry "},
    {"SealedCredentials", Break::SealedCredentials, " credentials coding signature token "},
    {"OldTimestamp", Break::OldTimestamp, " signature "},
    {"CodedAgain", Break::CodedAgain, " coding "},
    {"ChangedBytes", Break::ChangedBytes, " bytes signature "},
    {"TwoTokenRequests", Break::TwoTokenRequests, " token "},
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
    "host edit credentials",
    "host edit coding",
    "host activate",
    "host deactivate",
    "host pause",
    "host resume",
    "host remove",
    "host remove with batches",
    "host flush",
    "sent plain",
    "sent gzip",
    "sent zstd",
    "sent signed",
    "sent signed and coded",
    "signature verified",
    "sent basic",
    "sent bearer",
    "sent with a token",
    "sent to an earlier target of the same origin",
    "sent to an earlier origin",
    "coding refused",
    "token asked for",
    "token asked for again",
    "token got",
    "token refused",
    "change of a webhook undone",
    "credentials found again",
    "signing secrets found again",
    "sent again after a restart",
    "coded otherwise after a restart",
    "other credentials after a restart",
};

}  // namespace
}  // namespace posthaste::simulation

int main(int argc, char** argv) {
  using namespace posthaste::simulation;
  return run_suite({"durable_simulate", &run_durable_seed, kBreaks, kMustOccur, 20}, argc, argv);
}
