// Runs the journal's tests with one of its rules broken on purpose: journal_breaks BREAK [Catch's
// arguments]. They must fail then, or they prove nothing.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <string_view>

#include "core/crash_point.h"
#include "core/deliberate_break.h"

namespace posthaste::core {
Break chosen_break = Break::None;
void (*crash_point_hook)(const char* name) = nullptr;
}  // namespace posthaste::core

int main(int argc, char** argv) {
  using posthaste::core::Break;
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "SkipFdatasync") {
    posthaste::core::chosen_break = Break::SkipFdatasync;
  } else if (name == "NoSalt") {
    posthaste::core::chosen_break = Break::NoSalt;
  } else if (name != "None") {
    return 0;  // no failure, so the test of an unknown break fails
  }
  return Catch::Session().run(argc - 1, argv + 1);
}
