// Batches: flush, sync, what is open, and the status of the last 24 hours.
#include <fmt/format.h>

#include "api/batch_shape.h"
#include "capi/guard.h"

namespace api = posthaste::api;
namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::core::Result;
using posthaste::engine::Engine;
using posthaste::spool::AttemptRecord;
using posthaste::spool::StatusFilter;

namespace {

// The original's own limit.
constexpr size_t kStatusLimitDefault = 1000;

}  // namespace

int32_t posthaste_flush(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {}, error,
                           [&](Engine& engine) { return engine.flush(timeout_ms); });
}

int32_t posthaste_flush_ticket(posthaste_t* ph, uint64_t* out_ticket, posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(__func__, ph, {{"out_ticket", out_ticket}}, error, [&](Engine& engine) {
    return capi::give_number(out_ticket, engine.flush_ticket());
  });
}

int32_t posthaste_sync(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {}, error,
                           [&](Engine& engine) { return engine.sync(timeout_ms); });
}

int32_t posthaste_sync_ticket(posthaste_t* ph, uint64_t* out_ticket, posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(__func__, ph, {{"out_ticket", out_ticket}}, error, [&](Engine& engine) {
    return capi::give_number(out_ticket, engine.sync_ticket());
  });
}

int32_t posthaste_open_batch(const posthaste_t* ph, const char* id, uint64_t* out_events,
                             uint64_t* out_bytes, posthaste_error_t* error) {
  capi::clear(out_events);
  capi::clear(out_bytes);
  return capi::with_engine(__func__, ph, {{"id", id}}, error,
                           [&](const Engine& engine) -> Result<> {
                             const auto batch = engine.open_batch(id);
                             if (!batch) return batch.error();
                             if (out_events != nullptr) *out_events = batch->events_count;
                             if (out_bytes != nullptr) *out_bytes = batch->size_bytes;
                             return {};
                           });
}

int32_t posthaste_retry_now(posthaste_t* ph, const char* id, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {}, error, [&](Engine& engine) {
    return engine.retry_now(capi::optional_text(id));
  });
}

int32_t posthaste_batch_status(const posthaste_t* ph, const char* id, size_t limit, int32_t which,
                               posthaste_text_t** out, posthaste_error_t* error) {
  capi::clear(out);
  const auto call = [&](const Engine& engine) -> Result<> {
    if (which != POSTHASTE_STATUS_FAILED && which != POSTHASTE_STATUS_ALL) {
      return {ErrorCode::Invalid, fmt::format("which is {}, not one of POSTHASTE_STATUS_*", which),
              "which"};
    }
    const auto attempts = engine.batch_status(
        id, limit != 0 ? limit : kStatusLimitDefault,
        which == POSTHASTE_STATUS_ALL ? StatusFilter::All : StatusFilter::FailedOnly);
    if (!attempts) return attempts.error();
    capi::give_text(out, api::status_json(*attempts));
    return {};
  };
  return capi::with_engine(__func__, ph, {{"id", id}, {"out", out}}, error, call);
}
