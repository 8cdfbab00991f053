// Pulling reports and reading them.
#include "capi/guard.h"
#include "capi/report_json.h"

namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::core::Result;
using posthaste::engine::DropReason;
using posthaste::engine::Engine;
using posthaste::engine::Report;
using posthaste::engine::ReportKind;
using posthaste::transport::Reached;

static_assert(static_cast<int32_t>(ReportKind::Delivered) == POSTHASTE_REPORT_DELIVERED);
static_assert(static_cast<int32_t>(ReportKind::Retrying) == POSTHASTE_REPORT_RETRYING);
static_assert(static_cast<int32_t>(ReportKind::Dropped) == POSTHASTE_REPORT_DROPPED);
static_assert(static_cast<int32_t>(ReportKind::State) == POSTHASTE_REPORT_STATE);
static_assert(static_cast<int32_t>(ReportKind::Ticket) == POSTHASTE_REPORT_TICKET);
static_assert(static_cast<int32_t>(ReportKind::Overflow) == POSTHASTE_REPORT_OVERFLOW);
static_assert(static_cast<int32_t>(ReportKind::Log) == POSTHASTE_REPORT_LOG);
static_assert(static_cast<int32_t>(ReportKind::DeadLettered) == POSTHASTE_REPORT_DEAD_LETTERED);
static_assert(static_cast<int32_t>(ReportKind::Spool) == POSTHASTE_REPORT_SPOOL);
static_assert(static_cast<int32_t>(ReportKind::Endpoint) == POSTHASTE_REPORT_ENDPOINT);
static_assert(static_cast<int32_t>(ReportKind::Limit) == POSTHASTE_REPORT_LIMIT);
static_assert(static_cast<int32_t>(DropReason::None) == POSTHASTE_REASON_NONE);
static_assert(static_cast<int32_t>(DropReason::Expired) == POSTHASTE_REASON_EXPIRED);
static_assert(static_cast<int32_t>(DropReason::Quota) == POSTHASTE_REASON_QUOTA);
static_assert(static_cast<int32_t>(DropReason::Removed) == POSTHASTE_REASON_REMOVED);
static_assert(static_cast<int32_t>(DropReason::Closed) == POSTHASTE_REASON_CLOSED);
static_assert(static_cast<int32_t>(DropReason::Refused) == POSTHASTE_REASON_REFUSED);
static_assert(static_cast<int32_t>(Reached::No) == POSTHASTE_REACHED_NO);
static_assert(static_cast<int32_t>(Reached::Maybe) == POSTHASTE_REACHED_MAYBE);
static_assert(static_cast<int32_t>(Reached::Yes) == POSTHASTE_REACHED_YES);

namespace {

template <typename Number>
Number number_of(const posthaste_report_t* report, Number Report::*member) {
  return report != nullptr ? report->report.*member : Number{};
}

const char* text_of(const posthaste_report_t* report, std::string Report::*member) {
  return report != nullptr ? (report->report.*member).c_str() : "";
}

}  // namespace

int32_t posthaste_poll(posthaste_t* ph, int32_t timeout_ms, posthaste_report_t** out) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, nullptr, [&](Engine& engine) {
    // Made first: a report that was taken must not be lost for want of memory.
    auto handle = std::make_unique<posthaste_report>();
    auto report = engine.poll(timeout_ms);
    if (!report) return ErrorCode::Empty;
    handle->report = std::move(*report);
    *out = handle.release();
    return ErrorCode::Ok;
  });
}

int32_t posthaste_report_fd(const posthaste_t* ph) {
  return ph == nullptr || ph->engine->is_forked() ? -1 : ph->engine->report_fd();
}

void posthaste_report_free(posthaste_report_t* report) {
  delete report;
}

int32_t posthaste_report_kind(const posthaste_report_t* report) {
  return report != nullptr ? static_cast<int32_t>(report->report.kind) : 0;
}

const char* posthaste_report_kind_name(int32_t kind) {
  return posthaste::engine::report_kind_name(static_cast<ReportKind>(kind));
}

const char* posthaste_report_webhook_id(const posthaste_report_t* report) {
  return text_of(report, &Report::webhook_id);
}

const char* posthaste_report_batch_id(const posthaste_report_t* report) {
  return text_of(report, &Report::batch_id);
}

const char* posthaste_report_message(const posthaste_report_t* report) {
  return text_of(report, &Report::message);
}

uint64_t posthaste_report_ticket(const posthaste_report_t* report) {
  return number_of(report, &Report::ticket);
}

int32_t posthaste_report_code(const posthaste_report_t* report) {
  return report != nullptr ? static_cast<int32_t>(report->report.outcome.error.code) : POSTHASTE_OK;
}

int32_t posthaste_report_reason(const posthaste_report_t* report) {
  return static_cast<int32_t>(number_of(report, &Report::reason));
}

int32_t posthaste_report_reached(const posthaste_report_t* report) {
  return static_cast<int32_t>(number_of(report, &Report::reached));
}

int32_t posthaste_report_status(const posthaste_report_t* report) {
  return number_of(report, &Report::status);
}

const char* posthaste_report_network_name(const posthaste_report_t* report) {
  return text_of(report, &Report::network_name);
}

uint32_t posthaste_report_attempts(const posthaste_report_t* report) {
  return number_of(report, &Report::attempts_count);
}

uint64_t posthaste_report_events(const posthaste_report_t* report) {
  return number_of(report, &Report::events_count);
}

uint64_t posthaste_report_count(const posthaste_report_t* report) {
  return number_of(report, &Report::count);
}

uint64_t posthaste_report_bytes(const posthaste_report_t* report) {
  return number_of(report, &Report::bytes);
}

int64_t posthaste_report_time_ms(const posthaste_report_t* report) {
  return number_of(report, &Report::time_ms);
}

int64_t posthaste_report_next_try_ms(const posthaste_report_t* report) {
  return number_of(report, &Report::next_try_ms);
}

uint64_t posthaste_report_timing_us(const posthaste_report_t* report, int32_t which) {
  if (report == nullptr) return 0;
  const auto& timings = report->report.timings;
  switch (which) {
    case POSTHASTE_TIMING_DNS:
      return capi::timing_us(timings.dns);
    case POSTHASTE_TIMING_CONNECT:
      return capi::timing_us(timings.connect);
    case POSTHASTE_TIMING_TLS:
      return capi::timing_us(timings.tls);
    case POSTHASTE_TIMING_FIRST_BYTE:
      return capi::timing_us(timings.first_byte);
    case POSTHASTE_TIMING_TOTAL:
      return capi::timing_us(timings.total);
    default:
      return 0;
  }
}

int32_t posthaste_report_level(const posthaste_report_t* report) {
  return number_of(report, &Report::level);
}

int32_t posthaste_report_json(const posthaste_report_t* report, posthaste_text_t** out) {
  capi::clear(out);
  return capi::guarded(__func__, {{"report", report}, {"out", out}}, nullptr, [&]() -> Result<> {
    capi::give_text(out, capi::report_json(report->report));
    return {};
  });
}

int32_t posthaste_report_error(const posthaste_report_t* report, posthaste_error_t* error) {
  return capi::guarded(__func__, {{"report", report}}, error,
                       [&] { return report->report.outcome; });
}
