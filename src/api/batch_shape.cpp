#include "api/batch_shape.h"

#include <fmt/format.h>

#include "config/value_text.h"
#include "config/webhook_keys.h"
#include "engine/report.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;
using core::Result;

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

// `2014-07-30T21:38:08.000Z`.
std::string iso_time(core::WallTime time) {
  std::string text = config::format_time(time);
  text[text.find(' ')] = 'T';
  const auto since_epoch = time.time_since_epoch();
  const auto part = since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto part_ms = std::chrono::floor<std::chrono::milliseconds>(part).count();
  return text + fmt::format(".{:03}Z", part_ms);
}

// The shape of the original's batch status: codes are texts, and a code that there was not is left
// out.
void write_status(json::Writer& writer, const spool::AttemptRecord& attempt) {
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

}  // namespace

Result<> set_filter_key(spool::DeadLetterFilter& filter, std::string_view key,
                        std::optional<std::string_view> value) {
  if (key == "webhook_id") return set_text(filter.webhook_id, key, value);
  if (key == "batch_id") return set_text(filter.batch_id, key, value);
  if (key == "from_ms") return set_time(filter.died_from, key, value);
  if (key == "before_ms") return set_time(filter.died_before, key, value);
  if (key == "status") return set_status(filter.status, key, value);
  return {ErrorCode::UnknownKey, fmt::format("a filter has no key {}", config::quote(key)),
          std::string(key)};
}

void write_batch(json::Writer& writer, const engine::WaitingBatch& batch) {
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

void write_batch(json::Writer& writer, const spool::DeadLetter& letter) {
  const auto reason = static_cast<engine::DropReason>(letter.cause.reason);
  writer.begin_object();
  writer.uint64("sequence", letter.sequence);
  writer.string("batch_id", letter.id);
  writer.string("webhook_id", letter.webhook_id);
  writer.int64("sealed_ms", core::unix_ms(letter.sealed));
  writer.int64("died_ms", core::unix_ms(letter.cause.died));
  writer.string("reason", engine::drop_reason_name(reason));
  writer.int64("status", letter.cause.status);
  writer.string("network_name", letter.cause.network_name);
  writer.uint64("events", letter.events_count);
  writer.uint64("bytes", letter.size_bytes);
  writer.uint64("attempts", letter.cause.attempts_count);
  writer.uint64("failures", letter.cause.failures_count);
  writer.end_object();
}

std::string status_json(const std::vector<spool::AttemptRecord>& attempts) {
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const spool::AttemptRecord& attempt : attempts) write_status(writer, attempt);
  writer.end_array();
  return text;
}

}  // namespace posthaste::api
