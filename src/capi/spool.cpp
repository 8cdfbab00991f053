// The spool as operators see it: filters, lists, dead letters, purge, export, check.
#include <algorithm>

#include "api/batch_shape.h"
#include "capi/guard.h"
#include "json/writer.h"

namespace api = posthaste::api;
namespace capi = posthaste::capi;
namespace json = posthaste::json;
namespace spool = posthaste::spool;
using posthaste::core::Result;
using posthaste::engine::Engine;

namespace {

constexpr size_t kPageMax = 1000;
size_t page_size(size_t limit) {
  return limit == 0 ? kPageMax : std::min(limit, kPageMax);
}

spool::DeadLetterFilter filter_or_all(const posthaste_filter_t* filter) {
  return filter != nullptr ? filter->filter : spool::DeadLetterFilter{};
}

template <typename Row>
Result<> give_list(posthaste_text_t** out, const Result<std::vector<Row>>& rows) {
  if (!rows) return rows.error();
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const Row& row : *rows) api::write_batch(writer, row);
  writer.end_array();
  capi::give_text(out, std::move(text));
  return {};
}

template <typename Row>
Result<> give_row(posthaste_text_t** out, const Result<Row>& row) {
  if (!row) return row.error();
  std::string text;
  json::Writer writer(text);
  api::write_batch(writer, *row);
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
  return capi::guarded(__func__, {{"filter", filter}, {"key", key}}, error, [&] {
    return api::set_filter_key(filter->filter, key, capi::optional_text(value));
  });
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
