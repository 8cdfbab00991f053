// Descriptions of webhooks and lists of them; nothing here knows an engine.
#include "capi/guard.h"
#include "config/webhook_json.h"

namespace capi = posthaste::capi;
namespace config = posthaste::config;
using posthaste::core::Result;

namespace {

// Pointers given out before stay good until something did change.
Result<> changed(posthaste_webhook_t& webhook, Result<> done) {
  if (done) webhook.returned_texts.clear();
  return done;
}

}  // namespace

posthaste_webhook_t* posthaste_webhook_new(void) {
  return capi::make_handle<posthaste_webhook>();
}

void posthaste_webhook_free(posthaste_webhook_t* webhook) {
  delete webhook;
}

posthaste_webhook_t* posthaste_webhook_copy(const posthaste_webhook_t* webhook) {
  if (webhook == nullptr) return nullptr;
  return capi::value_or<posthaste_webhook_t*>(nullptr,
                                              [&] { return new posthaste_webhook(*webhook); });
}

int32_t posthaste_webhook_set(posthaste_webhook_t* webhook, const char* key, const char* value,
                              posthaste_error_t* error) {
  return capi::guarded(__func__, {{"webhook", webhook}, {"key", key}}, error, [&] {
    return changed(*webhook,
                   config::set_webhook_key(webhook->spec, key, capi::optional_text(value)));
  });
}

int32_t posthaste_webhook_set_json(posthaste_webhook_t* webhook, const char* json, size_t size,
                                   posthaste_error_t* error) {
  return capi::guarded(__func__, {{"webhook", webhook}, {"json", json}}, error, [&] {
    return changed(*webhook, config::set_webhook_json(webhook->spec, {json, size}));
  });
}

const char* posthaste_webhook_get(const posthaste_webhook_t* webhook, const char* key) {
  if (webhook == nullptr || key == nullptr) return nullptr;
  return capi::value_or<const char*>(nullptr, [&]() -> const char* {
    std::optional<std::string> text;
    if (webhook->facts) text = config::get_webhook_fact(*webhook->facts, key);
    if (!text) text = config::get_webhook_key(webhook->spec, key);
    if (!text) return nullptr;
    return webhook->returned_texts.insert(std::move(*text)).first->c_str();
  });
}

int32_t posthaste_webhook_json(const posthaste_webhook_t* webhook, posthaste_text_t** out) {
  capi::clear(out);
  return capi::guarded(__func__, {{"webhook", webhook}, {"out", out}}, nullptr, [&]() -> Result<> {
    capi::give_text(
        out, config::webhook_json(webhook->spec, webhook->facts ? &*webhook->facts : nullptr));
    return {};
  });
}

size_t posthaste_webhook_list_count(const posthaste_webhook_list_t* list) {
  return list != nullptr ? list->webhooks.size() : 0;
}

const posthaste_webhook_t* posthaste_webhook_list_at(const posthaste_webhook_list_t* list,
                                                     size_t index) {
  return list != nullptr && index < list->webhooks.size() ? &list->webhooks[index] : nullptr;
}

void posthaste_webhook_list_free(posthaste_webhook_list_t* list) {
  delete list;
}
