// Runs the histories of producers with one rule broken on purpose: producer_breaks BREAK [Catch's
// arguments]. They must fail then, or they prove nothing.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <string_view>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"

namespace posthaste::core {
Break chosen_break = Break::None;
void (*crash_point_hook)(const char* name) = nullptr;
}  // namespace posthaste::core

namespace {

using posthaste::core::Break;

constexpr std::pair<std::string_view, Break> kBreaks[] = {
    {"None", Break::None},
    {"LengthBeforeFrame", Break::LengthBeforeFrame},
    {"ProducerSyncSkipped", Break::ProducerSyncSkipped},
    {"CopiesUnsecured", Break::CopiesUnsecured},
    {"MarkedEarly", Break::MarkedEarly},
    {"MarkUnsynced", Break::MarkUnsynced},
    {"UsedAgainEarly", Break::UsedAgainEarly},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& [name, kind] : kBreaks) {
    if (argc < 2 || name != argv[1]) continue;
    posthaste::core::chosen_break = kind;
    return Catch::Session().run(argc - 1, argv + 1);
  }
  return 0;  // no failure, so the test of an unknown break fails
}
