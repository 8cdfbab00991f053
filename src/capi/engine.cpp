// Life cycle, settings of an engine, statistics and log.
#include "capi/guard.h"
#include "engine/assemble.h"

namespace capi = posthaste::capi;
namespace config = posthaste::config;
using posthaste::core::Result;
using posthaste::engine::Engine;
using posthaste::engine::LogLevel;

static_assert(static_cast<int32_t>(LogLevel::Error) == POSTHASTE_LOG_ERROR);
static_assert(static_cast<int32_t>(LogLevel::Warning) == POSTHASTE_LOG_WARNING);
static_assert(static_cast<int32_t>(LogLevel::Info) == POSTHASTE_LOG_INFO);
static_assert(static_cast<int32_t>(LogLevel::Debug) == POSTHASTE_LOG_DEBUG);

int32_t posthaste_new(const posthaste_conf_t* conf, posthaste_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::guarded(__func__, {{"out", out}}, error, [&]() -> Result<> {
    auto engine = posthaste::engine::assemble(conf != nullptr ? conf->conf : config::Conf());
    if (!engine) return engine.error();
    auto api = std::make_unique<posthaste::api::Handler>(**engine);
    *out = std::make_unique<posthaste_engine>(posthaste_engine{std::move(*engine), std::move(api)})
               .release();
    return {};
  });
}

int32_t posthaste_start(posthaste_t* ph, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {}, error, [](Engine& engine) { return engine.start(); });
}

int32_t posthaste_close(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {}, error,
                           [&](Engine& engine) { return engine.close(timeout_ms); });
}

int32_t posthaste_close_ticket(posthaste_t* ph, int32_t timeout_ms, uint64_t* out_ticket,
                               posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(__func__, ph, {{"out_ticket", out_ticket}}, error, [&](Engine& engine) {
    return capi::give_number(out_ticket, engine.close_ticket(timeout_ms));
  });
}

void posthaste_free(posthaste_t* ph) {
  if (ph == nullptr) return;
  // A close that threw may have left the thread running. Whether this close succeeded says little:
  // after one that gave up waiting for the thread, the next answers that all is closed.
  const bool is_safe = capi::value_or(false, [&] { return ph->engine->close_to_destroy(); });
  if (!is_safe) static_cast<void>(ph->engine.release());
  delete ph;
}

int32_t posthaste_set(posthaste_t* ph, const char* key, const char* value,
                      posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"key", key}}, error, [&](Engine& engine) {
    return engine.set(key, capi::optional_text(value));
  });
}

int32_t posthaste_get(const posthaste_t* ph, const char* key, posthaste_text_t** out,
                      posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(
      __func__, ph, {{"key", key}, {"out", out}}, error,
      [&](const Engine& engine) { return capi::give_text(out, engine.get(key)); });
}

int32_t posthaste_stats_json(const posthaste_t* ph, posthaste_text_t** out) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, nullptr, [&](const Engine& engine) {
    return capi::give_text(out, engine.stats_json());
  });
}

int32_t posthaste_set_log(posthaste_t* ph, posthaste_log_fn fn, void* user_data) {
  return capi::with_engine(__func__, ph, {}, nullptr,
                           [&](Engine& engine) { return engine.set_log(fn, user_data); });
}

int32_t posthaste_log(posthaste_t* ph, int32_t level, const char* line) {
  return capi::with_engine(
      __func__, ph, {{"line", line}}, nullptr, [&](Engine& engine) -> posthaste::core::Result<> {
        if (level < POSTHASTE_LOG_ERROR || level > POSTHASTE_LOG_DEBUG) {
          return {posthaste::core::ErrorCode::Invalid, "level is not one of POSTHASTE_LOG_*"};
        }
        engine.log(static_cast<posthaste::engine::LogLevel>(level), line);
        return {};
      });
}
