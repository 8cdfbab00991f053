// Batches: flush, sync, what is open, and the status of the last 24 hours.
#include <fmt/format.h>

#include "capi/guard.h"
#include "config/webhook_keys.h"
#include "json/writer.h"

namespace capi = posthaste::capi;
namespace config = posthaste::config;
using posthaste::core::ErrorCode;
using posthaste::core::Result;
using posthaste::engine::Engine;
using posthaste::spool::AttemptRecord;
using posthaste::spool::StatusFilter;

namespace {

// The original's own limit.
constexpr size_t kStatusLimitDefault = 1000;

// `2014-07-30T21:38:08.000Z`.
std::string iso_time(posthaste::core::WallTime time) {
  std::string text = config::format_time(time);
  text[text.find(' ')] = 'T';
  const auto since_epoch = time.time_since_epoch();
  const auto part = since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto part_ms = std::chrono::floor<std::chrono::milliseconds>(part).count();
  return text + fmt::format(".{:03}Z", part_ms);
}

// The shape of the original's batch status: codes are texts, and a code that there was not is left
// out.
void write_status(posthaste::json::Writer& writer, const AttemptRecord& attempt) {
  const std::string status = attempt.status != 0 ? std::to_string(attempt.status) : std::string();
  writer.begin_object();
  writer.string("batch_id", attempt.batch_id);
  writer.string("webhook_id", attempt.webhook_id);
  writer.string("ts", iso_time(attempt.sealed));
  writer.uint64("attempts", attempt.failures_count);
  if (!status.empty()) writer.string("response_code", status);
  if (!attempt.is_delivered) {
    writer.string("failure_code", status.empty() ? attempt.network_name : status);
  }
  writer.uint64("batch_size", attempt.events_count);
  writer.int64("latency",
               std::chrono::duration_cast<std::chrono::milliseconds>(attempt.latency).count());
  writer.end_object();
}

std::string status_json(const std::vector<AttemptRecord>& attempts) {
  std::string text;
  posthaste::json::Writer writer(text);
  writer.begin_array();
  for (const AttemptRecord& attempt : attempts) write_status(writer, attempt);
  writer.end_array();
  return text;
}

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
    capi::give_text(out, status_json(*attempts));
    return {};
  };
  return capi::with_engine(__func__, ph, {{"id", id}, {"out", out}}, error, call);
}
