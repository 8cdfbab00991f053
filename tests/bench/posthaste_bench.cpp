// The library as a host uses it, through its C interface and the shared library only, under the
// common driver. One webhook takes every type and points at the sink. A push that is answered
// POSTHASTE_E_QUEUE_FULL is tried again after a pause, as a host would. Keys: those of drive.h,
// mode=checked|trusted, path=/x (of the sink), full_wait_us=200, flush_ms, and every key with a dot
// is one of the library's configuration (batch.max_events=100 intake.max_bytes=32MiB).
#include <posthaste/posthaste.h>

#include <cstdlib>

#include "drive.h"

namespace posthaste::bench {
namespace {

// Purpose: one engine with its webhooks. Ownership: owns the engine. Threads: push any; the rest
// one.
class Host {
 public:
  explicit Host(const Args& args, int port)
      : full_wait_us_(static_cast<useconds_t>(args.number("full_wait_us", 200))),
        flush_ms_(static_cast<int32_t>(args.number("flush_ms", 120'000))) {
    posthaste_conf_t* const conf = posthaste_conf_new();
    for (const auto& [key, value] : args.all()) {
      if (key.find('.') == std::string::npos) continue;
      check(posthaste_conf_set(conf, key.c_str(), value.c_str(), error_));
    }
    check(posthaste_new(conf, &engine_, error_));
    posthaste_conf_free(conf);
    const std::string url = "http://127.0.0.1:" + std::to_string(port) + args.text("path", "/x");
    for (int64_t i = 0; i < args.number("webhooks", 1); ++i) put("bench-" + std::to_string(i), url);
    check(posthaste_start(engine_, error_));
  }
  ~Host() {
    posthaste_close(engine_, 1000, nullptr);
    posthaste_free(engine_);
    posthaste_error_free(error_);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // push_once: posthaste_push or posthaste_push_trusted.
  template <typename PushOnce>
  bool push(const PushOnce& push_once, const char* event, size_t size) {
    for (;;) {
      const int32_t code = push_once(engine_, kEventType, event, size);
      if (code == POSTHASTE_OK) return true;
      if (code != POSTHASTE_E_QUEUE_FULL) {
        std::fprintf(stderr, "push: %s\n", posthaste_error_name(code));
        return false;
      }
      queue_full_count_.fetch_add(1, std::memory_order_relaxed);
      usleep(full_wait_us_);
    }
  }

  void flush() { check(posthaste_flush(engine_, flush_ms_, error_)); }

  uint64_t queue_full_count() const { return queue_full_count_; }

 private:
  void put(const std::string& id, const std::string& url) {
    posthaste_webhook_t* const webhook = posthaste_webhook_new();
    check(posthaste_webhook_set(webhook, "name", id.c_str(), error_));
    check(posthaste_webhook_set(webhook, "target", url.c_str(), error_));
    check(posthaste_webhook_set(webhook, "events", "*", error_));
    check(posthaste_put(engine_, id.c_str(), webhook, error_));
    posthaste_webhook_free(webhook);
  }

  void check(int32_t code) {
    if (code == POSTHASTE_OK) return;
    std::fprintf(stderr, "posthaste_bench: %s: %s\n", posthaste_error_name(code),
                 posthaste_error_message(error_));
    std::exit(2);
  }

  posthaste_error_t* const error_ = posthaste_error_new();
  posthaste_t* engine_ = nullptr;
  const useconds_t full_wait_us_;
  const int32_t flush_ms_;
  std::atomic<uint64_t> queue_full_count_{0};
};

int run(const Args& args) {
  const std::string mode = args.text("mode", "checked");
  if (mode != "checked" && mode != "trusted") {
    std::fprintf(stderr, "mode is checked or trusted, not %s\n", mode.c_str());
    return 2;
  }
  Drive drive(args);
  Host host(args, drive.port());
  const auto flush = [&] { host.flush(); };
  const auto more = [&] {
    return ",\"mode\":\"" + mode + "\",\"queue_full\":" + std::to_string(host.queue_full_count());
  };
  if (mode == "trusted") {
    return drive.run(
        "posthaste",
        [&](const char* event, size_t size) {
          return host.push(posthaste_push_trusted, event, size);
        },
        flush, more);
  }
  return drive.run(
      "posthaste",
      [&](const char* event, size_t size) { return host.push(posthaste_push, event, size); }, flush,
      more);
}

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  return posthaste::bench::run(posthaste::bench::Args(argc, argv));
}
