// The builder of one event's payload. A call that fails for want of an argument or of memory
// sticks like the builder's own errors: a payload that lacks a field must not go out.
#include <new>

#include "capi/guard.h"

namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::envelope::EventBuilder;

namespace {

// The first error counts, whoever found it.
int32_t stick(posthaste_event_t& event, ErrorCode code, const char* parameter) noexcept {
  const ErrorCode first = capi::value_or(ErrorCode::Ok, [&] { return event.builder.error().code; });
  // Invalid may mean no more than that a nested value is open.
  if (first != ErrorCode::Ok && first != ErrorCode::Invalid) return static_cast<int32_t>(first);
  event.stuck_code = code;
  event.stuck_parameter = parameter;
  return static_cast<int32_t>(code);
}

template <typename Call>
int32_t build(posthaste_event_t* event, std::initializer_list<capi::Argument> arguments,
              const Call& call) noexcept {
  if (event == nullptr) return POSTHASTE_E_INVALID;
  if (event->stuck_code != ErrorCode::Ok) return static_cast<int32_t>(event->stuck_code);
  if (const char* name = capi::first_null(arguments)) {
    return stick(*event, ErrorCode::Invalid, name);
  }
  try {
    return static_cast<int32_t>(call(event->builder));
  } catch (const std::bad_alloc&) {
    return stick(*event, ErrorCode::NoMemory, "");
  } catch (...) {
    return stick(*event, ErrorCode::Internal, "");
  }
}

posthaste::core::Error stuck_error(const posthaste_event_t& event) {
  if (event.stuck_code == ErrorCode::Invalid) return capi::null_argument(event.stuck_parameter);
  return {event.stuck_code, posthaste_strerror(static_cast<int32_t>(event.stuck_code)), {}};
}

}  // namespace

posthaste_event_t* posthaste_event_new(const char* type) {
  if (type == nullptr) return nullptr;
  return capi::value_or<posthaste_event_t*>(nullptr, [&] {
    auto event = std::make_unique<posthaste_event>();
    event->type = type;
    event->builder.reset(event->type);
    return event.release();
  });
}

void posthaste_event_free(posthaste_event_t* event) {
  delete event;
}

int32_t posthaste_event_reset(posthaste_event_t* event, const char* type) {
  if (event != nullptr) event->stuck_code = ErrorCode::Ok;
  return build(event, {}, [&](EventBuilder& builder) {
    if (type != nullptr) event->type = type;
    builder.reset(event->type);
    return ErrorCode::Ok;
  });
}

int32_t posthaste_event_set(posthaste_event_t* event, const char* key, const char* value) {
  return build(event, {{"value", value}}, [&](EventBuilder& builder) {
    return builder.set_string(capi::optional_text(key), value);
  });
}

int32_t posthaste_event_set_text(posthaste_event_t* event, const char* key, const char* value,
                                 size_t size) {
  return build(event, {{"value", value}}, [&](EventBuilder& builder) {
    return builder.set_string(capi::optional_text(key), {value, size});
  });
}

int32_t posthaste_event_set_int(posthaste_event_t* event, const char* key, int64_t value) {
  return build(event, {}, [&](EventBuilder& builder) {
    return builder.set_int64(capi::optional_text(key), value);
  });
}

int32_t posthaste_event_set_double(posthaste_event_t* event, const char* key, double value) {
  return build(event, {}, [&](EventBuilder& builder) {
    return builder.set_double(capi::optional_text(key), value);
  });
}

int32_t posthaste_event_set_bool(posthaste_event_t* event, const char* key, int32_t value) {
  return build(event, {}, [&](EventBuilder& builder) {
    return builder.set_boolean(capi::optional_text(key), value != 0);
  });
}

int32_t posthaste_event_set_json(posthaste_event_t* event, const char* key, const char* json,
                                 size_t size) {
  return build(event, {{"json", json}}, [&](EventBuilder& builder) {
    return builder.set_json(capi::optional_text(key), {json, size});
  });
}

int32_t posthaste_event_begin_object(posthaste_event_t* event, const char* key) {
  return build(event, {}, [&](EventBuilder& builder) {
    return builder.begin_object(capi::optional_text(key));
  });
}

int32_t posthaste_event_begin_array(posthaste_event_t* event, const char* key) {
  return build(event, {}, [&](EventBuilder& builder) {
    return builder.begin_array(capi::optional_text(key));
  });
}

int32_t posthaste_event_end(posthaste_event_t* event) {
  return build(event, {}, [](EventBuilder& builder) { return builder.end(); });
}

int32_t posthaste_event_mark(posthaste_event_t* event) {
  return build(event, {}, [](EventBuilder& builder) { return builder.mark(); });
}

int32_t posthaste_event_rewind(posthaste_event_t* event) {
  if (event == nullptr) return POSTHASTE_E_INVALID;
  // A mark is never made while an error sticks, so what stuck here is newer than the mark.
  const ErrorCode stuck_code = std::exchange(event->stuck_code, ErrorCode::Ok);
  const int32_t code = build(event, {}, [](EventBuilder& builder) { return builder.rewind(); });
  if (code != POSTHASTE_OK) event->stuck_code = stuck_code;
  return code;
}

int32_t posthaste_event_check(const posthaste_event_t* event, posthaste_error_t* error) {
  return capi::guarded(__func__, {{"event", event}}, error, [&] {
    return event->stuck_code != ErrorCode::Ok ? stuck_error(*event) : event->builder.error();
  });
}

int32_t posthaste_event_json(const posthaste_event_t* event, posthaste_text_t** out,
                             posthaste_error_t* error) {
  capi::clear(out);
  return capi::guarded(__func__, {{"event", event}, {"out", out}}, error,
                       [&]() -> posthaste::core::Result<> {
                         if (event->stuck_code != ErrorCode::Ok) return stuck_error(*event);
                         std::string_view payload;
                         if (event->builder.finish(payload) != ErrorCode::Ok)
                           return event->builder.error();
                         capi::give_text(out, std::string(payload));
                         return {};
                       });
}
