// A host for integration tests: the C API with owners for its objects, so that a test reads as what
// a mail server does. Sees the public header only. A call that a test does not expect to fail
// throws with the library's own words.
#pragma once

#include <posthaste/posthaste.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste::testing {

// Not `Free`: each object of the C API has a free function of its own.
template <auto Function>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};
using ErrorHandle = std::unique_ptr<posthaste_error_t, Releaser<posthaste_error_free>>;
using ConfHandle = std::unique_ptr<posthaste_conf_t, Releaser<posthaste_conf_free>>;
using WebhookHandle = std::unique_ptr<posthaste_webhook_t, Releaser<posthaste_webhook_free>>;
using TextHandle = std::unique_ptr<posthaste_text_t, Releaser<posthaste_text_free>>;
using ReportHandle = std::unique_ptr<posthaste_report_t, Releaser<posthaste_report_free>>;

using Settings = std::map<std::string, std::string>;

class Host {
 public:
  explicit Host(const Settings& conf = {}) : error_(posthaste_error_new()) {
    const ConfHandle settings(posthaste_conf_new());
    for (const auto& [key, value] : conf) {
      must(posthaste_conf_set(settings.get(), key.c_str(), value.c_str(), error_.get()));
    }
    must(posthaste_new(settings.get(), &ph_, error_.get()));
  }
  ~Host() { posthaste_free(ph_); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  posthaste_t* get() const { return ph_; }
  posthaste_error_t* error() const { return error_.get(); }
  std::string message() const { return posthaste_error_message(error_.get()); }

  Host& start() {
    must(posthaste_start(ph_, error_.get()));
    return *this;
  }

  WebhookHandle webhook(const std::string& target, const Settings& keys = {}) const {
    WebhookHandle webhook(posthaste_webhook_new());
    set(webhook, "name", "test");
    set(webhook, "target", target);
    set(webhook, "events", "*");
    for (const auto& [key, value] : keys) set(webhook, key, value);
    return webhook;
  }
  Host& put(const std::string& id, const std::string& target, const Settings& keys = {}) {
    must(posthaste_put(ph_, id.c_str(), webhook(target, keys).get(), error_.get()));
    return *this;
  }

  int32_t push(const char* type, std::string_view payload) const {
    return posthaste_push(ph_, type, payload.data(), payload.size());
  }
  // Tries again while the queue is full.
  void push_all(const char* type, std::string_view payload) const;

  int32_t flush(int32_t timeout_ms = 20'000) {
    return posthaste_flush(ph_, timeout_ms, error_.get());
  }
  int32_t close(int32_t timeout_ms = 5'000) {
    return posthaste_close(ph_, timeout_ms, error_.get());
  }

  // The next report of a kind; others are thrown away. Null when none came in time.
  ReportHandle next_report(int32_t kind, int32_t timeout_ms = 20'000) const;
  std::vector<ReportHandle> take_reports() const;

  std::string stats() const {
    posthaste_text_t* text = nullptr;
    posthaste_stats_json(ph_, &text);
    const TextHandle owner(text);
    return posthaste_text_data(text);
  }
  // The first number behind `"name":` in the statistics; names of engine-wide counters come first.
  uint64_t stat(const std::string& name) const;

  void must(int32_t code) const {
    if (code == POSTHASTE_OK) return;
    throw std::runtime_error(std::string(posthaste_error_name(code)) + ": " + message());
  }

 private:
  void set(const WebhookHandle& webhook, const std::string& key, const std::string& value) const {
    must(posthaste_webhook_set(webhook.get(), key.c_str(), value.c_str(), error_.get()));
  }

  ErrorHandle error_;
  posthaste_t* ph_ = nullptr;
};

}  // namespace posthaste::testing
