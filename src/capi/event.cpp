// Pushing events. The way to the engine allocates nothing and makes no text; posthaste_check words
// the refusals.
#include "capi/guard.h"

namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::engine::Engine;

namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// Whether the line itself is to blame; any other refusal would meet the next lines too.
bool is_of_the_line(ErrorCode code) {
  return static_cast<int32_t>(code) >= POSTHASTE_E_BAD_JSON &&
         static_cast<int32_t>(code) < POSTHASTE_E_SPOOL_FULL;
}

// The lines of one posthaste_push_many, and how far it came. What was done is written at once, so
// that it stands even if a push throws.
struct Lines {
  std::string_view text;
  size_t* out_consumed;
  int32_t* out_codes;
  size_t codes_count;  // 0: no codes are wanted
  size_t judged_count = 0;

  ErrorCode push(Engine& engine, std::optional<std::string_view> type) {
    ErrorCode first_refusal = ErrorCode::Ok;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = text.substr(begin, end - begin);
      if (!is_blank(line)) {
        if (codes_count != 0 && judged_count == codes_count) break;
        const ErrorCode code = engine.push(type, line);
        if (first_refusal == ErrorCode::Ok) first_refusal = code;
        if (code != ErrorCode::Ok && !is_of_the_line(code)) break;
        if (codes_count != 0) out_codes[judged_count++] = static_cast<int32_t>(code);
      }
      begin = std::min(end + 1, text.size());
      if (out_consumed != nullptr) *out_consumed = begin;
    }
    return first_refusal;
  }
};

}  // namespace

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
    return Lines{{lines, size}, out_consumed, out_codes, codes_count}.push(
        engine, capi::optional_text(type));
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
