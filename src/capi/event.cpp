// Pushing events. The way to the engine allocates nothing and makes no text; posthaste_check words
// the refusals.
#include "capi/guard.h"
#include "capi/lines.h"

namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::engine::Engine;

int32_t posthaste_define_type(posthaste_t* ph, const char* type, const char* event_class,
                              posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"type", type}, {"event_class", event_class}}, error,
                           [&](Engine& engine) { return engine.define_type(type, event_class); });
}

int32_t posthaste_wants(const posthaste_t* ph, const char* type) {
  if (ph == nullptr) return 0;
  return capi::value_or(0, [&] { return ph->engine->wants(capi::optional_text(type)) ? 1 : 0; });
}

int32_t posthaste_push(posthaste_t* ph, const char* type, const char* payload, size_t size) {
  return capi::with_engine(__func__, ph, {{"payload", payload}}, nullptr, [&](Engine& engine) {
    return engine.push(capi::optional_text(type), {payload, size});
  });
}

int32_t posthaste_push_trusted(posthaste_t* ph, const char* type, const char* payload,
                               size_t size) {
  return capi::with_engine(__func__, ph, {{"type", type}, {"payload", payload}}, nullptr,
                           [&](Engine& engine) {
                             return engine.push_trusted(type, {payload, size});
                           });
}

int32_t posthaste_push_enveloped(posthaste_t* ph, const char* record, size_t size) {
  return capi::with_engine(__func__, ph, {{"record", record}}, nullptr, [&](Engine& engine) {
    return engine.push_enveloped({record, size});
  });
}

int32_t posthaste_push_many(posthaste_t* ph, const char* type, const char* lines, size_t size,
                            size_t* out_consumed, int32_t* out_codes, size_t codes_count) {
  capi::clear(out_consumed);
  return capi::with_engine(__func__, ph, {{"lines", lines}}, nullptr, [&](Engine& engine) {
    if (out_codes == nullptr && codes_count != 0) return ErrorCode::Invalid;
    return capi::Lines{{lines, size}, out_consumed, out_codes, codes_count}.push(
        [&](std::string_view line) { return engine.push(capi::optional_text(type), line); });
  });
}

int32_t posthaste_check(const posthaste_t* ph, const char* type, const char* payload, size_t size,
                        posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"payload", payload}}, error, [&](Engine& engine) {
    return engine.check(capi::optional_text(type), {payload, size});
  });
}

int32_t posthaste_push_event(posthaste_t* ph, const posthaste_event_t* event) {
  return capi::with_engine(__func__, ph, {{"event", event}}, nullptr, [&](Engine& engine) {
    if (event->stuck_code != ErrorCode::Ok) return event->stuck_code;
    std::string_view payload;
    const ErrorCode code = event->builder.finish(payload);
    return code == ErrorCode::Ok ? engine.push(std::nullopt, payload) : code;
  });
}
