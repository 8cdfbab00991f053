#include "capi/report_json.h"

#include <chrono>

#include "json/writer.h"
#include "posthaste/posthaste.h"

namespace posthaste::capi {

namespace {

using core::ErrorCode;
using transport::Phase;
using transport::Reached;

const char* reached_name(Reached reached) {
  switch (reached) {
    case Reached::No:
      return "no";
    case Reached::Maybe:
      return "maybe";
    case Reached::Yes:
      return "yes";
  }
  return "?";
}

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::None:
      return "none";
    case Phase::Dns:
      return "dns";
    case Phase::Connect:
      return "connect";
    case Phase::Tls:
      return "tls";
    case Phase::Timeout:
      return "timeout";
    case Phase::Http:
      return "http";
  }
  return "?";
}

void write_timings(json::Writer& writer, const transport::Timings& timings) {
  writer.key("timing_us").begin_object();
  writer.uint64("dns", timing_us(timings.dns));
  writer.uint64("connect", timing_us(timings.connect));
  writer.uint64("tls", timing_us(timings.tls));
  writer.uint64("first_byte", timing_us(timings.first_byte));
  writer.uint64("total", timing_us(timings.total));
  writer.end_object();
}

void write_failure(json::Writer& writer, const engine::VerifyAnswer& failure) {
  writer.string("phase", phase_name(failure.phase));
  writer.string("network_name", failure.network_name);
  writer.int64("status", failure.status);
  writer.key("headers").begin_array();
  for (const transport::HeaderField& header : failure.headers) {
    writer.begin_object();
    writer.string("name", header.name);
    writer.string("value", header.value);
    writer.end_object();
  }
  writer.end_array();
  writer.string("body", failure.body);
}

// What posthaste_report_error would put into an error object.
void write_error(json::Writer& writer, const engine::Outcome& outcome) {
  writer.key("error").begin_object();
  writer.string("name", posthaste_error_name(static_cast<int32_t>(outcome.error.code)));
  writer.string("message", outcome.error.message);
  writer.string("key", outcome.error.key);
  if (outcome.verify_answer) write_failure(writer, *outcome.verify_answer);
  writer.end_object();
}

}  // namespace

uint64_t timing_us(core::Duration length) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(length).count());
}

std::string report_json(const engine::Report& report) {
  std::string text;
  json::Writer writer(text);
  writer.begin_object();
  writer.string("kind", engine::report_kind_name(report.kind));
  writer.string("webhook_id", report.webhook_id);
  writer.string("batch_id", report.batch_id);
  writer.string("message", report.message);
  writer.uint64("ticket", report.ticket);
  writer.int64("code", static_cast<int32_t>(report.outcome.error.code));
  writer.string("reason", engine::drop_reason_name(report.reason));
  writer.string("reached", reached_name(report.reached));
  writer.int64("status", report.status);
  writer.string("network_name", report.network_name);
  writer.uint64("attempts", report.attempts_count);
  writer.uint64("events", report.events_count);
  writer.uint64("count", report.count);
  writer.uint64("bytes", report.bytes);
  writer.int64("time_ms", report.time_ms);
  writer.int64("next_try_ms", report.next_try_ms);
  write_timings(writer, report.timings);
  writer.int64("level", report.level);
  if (report.outcome.error.code != ErrorCode::Ok) write_error(writer, report.outcome);
  writer.end_object();
  return text;
}

}  // namespace posthaste::capi
