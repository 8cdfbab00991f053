// The spool as operators see it: filters, lists, dead letters, purge, export, check.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "capi/guard.h"
#include "config/value_text.h"
#include "engine/report.h"
#include "json/writer.h"

namespace capi = posthaste::capi;
namespace config = posthaste::config;
namespace core = posthaste::core;
namespace json = posthaste::json;
namespace spool = posthaste::spool;
using core::ErrorCode;
using core::Result;
using posthaste::engine::DropReason;
using posthaste::engine::Engine;
using posthaste::engine::WaitingBatch;

namespace {

constexpr size_t kPageMax = 1000;
// Beyond the year 2200; later times do not fit into a WallTime.
constexpr uint64_t kTimeMsMax = 7'258'118'400'000;
constexpr uint64_t kStatusMax = 999;

std::optional<core::WallTime> time_of(const std::optional<uint64_t>& unix_ms) {
  if (!unix_ms || *unix_ms > kTimeMsMax) return std::nullopt;
  return core::WallTime(std::chrono::milliseconds(*unix_ms));
}

core::Error bad_value(std::string_view key, std::string_view value, std::string_view wanted) {
  return {ErrorCode::BadValue,
          fmt::format("'{}' is {}, which is not {}", key, config::quote(value), wanted),
          std::string(key)};
}

Result<> set_text(std::optional<std::string>& member, std::string_view key,
                  std::optional<std::string_view> value) {
  if (value && value->empty()) return bad_value(key, *value, "an id");
  member = value ? std::optional<std::string>(*value) : std::nullopt;
  return {};
}

Result<> set_time(std::optional<core::WallTime>& member, std::string_view key,
                  std::optional<std::string_view> value) {
  if (!value) {
    member.reset();
    return {};
  }
  const auto time = time_of(config::parse_count(*value));
  if (!time) return bad_value(key, *value, "a Unix time in milliseconds");
  member = time;
  return {};
}

Result<> set_status(std::optional<int32_t>& member, std::string_view key,
                    std::optional<std::string_view> value) {
  if (!value) {
    member.reset();
    return {};
  }
  const auto status = config::parse_count(*value);
  if (!status || *status > kStatusMax) return bad_value(key, *value, "an HTTP status or 0");
  member = static_cast<int32_t>(*status);
  return {};
}

Result<> set_key(spool::DeadLetterFilter& filter, std::string_view key,
                 std::optional<std::string_view> value) {
  if (key == "webhook_id") return set_text(filter.webhook_id, key, value);
  if (key == "batch_id") return set_text(filter.batch_id, key, value);
  if (key == "from_ms") return set_time(filter.died_from, key, value);
  if (key == "before_ms") return set_time(filter.died_before, key, value);
  if (key == "status") return set_status(filter.status, key, value);
  return {ErrorCode::UnknownKey, fmt::format("a filter has no key {}", config::quote(key)),
          std::string(key)};
}

size_t page_size(size_t limit) {
  return limit == 0 ? kPageMax : std::min(limit, kPageMax);
}

spool::DeadLetterFilter filter_or_all(const posthaste_filter_t* filter) {
  return filter != nullptr ? filter->filter : spool::DeadLetterFilter{};
}

void write(json::Writer& writer, const WaitingBatch& batch) {
  const spool::LiveBatch& row = batch.row;
  const int64_t clock = row.retry.clock_started ? core::unix_ms(*row.retry.clock_started) : 0;
  const bool waits_by_itself = row.retry.content_failures_count > 0;
  writer.begin_object();
  writer.uint64("sequence", row.sequence);
  writer.string("batch_id", row.id);
  writer.string("webhook_id", batch.webhook_id);
  writer.int64("sealed_ms", core::unix_ms(row.sealed));
  writer.uint64("events", row.events_count);
  writer.uint64("bytes", row.size_bytes);
  writer.uint64("attempts", row.retry.attempts_count);
  writer.uint64("failures", row.retry.failures_count);
  writer.int64("clock_started_ms", clock);
  writer.int64("next_try_ms", waits_by_itself ? core::unix_ms(row.retry.due) : 0);
  writer.end_object();
}

void write(json::Writer& writer, const spool::DeadLetter& letter) {
  const auto reason = static_cast<DropReason>(letter.cause.reason);
  writer.begin_object();
  writer.uint64("sequence", letter.sequence);
  writer.string("batch_id", letter.id);
  writer.string("webhook_id", letter.webhook_id);
  writer.int64("sealed_ms", core::unix_ms(letter.sealed));
  writer.int64("died_ms", core::unix_ms(letter.cause.died));
  writer.string("reason", posthaste::engine::drop_reason_name(reason));
  writer.int64("status", letter.cause.status);
  writer.string("network_name", letter.cause.network_name);
  writer.uint64("events", letter.events_count);
  writer.uint64("bytes", letter.size_bytes);
  writer.uint64("attempts", letter.cause.attempts_count);
  writer.uint64("failures", letter.cause.failures_count);
  writer.end_object();
}

template <typename Row>
Result<> give_list(posthaste_text_t** out, const Result<std::vector<Row>>& rows) {
  if (!rows) return rows.error();
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const Row& row : *rows) write(writer, row);
  writer.end_array();
  capi::give_text(out, std::move(text));
  return {};
}

template <typename Row>
Result<> give_row(posthaste_text_t** out, const Result<Row>& row) {
  if (!row) return row.error();
  std::string text;
  json::Writer writer(text);
  write(writer, *row);
  capi::give_text(out, std::move(text));
  return {};
}

Result<> give_sums(uint64_t* out_batches, uint64_t* out_events, const Result<spool::Sums>& sums) {
  if (!sums) return sums.error();
  if (out_batches != nullptr) *out_batches = sums->batches_count;
  if (out_events != nullptr) *out_events = sums->events_count;
  return {};
}

std::string findings_json(const spool::Findings& findings) {
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const std::string& finding : findings) writer.string(finding);
  writer.end_array();
  return text;
}

}  // namespace

posthaste_filter_t* posthaste_filter_new(void) {
  return capi::make_handle<posthaste_filter>();
}

void posthaste_filter_free(posthaste_filter_t* filter) {
  delete filter;
}

int32_t posthaste_filter_set(posthaste_filter_t* filter, const char* key, const char* value,
                             posthaste_error_t* error) {
  return capi::guarded(__func__, {{"filter", filter}, {"key", key}}, error,
                       [&] { return set_key(filter->filter, key, capi::optional_text(value)); });
}

int32_t posthaste_waiting_list(const posthaste_t* ph, const posthaste_filter_t* filter,
                               uint64_t after, size_t limit, posthaste_text_t** out,
                               posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, error, [&](const Engine& engine) {
    return give_list(out, engine.list_waiting(filter_or_all(filter), after, page_size(limit)));
  });
}

int32_t posthaste_waiting_find(const posthaste_t* ph, const char* batch_id, posthaste_text_t** out,
                               posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(
      __func__, ph, {{"batch_id", batch_id}, {"out", out}}, error,
      [&](const Engine& engine) { return give_row(out, engine.find_waiting(batch_id)); });
}

int32_t posthaste_dead_letter_list(const posthaste_t* ph, const posthaste_filter_t* filter,
                                   uint64_t after, size_t limit, posthaste_text_t** out,
                                   posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, error, [&](const Engine& engine) {
    return give_list(out, engine.list_dead_letters(filter_or_all(filter), after, page_size(limit)));
  });
}

int32_t posthaste_dead_letter_find(const posthaste_t* ph, const char* batch_id,
                                   posthaste_text_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(
      __func__, ph, {{"batch_id", batch_id}, {"out", out}}, error,
      [&](const Engine& engine) { return give_row(out, engine.find_dead_letter(batch_id)); });
}

int32_t posthaste_dead_letter_replay(posthaste_t* ph, const posthaste_filter_t* filter,
                                     int32_t timeout_ms, uint64_t* out_count,
                                     posthaste_error_t* error) {
  capi::clear(out_count);
  return capi::with_engine(__func__, ph, {{"filter", filter}}, error, [&](Engine& engine) {
    return give_sums(out_count, nullptr, engine.replay_dead_letters(filter->filter, timeout_ms));
  });
}

int32_t posthaste_dead_letter_remove(posthaste_t* ph, const posthaste_filter_t* filter,
                                     int32_t timeout_ms, uint64_t* out_count,
                                     posthaste_error_t* error) {
  capi::clear(out_count);
  return capi::with_engine(__func__, ph, {{"filter", filter}}, error, [&](Engine& engine) {
    return give_sums(out_count, nullptr, engine.remove_dead_letters(filter->filter, timeout_ms));
  });
}

int32_t posthaste_purge(posthaste_t* ph, const char* id, int32_t timeout_ms, uint64_t* out_batches,
                        uint64_t* out_events, posthaste_error_t* error) {
  capi::clear(out_batches);
  capi::clear(out_events);
  return capi::with_engine(__func__, ph, {{"id", id}}, error, [&](Engine& engine) {
    return give_sums(out_batches, out_events, engine.purge(id, timeout_ms));
  });
}

int32_t posthaste_batch_export(const posthaste_t* ph, const char* batch_id, uint64_t* out_events,
                               posthaste_error_t* error, posthaste_write_fn write,
                               void* user_data) {
  capi::clear(out_events);
  // A function's address is no object's.
  const void* const function = write != nullptr ? ph : nullptr;
  return capi::with_engine(__func__, ph, {{"batch_id", batch_id}, {"write", function}}, error,
                           [&](const Engine& engine) -> Result<> {
                             const auto sink = [&](std::string_view text) {
                               return write(text.data(), text.size(), user_data) == 0;
                             };
                             const auto events = engine.export_events(batch_id, sink);
                             if (!events) return events.error();
                             if (out_events != nullptr) *out_events = *events;
                             return {};
                           });
}

int32_t posthaste_spool_check(const posthaste_t* ph, int32_t timeout_ms, posthaste_text_t** out,
                              posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, error,
                           [&](const Engine& engine) -> Result<> {
                             const auto findings = engine.check_spool(timeout_ms);
                             if (!findings) return findings.error();
                             capi::give_text(out, findings_json(*findings));
                             return {};
                           });
}
