// Configuration handles.
#include "capi/guard.h"

namespace capi = posthaste::capi;
namespace config = posthaste::config;

posthaste_conf_t* posthaste_conf_new(void) {
  return capi::value_or<posthaste_conf_t*>(nullptr, [] { return new posthaste_conf{}; });
}

void posthaste_conf_free(posthaste_conf_t* conf) {
  delete conf;
}

posthaste_conf_t* posthaste_conf_copy(const posthaste_conf_t* conf) {
  return conf != nullptr ? capi::make_handle<posthaste_conf>(*conf) : nullptr;
}

int32_t posthaste_conf_set(posthaste_conf_t* conf, const char* key, const char* value,
                           posthaste_error_t* error) {
  return capi::guarded(__func__, {{"conf", conf}, {"key", key}}, error,
                       [&] { return conf->conf.set(key, capi::optional_text(value)); });
}

const char* posthaste_conf_get(const posthaste_conf_t* conf, const char* key) {
  if (conf == nullptr || key == nullptr) return nullptr;
  return capi::value_or<const char*>(nullptr, [&] {
    const std::string* text = conf->conf.get(key);
    return text != nullptr ? text->c_str() : nullptr;
  });
}

int32_t posthaste_conf_describe(const char* key, posthaste_text_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::guarded(__func__, {{"out", out}}, error, [&] {
    return capi::give_text(out, config::describe(capi::optional_text(key)));
  });
}
