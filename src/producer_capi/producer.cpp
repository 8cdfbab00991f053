// The C functions of libposthaste_producer that are not the same code as libposthaste's: life cycle
// and events, over a producer instead of an engine.
#include "producer/producer.h"

#include "capi/guard.h"
#include "capi/lines.h"

namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::core::Result;
using posthaste::producer::Producer;

namespace {

// In this library a posthaste_t is a Producer; nothing here looks inside the engine's holder.
Producer& producer_of(posthaste_t* ph) {
  return *static_cast<Producer*>(static_cast<void*>(ph));
}

}  // namespace

int32_t posthaste_new(const posthaste_conf_t* conf, posthaste_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::guarded(__func__, {{"out", out}}, error, [&]() -> Result<> {
    auto settings = (conf != nullptr ? conf->conf : posthaste::config::Conf()).finalize();
    if (!settings) return settings.error();
    void* const producer = std::make_unique<Producer>(*settings).release();
    *out = static_cast<posthaste_t*>(producer);
    return {};
  });
}

int32_t posthaste_start(posthaste_t* ph, posthaste_error_t* error) {
  return capi::guarded(__func__, {{"ph", ph}}, error, [&] { return producer_of(ph).start(); });
}

int32_t posthaste_close(posthaste_t* ph, int32_t, posthaste_error_t* error) {
  return capi::guarded(__func__, {{"ph", ph}}, error, [&] {
    producer_of(ph).close();
    return Result<>();
  });
}

void posthaste_free(posthaste_t* ph) {
  if (ph != nullptr) delete &producer_of(ph);
}

int32_t posthaste_define_type(posthaste_t* ph, const char* type, const char* event_class,
                              posthaste_error_t* error) {
  return capi::guarded(__func__, {{"ph", ph}, {"type", type}, {"event_class", event_class}}, error,
                       [&] { return producer_of(ph).define_type(type, event_class); });
}

// What webhooks there are only the engine that delivers knows.
int32_t posthaste_wants(const posthaste_t* ph, const char*) {
  return ph != nullptr ? 1 : 0;
}

int32_t posthaste_push(posthaste_t* ph, const char* type, const char* payload, size_t size) {
  return capi::guarded(__func__, {{"ph", ph}, {"payload", payload}}, nullptr, [&] {
    return producer_of(ph).push(capi::optional_text(type), {payload, size});
  });
}

int32_t posthaste_push_trusted(posthaste_t* ph, const char* type, const char* payload,
                               size_t size) {
  return capi::guarded(__func__, {{"ph", ph}, {"type", type}, {"payload", payload}}, nullptr, [&] {
    return producer_of(ph).push_trusted(type, {payload, size});
  });
}

int32_t posthaste_push_enveloped(posthaste_t* ph, const char* record, size_t size) {
  return capi::guarded(__func__, {{"ph", ph}, {"record", record}}, nullptr, [&] {
    return producer_of(ph).push_enveloped({record, size});
  });
}

int32_t posthaste_push_many(posthaste_t* ph, const char* type, const char* lines, size_t size,
                            size_t* out_consumed, int32_t* out_codes, size_t codes_count) {
  capi::clear(out_consumed);
  return capi::guarded(__func__, {{"ph", ph}, {"lines", lines}}, nullptr, [&] {
    if (out_codes == nullptr && codes_count != 0) return ErrorCode::Invalid;
    return capi::Lines{{lines, size}, out_consumed, out_codes, codes_count}.push(
        [&](std::string_view line) {
          return producer_of(ph).push(capi::optional_text(type), line);
        });
  });
}

int32_t posthaste_check(const posthaste_t* ph, const char* type, const char* payload, size_t size,
                        posthaste_error_t* error) {
  return capi::guarded(__func__, {{"ph", ph}, {"payload", payload}}, error, [&] {
    const auto* producer = static_cast<const Producer*>(static_cast<const void*>(ph));
    return producer->check(capi::optional_text(type), {payload, size});
  });
}

int32_t posthaste_push_event(posthaste_t* ph, const posthaste_event_t* event) {
  return capi::guarded(__func__, {{"ph", ph}, {"event", event}}, nullptr, [&] {
    if (event->stuck_code != ErrorCode::Ok) return event->stuck_code;
    std::string_view payload;
    const ErrorCode code = event->builder.finish(payload);
    return code == ErrorCode::Ok ? producer_of(ph).push(std::nullopt, payload) : code;
  });
}

// It waits for the disk, however long that takes.
int32_t posthaste_sync(posthaste_t* ph, int32_t, posthaste_error_t* error) {
  return capi::guarded(__func__, {{"ph", ph}}, error, [&] { return producer_of(ph).sync(); });
}
