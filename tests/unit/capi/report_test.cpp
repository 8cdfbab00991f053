#include "json/value.h"
#include "owned.h"

using namespace posthaste::testing;
using posthaste::core::ErrorCode;
using posthaste::engine::DropReason;
using posthaste::engine::Report;
using posthaste::engine::ReportKind;
using posthaste::engine::VerifyAnswer;
using posthaste::transport::Phase;
using posthaste::transport::Reached;

namespace {

Owned<posthaste_report_t> handle_of(Report report) {
  return Owned<posthaste_report_t>(new posthaste_report{std::move(report)});
}

Report retrying_report() {
  Report report;
  report.kind = ReportKind::Retrying;
  report.webhook_id = "hook";
  report.batch_id = "b1";
  report.message = "batch b1 was refused";
  report.reached = Reached::Maybe;
  report.status = 503;
  report.network_name = "ECONNRESET";
  report.attempts_count = 3;
  report.events_count = 12;
  report.count = 1;
  report.bytes = 4000;
  report.time_ms = 1406756288007;
  report.next_try_ms = 1406756290007;
  report.timings.dns = std::chrono::nanoseconds(1999);
  report.timings.connect = std::chrono::microseconds(2);
  report.timings.tls = std::chrono::microseconds(3);
  report.timings.first_byte = std::chrono::microseconds(4);
  report.timings.total = std::chrono::milliseconds(5);
  return report;
}

Report failed_ticket() {
  auto failure = std::make_shared<VerifyAnswer>();
  failure->phase = Phase::Http;
  failure->status = 503;
  failure->headers = {{"Content-Type", "text/plain"}, {"Retry-After", "5"}};
  failure->body = std::string("no\0w", 4);
  Report report;
  report.kind = ReportKind::Ticket;
  report.ticket = 9;
  report.outcome.error = {ErrorCode::VerifyFailed, "the target answered 503", "target"};
  report.outcome.verify_answer = failure;
  return report;
}

std::string json_of(const posthaste_report_t* report) {
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_report_json(report, &text) == POSTHASTE_OK);
  return take(text);
}

}  // namespace

TEST_CASE("A report's getters give what happened", "[capi][report]") {
  const auto report = handle_of(retrying_report());
  CHECK(posthaste_report_kind(report.get()) == POSTHASTE_REPORT_RETRYING);
  CHECK(std::string(posthaste_report_webhook_id(report.get())) == "hook");
  CHECK(std::string(posthaste_report_batch_id(report.get())) == "b1");
  CHECK(std::string(posthaste_report_message(report.get())) == "batch b1 was refused");
  CHECK(posthaste_report_ticket(report.get()) == 0);
  CHECK(posthaste_report_code(report.get()) == POSTHASTE_OK);
  CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_NONE);
  CHECK(posthaste_report_reached(report.get()) == POSTHASTE_REACHED_MAYBE);
  CHECK(posthaste_report_status(report.get()) == 503);
  CHECK(std::string(posthaste_report_network_name(report.get())) == "ECONNRESET");
  CHECK(posthaste_report_attempts(report.get()) == 3);
  CHECK(posthaste_report_events(report.get()) == 12);
  CHECK(posthaste_report_count(report.get()) == 1);
  CHECK(posthaste_report_bytes(report.get()) == 4000);
  CHECK(posthaste_report_time_ms(report.get()) == 1406756288007);
  CHECK(posthaste_report_next_try_ms(report.get()) == 1406756290007);
  CHECK(posthaste_report_level(report.get()) == 0);
}

TEST_CASE("Timings are whole microseconds by name", "[capi][report]") {
  const auto report = handle_of(retrying_report());
  CHECK(posthaste_report_timing_us(report.get(), POSTHASTE_TIMING_DNS) == 1);
  CHECK(posthaste_report_timing_us(report.get(), POSTHASTE_TIMING_CONNECT) == 2);
  CHECK(posthaste_report_timing_us(report.get(), POSTHASTE_TIMING_TLS) == 3);
  CHECK(posthaste_report_timing_us(report.get(), POSTHASTE_TIMING_FIRST_BYTE) == 4);
  CHECK(posthaste_report_timing_us(report.get(), POSTHASTE_TIMING_TOTAL) == 5000);
  CHECK(posthaste_report_timing_us(report.get(), 5) == 0);
  CHECK(posthaste_report_timing_us(report.get(), -1) == 0);
}

TEST_CASE("The JSON of a report has every getter's value under its name", "[capi][report]") {
  CHECK(json_of(handle_of(retrying_report()).get()) ==
        R"({"kind":"retrying","webhook_id":"hook","batch_id":"b1",)"
        R"("message":"batch b1 was refused","ticket":0,"code":0,"reason":"none",)"
        R"("reached":"maybe","status":503,"network_name":"ECONNRESET","attempts":3,"events":12,)"
        R"("count":1,"bytes":4000,"time_ms":1406756288007,"next_try_ms":1406756290007,)"
        R"("timing_us":{"dns":1,"connect":2,"tls":3,"first_byte":4,"total":5000},"level":0})");
}

TEST_CASE("The JSON of a failed ticket explains the failure", "[capi][report]") {
  const std::string json = json_of(handle_of(failed_ticket()).get());
  CHECK(json.find(R"("ticket":9,"code":202,)") != std::string::npos);
  CHECK(json.find(R"("error":{"name":"POSTHASTE_E_VERIFY_FAILED",)"
                  R"("message":"the target answered 503","key":"target","phase":"http",)"
                  R"("network_name":"","status":503,"headers":[)"
                  R"({"name":"Content-Type","value":"text/plain"},)"
                  R"({"name":"Retry-After","value":"5"}],"body":"no\u0000w"}})") !=
        std::string::npos);
}

TEST_CASE("A ticket's failure is explained in an error object that outlives the report",
          "[capi][report]") {
  const ErrorHandle error = make_error();
  auto report = handle_of(failed_ticket());
  CHECK(posthaste_report_code(report.get()) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_report_error(report.get(), nullptr) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(posthaste_report_error(report.get(), error.get()) == POSTHASTE_E_VERIFY_FAILED);
  report.reset();
  CHECK(posthaste_error_code(error.get()) == POSTHASTE_E_VERIFY_FAILED);
  CHECK(std::string(posthaste_error_message(error.get())) == "the target answered 503");
  CHECK(posthaste_error_phase(error.get()) == POSTHASTE_PHASE_HTTP);
  CHECK(posthaste_error_status(error.get()) == 503);
  CHECK(std::string(posthaste_error_network_name(error.get())).empty());
  REQUIRE(posthaste_error_header_count(error.get()) == 2);
  CHECK(std::string(posthaste_error_header_name(error.get(), 1)) == "Retry-After");
  CHECK(std::string(posthaste_error_header_value(error.get(), 1)) == "5");
  CHECK(posthaste_error_header_name(error.get(), 2) == nullptr);
  size_t size = 0;
  const char* body = posthaste_error_body(error.get(), &size);
  CHECK(std::string(body, size) == std::string("no\0w", 4));

  CHECK(posthaste_report_error(handle_of(retrying_report()).get(), error.get()) == POSTHASTE_OK);
  CHECK(posthaste_error_phase(error.get()) == POSTHASTE_PHASE_NONE);
  CHECK(posthaste_error_header_count(error.get()) == 0);
}

TEST_CASE("Kinds have names", "[capi][report]") {
  const char* const names[] = {"?",        "delivered", "retrying", "dropped",       "state",
                               "ticket",   "overflow",  "log",      "dead_lettered", "spool",
                               "endpoint", "limit",     "?"};
  for (int32_t kind = 0; kind < 13; ++kind) {
    CHECK(std::string(posthaste_report_kind_name(kind)) == names[kind]);
  }
}

TEST_CASE("Poll answers empty with out null", "[capi][report]") {
  const EngineHandle engine = make_engine();
  const auto owned = handle_of({});
  posthaste_report_t* report = owned.get();
  CHECK(posthaste_poll(engine.get(), 0, &report) == POSTHASTE_E_EMPTY);
  CHECK(report == nullptr);
}

TEST_CASE("Null where a report is needed gives nothing or an error", "[capi][report]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  posthaste_text_t* text = nullptr;
  posthaste_report_t* report = nullptr;
  CHECK(posthaste_poll(nullptr, 0, &report) == POSTHASTE_E_INVALID);
  CHECK(posthaste_poll(engine.get(), 0, nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_report_kind(nullptr) == 0);
  CHECK(std::string(posthaste_report_webhook_id(nullptr)).empty());
  CHECK(std::string(posthaste_report_message(nullptr)).empty());
  CHECK(posthaste_report_code(nullptr) == POSTHASTE_OK);
  CHECK(posthaste_report_attempts(nullptr) == 0);
  CHECK(posthaste_report_timing_us(nullptr, POSTHASTE_TIMING_TOTAL) == 0);
  CHECK(posthaste_report_json(nullptr, &text) == POSTHASTE_E_INVALID);
  CHECK(posthaste_report_json(handle_of({}).get(), nullptr) == POSTHASTE_E_INVALID);
  CHECK(posthaste_report_error(nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "report");
}
