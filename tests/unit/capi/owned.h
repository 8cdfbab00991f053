// Handles of the C API that free themselves, and the few objects that most tests of this folder
// start from.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "capi/handles.h"

namespace posthaste::testing {

struct FreeHandle {
  void operator()(posthaste_t* handle) const { posthaste_free(handle); }
  void operator()(posthaste_conf_t* handle) const { posthaste_conf_free(handle); }
  void operator()(posthaste_error_t* handle) const { posthaste_error_free(handle); }
  void operator()(posthaste_text_t* handle) const { posthaste_text_free(handle); }
  void operator()(posthaste_webhook_t* handle) const { posthaste_webhook_free(handle); }
  void operator()(posthaste_webhook_list_t* handle) const { posthaste_webhook_list_free(handle); }
  void operator()(posthaste_filter_t* handle) const { posthaste_filter_free(handle); }
  void operator()(posthaste_event_t* handle) const { posthaste_event_free(handle); }
  void operator()(posthaste_report_t* handle) const { posthaste_report_free(handle); }
  void operator()(posthaste_request_t* handle) const { posthaste_request_free(handle); }
  void operator()(posthaste_response_t* handle) const { posthaste_response_free(handle); }
};

template <typename Handle>
using Owned = std::unique_ptr<Handle, FreeHandle>;

using EngineHandle = Owned<posthaste_t>;
using ErrorHandle = Owned<posthaste_error_t>;
using WebhookHandle = Owned<posthaste_webhook_t>;

inline ErrorHandle make_error() {
  return ErrorHandle(posthaste_error_new());
}

inline EngineHandle make_engine() {
  posthaste_t* engine = nullptr;
  REQUIRE(posthaste_new(nullptr, &engine, nullptr) == POSTHASTE_OK);
  return EngineHandle(engine);
}

// A complete description; nothing listens at its target.
inline WebhookHandle make_webhook() {
  WebhookHandle webhook(posthaste_webhook_new());
  REQUIRE(posthaste_webhook_set(webhook.get(), "name", "Orders", nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_webhook_set(webhook.get(), "target", "http://127.0.0.1:9/hook", nullptr) ==
          POSTHASTE_OK);
  REQUIRE(posthaste_webhook_set(webhook.get(), "events", "delivery,bounce", nullptr) ==
          POSTHASTE_OK);
  return webhook;
}

// Takes the text that an out parameter got.
inline std::string take(posthaste_text_t* text) {
  const Owned<posthaste_text_t> owned(text);
  return {posthaste_text_data(text), posthaste_text_size(text)};
}

inline WebhookHandle find(const EngineHandle& engine, const char* id) {
  posthaste_webhook_t* webhook = nullptr;
  REQUIRE(posthaste_find(engine.get(), id, &webhook, nullptr) == POSTHASTE_OK);
  return WebhookHandle(webhook);
}

// A key's text; "(not set)" for null.
inline std::string text_of(const posthaste_webhook_t* webhook, const char* key) {
  const char* text = posthaste_webhook_get(webhook, key);
  return text != nullptr ? text : "(not set)";
}

}  // namespace posthaste::testing
