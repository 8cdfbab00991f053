#include "bench_engine.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace posthaste::bench {

BenchEngine::BenchEngine(const Args& args, const std::string& spool_directory) {
  posthaste_conf_t* const conf = posthaste_conf_new();
  if (!spool_directory.empty()) {
    check(posthaste_conf_set(conf, "spool.dir", spool_directory.c_str(), error_));
  }
  for (const auto& [key, value] : args.all()) {
    if (key.find('.') == std::string::npos) continue;
    check(posthaste_conf_set(conf, key.c_str(), value.c_str(), error_));
  }
  check(posthaste_new(conf, &engine_, error_));
  posthaste_conf_free(conf);
}

BenchEngine::~BenchEngine() {
  posthaste_close(engine_, 10'000, nullptr);
  posthaste_free(engine_);
  posthaste_error_free(error_);
}

void BenchEngine::put(const std::string& id, const std::string& target, const Keys& keys) {
  posthaste_webhook_t* const webhook = posthaste_webhook_new();
  check(posthaste_webhook_set(webhook, "name", id.c_str(), error_));
  check(posthaste_webhook_set(webhook, "target", target.c_str(), error_));
  check(posthaste_webhook_set(webhook, "webhook.activation_delay", "0s", error_));
  for (const auto& [key, value] : keys) {
    check(posthaste_webhook_set(webhook, key.c_str(), value.c_str(), error_));
  }
  check(posthaste_put(engine_, id.c_str(), webhook, error_));
  posthaste_webhook_free(webhook);
}

void BenchEngine::push_patiently(const char* type, const char* event, size_t size) {
  constexpr useconds_t kPauseUs = 200;
  while (!push(type, event, size)) usleep(kPauseUs);
}

std::string BenchEngine::stats() {
  posthaste_text_t* text = nullptr;
  check(posthaste_stats_json(engine_, &text));
  std::string stats = posthaste_text_data(text);
  posthaste_text_free(text);
  return stats;
}

std::string BenchEngine::stats_of(const std::string& id) {
  const std::string all = stats();
  const size_t begin = all.find("{\"id\":\"" + id + "\"");
  if (begin == std::string::npos) return {};
  return all.substr(begin, all.find("{\"id\":\"", begin + 1) - begin);
}

uint64_t BenchEngine::take_dropped_events() {
  uint64_t events = 0;
  posthaste_report_t* report = nullptr;
  while (posthaste_poll(engine_, 0, &report) == POSTHASTE_OK) {
    if (posthaste_report_kind(report) == POSTHASTE_REPORT_DROPPED) {
      events += posthaste_report_events(report);
    }
    posthaste_report_free(report);
  }
  return events;
}

void BenchEngine::check(int32_t code) {
  if (code == POSTHASTE_OK) return;
  std::fprintf(stderr, "%s: %s\n", posthaste_error_name(code), posthaste_error_message(error_));
  std::exit(2);
}

}  // namespace posthaste::bench
