// What healthy webhooks feel of bad neighbours: how old an event is when it arrives at its
// receiver, with nothing beside them, or beside (dead_port) a webhook whose receiver takes bodies
// and never answers, and (slow_port) one whose endpoint comes back, slowly, while a million events
// wait for it in the spool. Durable mode, one engine, one process. The events carry the time of
// their push; the healthy webhooks' sink, started with --ages, does the measuring. Prints one line
// of JSON. Keys: port (sink of the healthy webhooks), dead_port, slow_port (0: without such a
// neighbour; the slow one's receiver is told by slow_path), directory (of the spool; made), healthy
// (webhooks), rate (events/s, each for every webhook), seconds (measured), backlog (events), and
// every key with a dot is one of the library's configuration.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench_engine.h"

namespace posthaste::bench {
namespace {

constexpr double kWarmUp_s = 2;
constexpr const char* kSlow = "slow";
constexpr const char* kDead = "dead";
constexpr const char* kBacklogType = "bounce";

// Purpose: one run. Ownership: owns the engine. Threads: one.
class Neighbours {
 public:
  explicit Neighbours(const Args& args)
      : port_(static_cast<int>(args.number("port", 18080))),
        dead_port_(static_cast<int>(args.number("dead_port", 0))),
        slow_port_(static_cast<int>(args.number("slow_port", 0))),
        healthy_count_(static_cast<uint64_t>(args.number("healthy", 99))),
        rate_(static_cast<double>(args.number("rate", 100))),
        measured_s_(static_cast<double>(args.number("seconds", 5))),
        backlog_count_(static_cast<uint64_t>(args.number("backlog", 1'000'000))),
        engine_(args, args.text("directory", "")) {
    engine_.start();
    for (uint64_t i = 0; i < healthy_count_; ++i) {
      engine_.put("healthy-" + std::to_string(i), url(port_, "/x"), {{"events", kEventType}});
    }
    if (dead_port_ > 0) {
      engine_.put(kDead, url(dead_port_, "/hang"), {{"events", kEventType}});
    }
    if (slow_port_ > 0) fill(url(slow_port_, args.text("slow_path", "/down/1/delay/250")));
  }

  int run() {
    get_from_sink(port_, "/reset");
    // Recovery begins with the warm-up, so that it is under way when the measurement begins.
    if (slow_port_ > 0) engine_.retry_now(kSlow);
    const uint64_t warm_count = push_for(kWarmUp_s);
    bool is_complete = wait_for(warm_count);
    const uint64_t waiting_before = waiting_events();
    get_from_sink(port_, "/reset");
    const double cpu_before_s = cpu_seconds();
    const uint64_t count = push_for(measured_s_);
    const uint64_t waiting_after = waiting_events();
    is_complete = wait_for(count) && is_complete;
    // Else the neighbour was none any more, and nothing was measured.
    if (slow_port_ > 0)
      is_complete = is_complete && waiting_after > 0 && waiting_after < waiting_before;
    print(is_complete, count, waiting_before, waiting_after, cpu_seconds() - cpu_before_s);
    engine_.close(0);
    return is_complete ? 0 : 1;
  }

 private:
  static std::string url(int port, const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(port) + path;
  }

  // The receiver refuses the first attempt, so the endpoint is in trouble until it is told to try.
  void fill(const std::string& target) {
    constexpr size_t kDistinct = 1000;
    std::string events;
    for (size_t i = 0; i < kDistinct; ++i) {
      char event[kEventSize];
      write_event(i, event);
      rename_type(event);
      events.append(event, kEventSize);
    }
    engine_.put(kSlow, target,
                {{"events", std::string(kBacklogType) + "," + kEventType},
                 {"batch.max_age", "30s"},
                 {"retry.base", "1h"},
                 {"retry.max", "1h"},
                 {"retry.max_age", "24h"}});
    for (uint64_t i = 0; i < backlog_count_; ++i) {
      engine_.push_patiently(kBacklogType, events.data() + (i % kDistinct) * kEventSize,
                             kEventSize);
    }
    engine_.sync();
  }

  // The size stays: spaces follow the shorter name.
  static void rename_type(char* event) {
    const std::string from = std::string("\"type\":\"") + kEventType + "\"";
    std::string to = std::string("\"type\":\"") + kBacklogType + "\"";
    to.resize(from.size(), ' ');
    void* const place = memmem(event, kEventSize, from.data(), from.size());
    std::memcpy(place, to.data(), to.size());
  }

  // Events at an even pace; how many.
  uint64_t push_for(double seconds) {
    const auto count = static_cast<uint64_t>(seconds * rate_);
    const uint64_t begin_ns = now_ns();
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t due_ns =
          begin_ns + static_cast<uint64_t>(static_cast<double>(i) * 1e9 / rate_);
      for (uint64_t present_ns = now_ns(); present_ns < due_ns; present_ns = now_ns()) {
        usleep(static_cast<useconds_t>((due_ns - present_ns) / 1000 + 1));
      }
      char event[kEventSize];
      write_event(now_ns(), event);
      engine_.push_patiently(kEventType, event, kEventSize);
    }
    return count;
  }

  // Until every healthy webhook has all of `count` events; false when that takes too long.
  bool wait_for(uint64_t count) const {
    constexpr uint64_t kPatienceNs = 20'000'000'000;
    constexpr useconds_t kPollUs = 50'000;
    const uint64_t begin_ns = now_ns();
    for (;;) {
      const uint64_t seen = number_in(get_from_sink(port_, "/stats"), "events");
      if (seen >= count * healthy_count_) return seen == count * healthy_count_;
      if (now_ns() - begin_ns > kPatienceNs) return false;
      usleep(kPollUs);
    }
  }

  uint64_t waiting_events() {
    if (slow_port_ == 0) return 0;
    const std::string stats = engine_.stats_of(kSlow);
    const size_t waiting = stats.find("\"waiting\":");
    return waiting == std::string::npos ? 0 : number_in(stats.substr(waiting), "events");
  }

  void print(bool is_complete, uint64_t count, uint64_t waiting_before, uint64_t waiting_after,
             double cpu_s) const {
    const std::string seen = get_from_sink(port_, "/stats");
    const auto told = [&](const char* name) {
      return static_cast<unsigned long long>(number_in(seen, name));
    };
    std::printf(
        "{\"program\":\"neighbours\",\"complete\":%s,\"events\":%llu,\"requests\":%llu,"
        "\"age_p50_us\":%llu,\"age_p99_us\":%llu,\"age_max_us\":%llu,\"waiting_before\":%llu,"
        "\"waiting_after\":%llu,\"cpu_s\":%.2f}\n",
        is_complete ? "true" : "false", static_cast<unsigned long long>(count * healthy_count_),
        told("requests"), told("age_p50_us"), told("age_p99_us"), told("age_max_us"),
        static_cast<unsigned long long>(waiting_before),
        static_cast<unsigned long long>(waiting_after), cpu_s);
  }

  const int port_;
  const int dead_port_;
  const int slow_port_;
  const uint64_t healthy_count_;
  const double rate_;
  const double measured_s_;
  const uint64_t backlog_count_;
  BenchEngine engine_;
};

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  const posthaste::bench::Args args(argc, argv);
  const std::string directory = args.text("directory", "");
  if (directory.empty()) {
    std::fputs("neighbours_bench: directory=... is missing\n", stderr);
    return 2;
  }
  mkdir(directory.c_str(), 0700);
  return posthaste::bench::Neighbours(args).run();
}
