// What a paced push costs while the endpoints answer, or while none does (path=/hang), and whether
// every event is accounted for: what was accepted was delivered, reported as dropped, or waits.
// Keys: those of drive.h (port, n, rate, threads), path (of the sink), webhooks (that all want
// every event), and every key with a dot is one of the library's configuration. Prints one line of
// JSON; fails when the books do not balance.
#include <cstdio>
#include <string>

#include "bench_engine.h"

namespace posthaste::bench {
namespace {

// Of all webhooks: the number of each one's first member `name` behind `section`.
uint64_t sum_of(const std::string& stats, const std::string& section, const std::string& name) {
  uint64_t sum = 0;
  for (size_t at = stats.find("{\"id\":"); at != std::string::npos;
       at = stats.find("{\"id\":", at + 1)) {
    const size_t place = stats.find("\"" + section + "\":", at);
    if (place != std::string::npos) sum += number_in(stats.substr(place), name);
  }
  return sum;
}

int run(const Args& args) {
  Drive drive(args);
  const auto webhooks_count = static_cast<uint64_t>(args.number("webhooks", 1));
  const auto count = static_cast<uint64_t>(args.number("n", 0));
  const std::string target =
      "http://127.0.0.1:" + std::to_string(drive.port()) + args.text("path", "/x");
  BenchEngine engine(args);
  for (uint64_t i = 0; i < webhooks_count; ++i) {
    engine.put("endpoint-" + std::to_string(i), target, {{"events", "*"}});
  }
  engine.start();
  drive.push_all(
      [&](const char* event, size_t size) { return engine.push(kEventType, event, size); });
  const int64_t added_kib = drive.added_kib();
  const uint64_t waiting = sum_of(engine.stats(), "waiting", "events");
  engine.close(0);
  const uint64_t delivered = sum_of(engine.stats(), "events", "delivered");
  const uint64_t dropped = engine.take_dropped_events();
  const uint64_t accepted = count - drive.refused_count();
  const bool is_balanced = accepted * webhooks_count == delivered + dropped;
  Samples calls = drive.calls();
  std::printf(
      "{\"program\":\"hanging\",\"complete\":%s,\"events\":%llu,\"accepted\":%llu,"
      "\"delivered\":%llu,\"dropped\":%llu,\"waiting_at_end\":%llu,\"memory_added_kib\":%lld,"
      "\"call_p50_ns\":%u,\"call_p99_ns\":%u,\"call_p999_ns\":%u,\"call_max_ns\":%u}\n",
      is_balanced ? "true" : "false", static_cast<unsigned long long>(count),
      static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(delivered),
      static_cast<unsigned long long>(dropped), static_cast<unsigned long long>(waiting),
      static_cast<long long>(added_kib), calls.at(.5), calls.at(.99), calls.at(.999), calls.at(1));
  return is_balanced ? 0 : 1;
}

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  return posthaste::bench::run(posthaste::bench::Args(argc, argv));
}
