// What a long outage costs: a spool is filled by a host whose endpoint refuses connections, then
// opened again. Each phase is a process of its own, and prints one line of JSON: fill (the memory
// added while the backlog grows, and five seconds later), then open of an empty spool and of the
// full one (how long posthaste_start took, the memory added by it and after five seconds of
// attempts). Keys, all `name=value`: directory (made, and left behind), n (events of 500 bytes to
// leave waiting), rate (events/s, 0 = no limit), and every key with a dot is one of the library's
// configuration.
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <functional>

#include "bench_engine.h"

namespace posthaste::bench {
namespace {

// Nobody listens there.
constexpr const char* kDeadTarget = "http://127.0.0.1:9/hook";
constexpr unsigned kLookAgain_s = 5;

double mib(int64_t kib) {
  return static_cast<double>(kib) / 1024;
}

void fill(const Args& args, const std::string& directory) {
  const auto count = static_cast<size_t>(args.number("n", 1'000'000));
  // Few distinct events: what they are does not matter here, and their memory would.
  constexpr size_t kDistinct = 1000;
  auto events = std::make_unique<char[]>(kDistinct * kEventSize);
  for (size_t i = 0; i < kDistinct; ++i) write_event(i, events.get() + i * kEventSize);
  const int64_t before_kib = resident_kib();
  const uint64_t start_ns = now_ns();
  BenchEngine backlog(args, directory);
  backlog.start();
  backlog.put("dead", kDeadTarget, {{"events", "*"}});
  const int64_t rate = args.number("rate", 0);
  for (size_t i = 0; i < count; ++i) {
    if (rate > 0 && i % 100 == 0) {
      const uint64_t due_ns = start_ns + i * 1'000'000'000u / static_cast<uint64_t>(rate);
      while (now_ns() < due_ns) usleep(100);
    }
    backlog.push_patiently(kEventType, events.get() + (i % kDistinct) * kEventSize, kEventSize);
  }
  backlog.sync();
  const double seconds = static_cast<double>(now_ns() - start_ns) * 1e-9;
  std::printf("{\"phase\":\"fill\",\"events\":%zu,\"seconds\":%.2f,\"peak_added_mib\":%.1f,", count,
              seconds, mib(resident_peak_kib() - before_kib));
  sleep(kLookAgain_s);
  std::printf("\"added_later_mib\":%.1f,\"disk_bytes\":%llu}\n", mib(resident_kib() - before_kib),
              static_cast<unsigned long long>(number_in(backlog.stats(), "disk_bytes")));
}

void open(const Args& args, const std::string& directory) {
  const int64_t before_kib = resident_kib();
  BenchEngine backlog(args, directory);
  const uint64_t start_ns = now_ns();
  backlog.start();
  const double start_ms = static_cast<double>(now_ns() - start_ns) * 1e-6;
  const double started_mib = mib(resident_kib() - before_kib);
  sleep(kLookAgain_s);
  std::printf(
      "{\"phase\":\"open\",\"start_ms\":%.1f,\"added_mib\":%.1f,\"added_later_mib\":%.1f,"
      "\"disk_bytes\":%llu}\n",
      start_ms, started_mib, mib(resident_kib() - before_kib),
      static_cast<unsigned long long>(number_in(backlog.stats(), "disk_bytes")));
}

// In a process of its own, so that memory is that of one phase.
int run(const std::function<void()>& phase) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    phase();
    std::exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  using namespace posthaste::bench;
  const Args args(argc, argv);
  const std::string directory = args.text("directory", "");
  if (directory.empty()) {
    std::fprintf(stderr, "backlog_bench: directory=... is missing\n");
    return 2;
  }
  mkdir(directory.c_str(), 0700);
  const std::string full = directory + "/full";
  const std::string empty = directory + "/empty";
  int status = run([&] { fill(args, full); });
  for (int i = 0; i < 3 && status == 0; ++i) status = run([&] { open(args, empty); });
  for (int i = 0; i < 3 && status == 0; ++i) status = run([&] { open(args, full); });
  return status;
}
