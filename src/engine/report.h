// What the host is told: one Report is one thing that happened. Plain values, made on library
// threads, pulled by the host; they refer to nothing in the engine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "transport/transport.h"

namespace posthaste::engine {

// Values equal POSTHASTE_REPORT_*.
enum class ReportKind : int32_t {
  Delivered = 1,
  Retrying = 2,
  Dropped = 3,
  State = 4,
  Ticket = 5,
  Overflow = 6,
  Log = 7,
  DeadLettered = 8,
  Spool = 9,
  Endpoint = 10,
  Limit = 11,
};
const char* report_kind_name(ReportKind kind);  // lower case; "?" when unknown

// Values equal POSTHASTE_REASON_*.
enum class DropReason : int32_t {
  None = 0,
  Expired = 1,
  Quota = 2,
  Removed = 3,
  Closed = 4,
  Unreadable = 5,
  Salvaged = 6,
  DeadLetterQuota = 7,
  DeadLetterAge = 8,
  Purged = 9,
  Unsecured = 10,  // no drop: the batch goes out, but is not on disk
  Refused = 11,    // one event alone is too large for the receiver
};
inline constexpr size_t kDropReasonsCount = 12;
const char* drop_reason_name(DropReason reason);

// A test POST as it was sent, and how it was answered. posthaste_error_t shows the answer of one
// that failed, the REST handler both halves of any.
struct VerifyAnswer {
  bool is_of_token = false;  // of the token request: the test POST was never sent
  transport::Phase phase = transport::Phase::None;
  int32_t status = 0;
  std::string network_name;
  std::vector<transport::HeaderField> headers;
  std::string body;

  std::string sent_url;
  std::vector<transport::HeaderField> sent_headers;  // those that can hold secrets masked
  std::string sent_body;                             // before its content coding
};

// The REST handler's answer to one request.
struct HttpAnswer {
  int32_t status = 200;
  std::vector<transport::HeaderField> headers;  // without Content-Length and Date
  std::string body;
};

// The outcome of something a host asked for.
struct Outcome {
  core::Error error;                                            // code Ok: it succeeded
  std::shared_ptr<const VerifyAnswer> verify_answer = nullptr;  // also of one that passed
  std::string webhook_id;
  std::shared_ptr<HttpAnswer> http_answer = nullptr;  // of a REST request
};

struct Report {
  ReportKind kind = ReportKind::Log;
  std::string webhook_id;
  std::string batch_id;
  std::string message;  // one line for people
  uint64_t ticket = 0;
  Outcome outcome;  // Ticket
  DropReason reason = DropReason::None;
  transport::Reached reached = transport::Reached::No;
  int32_t status = 0;
  std::string network_name;
  uint32_t attempts_count = 0;
  uint64_t events_count = 0;
  uint64_t count = 0;  // batches of a drop, reports of an overflow
  uint64_t bytes = 0;
  int64_t time_ms = 0;
  int64_t next_try_ms = 0;
  transport::Timings timings;
  int32_t level = 0;
};

}  // namespace posthaste::engine
