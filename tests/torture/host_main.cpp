// The program torture_host: reads its life from the command line, arms a crash point or a
// deliberate break, and lives it. Started by the torture, many times a second.
//
//   torture_host key=value...   see read_options
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "core/crash_point.h"
#include "core/deliberate_break.h"
#include "torture/breaks.h"
#include "torture/crossings.h"
#include "torture/host.h"

namespace posthaste::core {
Break chosen_break = Break::None;
void (*crash_point_hook)(const char* name) = nullptr;
}  // namespace posthaste::core

namespace posthaste::torture {
namespace {

// For the hook, which may be called on any thread of the library.
Crossings* crossings = nullptr;
size_t deadly_point = ~size_t{0};
std::atomic<uint64_t> crossings_left{0};

void cross(const char* name) {
  const size_t index = Crossings::index_of(name);
  if (index == kCrashPointsCount) {
    std::fprintf(stderr, "no such crash point: %s\n", name);
    std::abort();
  }
  crossings->count_crossing(index);
  if (index != deadly_point || crossings_left.fetch_sub(1) != 1) return;
  crossings->count_kill(index);
  kill(getpid(), SIGKILL);
}

struct Arguments {
  HostOptions host;
  std::string counters;
};

bool read_argument(std::string_view key, const std::string& value, Arguments& out) {
  if (key == "directory") {
    out.host.directory = value;
  } else if (key == "port") {
    out.host.port = value;
  } else if (key == "ledger") {
    out.host.ledger = value;
  } else if (key == "counters") {
    out.counters = value;
  } else if (key == "cycle") {
    out.host.cycle = std::strtoull(value.c_str(), nullptr, 10);
  } else if (key == "seed") {
    out.host.seed = std::strtoull(value.c_str(), nullptr, 10);
  } else if (key == "work_ms") {
    out.host.work_ms = std::strtoull(value.c_str(), nullptr, 10);
  } else if (key == "mode") {
    out.host.mode = value == "run"       ? HostMode::Run
                    : value == "recover" ? HostMode::Recover
                                         : HostMode::Drain;
  } else if (key == "ending") {
    out.host.ending = value == "close" ? HostEnding::Close : HostEnding::Kill;
  } else if (key == "point") {
    deadly_point = Crossings::index_of(value);
  } else if (key == "crossing") {
    crossings_left = std::strtoull(value.c_str(), nullptr, 10);
  } else if (key == "break") {
    const BreakInfo* const info = find_break(value);
    if (info) core::chosen_break = info->kind;
    return info != nullptr;
  } else {
    return false;
  }
  return true;
}

int run(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    const size_t equals = text.find('=');
    const bool is_read =
        equals != std::string_view::npos &&
        read_argument(text.substr(0, equals), std::string(text.substr(equals + 1)), arguments);
    if (!is_read) {
      std::fprintf(stderr, "torture_host: cannot read %s\n", argv[i]);
      return 2;
    }
  }
  const auto counters = std::make_unique<Crossings>(arguments.counters);
  crossings = counters.get();
  core::crash_point_hook = &cross;
  {
    Host host(arguments.host);
    host.live();
  }
  // Threads of the library are gone.
  core::crash_point_hook = nullptr;
  return 0;
}

}  // namespace
}  // namespace posthaste::torture

int main(int argc, char** argv) {
  return posthaste::torture::run(argc, argv);
}
