// What a long outage costs: a spool is filled by a host whose endpoint refuses connections, then
// opened again. Each phase is a process of its own, and prints one line of JSON: fill (the memory
// added while the backlog grows, and five seconds later), then open of an empty spool and of the
// full one (how long posthaste_start took, the memory added by it and after five seconds of
// attempts). Keys, all `name=value`: directory (made, and left behind), n (events of 500 bytes to
// leave waiting), rate (events/s, 0 = no limit), and every key with a dot is one of the library's
// configuration.
#include <posthaste/posthaste.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <functional>

#include "drive.h"

namespace posthaste::bench {
namespace {

// Nobody listens there.
constexpr const char* kDeadTarget = "http://127.0.0.1:9/hook";
constexpr unsigned kLookAgain_s = 5;

// Purpose: one engine on a spool. Ownership: owns the engine. Threads: one.
class Backlog {
 public:
  Backlog(const Args& args, const std::string& directory) {
    posthaste_conf_t* const conf = posthaste_conf_new();
    check(posthaste_conf_set(conf, "spool.dir", directory.c_str(), error_));
    for (const auto& [key, value] : args.all()) {
      if (key.find('.') == std::string::npos) continue;
      check(posthaste_conf_set(conf, key.c_str(), value.c_str(), error_));
    }
    check(posthaste_new(conf, &engine_, error_));
    posthaste_conf_free(conf);
  }
  ~Backlog() {
    posthaste_close(engine_, 10'000, nullptr);
    posthaste_free(engine_);
    posthaste_error_free(error_);
  }
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  void start() { check(posthaste_start(engine_, error_)); }

  void put() {
    posthaste_webhook_t* const webhook = posthaste_webhook_new();
    check(posthaste_webhook_set(webhook, "name", "dead", error_));
    check(posthaste_webhook_set(webhook, "target", kDeadTarget, error_));
    check(posthaste_webhook_set(webhook, "events", "*", error_));
    check(posthaste_webhook_set(webhook, "webhook.activation_delay", "0s", error_));
    check(posthaste_put(engine_, "dead", webhook, error_));
    posthaste_webhook_free(webhook);
  }

  void push(const char* event, size_t size) {
    for (;;) {
      const int32_t code = posthaste_push(engine_, kEventType, event, size);
      if (code == POSTHASTE_OK) return;
      if (code != POSTHASTE_E_QUEUE_FULL) check(code);
      usleep(200);
    }
  }

  void sync() { check(posthaste_sync(engine_, 60'000, error_)); }

  uint64_t stat(const char* name) {
    posthaste_text_t* text = nullptr;
    check(posthaste_stats_json(engine_, &text));
    const uint64_t value = number_in(posthaste_text_data(text), name);
    posthaste_text_free(text);
    return value;
  }

 private:
  void check(int32_t code) {
    if (code == POSTHASTE_OK) return;
    std::fprintf(stderr, "backlog_bench: %s: %s\n", posthaste_error_name(code),
                 posthaste_error_message(error_));
    std::exit(2);
  }

  posthaste_error_t* const error_ = posthaste_error_new();
  posthaste_t* engine_ = nullptr;
};

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
  Backlog backlog(args, directory);
  backlog.start();
  backlog.put();
  const int64_t rate = args.number("rate", 0);
  for (size_t i = 0; i < count; ++i) {
    if (rate > 0 && i % 100 == 0) {
      const uint64_t due_ns = start_ns + i * 1'000'000'000u / static_cast<uint64_t>(rate);
      while (now_ns() < due_ns) usleep(100);
    }
    backlog.push(events.get() + (i % kDistinct) * kEventSize, kEventSize);
  }
  backlog.sync();
  const double seconds = static_cast<double>(now_ns() - start_ns) * 1e-9;
  std::printf("{\"phase\":\"fill\",\"events\":%zu,\"seconds\":%.2f,\"peak_added_mib\":%.1f,", count,
              seconds, mib(resident_peak_kib() - before_kib));
  sleep(kLookAgain_s);
  std::printf("\"added_later_mib\":%.1f,\"disk_bytes\":%llu}\n", mib(resident_kib() - before_kib),
              static_cast<unsigned long long>(backlog.stat("disk_bytes")));
}

void open(const Args& args, const std::string& directory) {
  const int64_t before_kib = resident_kib();
  Backlog backlog(args, directory);
  const uint64_t start_ns = now_ns();
  backlog.start();
  const double start_ms = static_cast<double>(now_ns() - start_ns) * 1e-6;
  const double started_mib = mib(resident_kib() - before_kib);
  sleep(kLookAgain_s);
  std::printf(
      "{\"phase\":\"open\",\"start_ms\":%.1f,\"added_mib\":%.1f,\"added_later_mib\":%.1f,"
      "\"disk_bytes\":%llu}\n",
      start_ms, started_mib, mib(resident_kib() - before_kib),
      static_cast<unsigned long long>(backlog.stat("disk_bytes")));
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
