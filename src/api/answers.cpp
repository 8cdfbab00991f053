#include "api/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "api/exchange_json.h"
#include "json/writer.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;

// Keys of authentication: refused by the check of the whole, they contradict one another.
bool is_misfit(std::string_view key) {
  static constexpr std::string_view kKeys[] = {"auth.type", "auth.user", "auth.bearer",
                                               "auth.header", "oauth2.url"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

void write_error(json::Writer& writer, const ApiError& error) {
  writer.begin_object();
  if (!error.parameter.empty()) writer.string("param", error.parameter);
  writer.string("message", error.message);
  if (!error.description.empty()) writer.string("description", error.description);
  if (!error.value.empty()) writer.string("value", error.value);
  if (!error.code.empty()) writer.string("code", error.code);
  writer.end_object();
}

// How far it came; POSTHASTE_PHASE_*.
std::string_view phase_name(transport::Phase phase) {
  switch (phase) {
    case transport::Phase::Dns:
      return "dns";
    case transport::Phase::Connect:
      return "connect";
    case transport::Phase::Tls:
      return "tls";
    case transport::Phase::Timeout:
      return "timeout";
    default:
      return "http";
  }
}

}  // namespace

ApiError unauthorized() {
  return {.status = 401, .message = "Unauthorized"};
}

ApiError forbidden() {
  return {.status = 403, .message = "Forbidden"};
}

ApiError not_found() {
  return {.status = 404, .message = "Resource could not be found"};
}

ApiError invalid_uri() {
  return {.status = 404, .message = "invalid uri", .code = "1101"};
}

HttpAnswer json_answer(int32_t status, std::string body) {
  return {status,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          std::move(body)};
}

HttpAnswer results_answer(std::string_view json) {
  return json_answer(200, fmt::format(R"({{"results":{}}})", json));
}

HttpAnswer empty_answer() {
  return {204, {{"Cache-Control", "no-store"}}, {}};
}

HttpAnswer error_answer(const ApiError& error) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().key("errors").begin_array();
  write_error(writer, error);
  writer.end_array().end_object();
  HttpAnswer answer = json_answer(error.status, std::move(body));
  // A scheme that makes no browser ask for a password.
  if (error.status == 401) {
    answer.headers.push_back({"WWW-Authenticate", "ApiKey realm=\"posthaste\""});
  }
  return answer;
}

HttpAnswer bad_field(std::string description) {
  return error_answer({.status = 422,
                       .message = "invalid data format/type",
                       .description = std::move(description),
                       .code = "1300"});
}

HttpAnswer missing_field(std::string_view field) {
  return error_answer({.status = 422,
                       .message = "required field is missing",
                       .description = fmt::format("field '{}' is required", field),
                       .code = "1400"});
}

HttpAnswer bad_parameter(std::string description) {
  return error_answer({.status = 400,
                       .message = "invalid parameter",
                       .description = std::move(description),
                       .code = "1200"});
}

HttpAnswer engine_error(const core::Error& error, bool is_together) {
  switch (error.code) {
    case ErrorCode::NotFound:
      return error_answer(not_found());
    case ErrorCode::MissingField:
      return missing_field(error.key);
    case ErrorCode::BadHeader:
      if (!is_together) return bad_field(error.message);
      return error_answer({.status = 422,
                           .message = "Header is reserved and cannot be used",
                           .parameter = "custom_headers",
                           .value = error.key});
    case ErrorCode::BadValue:
      if (!is_together || !is_misfit(error.key)) return bad_field(error.message);
      return error_answer({.status = 422,
                           .message = "fields do not fit together",
                           .description = error.message,
                           .code = "1301"});
    case ErrorCode::BadTarget:
    case ErrorCode::BadEvents:
    case ErrorCode::UnknownKey:
    case ErrorCode::NotChangeable:
    case ErrorCode::Exists:
    case ErrorCode::Invalid:
    case ErrorCode::TooLarge:
      return bad_field(error.message);
    case ErrorCode::Timeout:
      return error_answer(
          {.status = 504, .message = "Gateway Timeout", .description = error.message});
    case ErrorCode::QueueFull:
    case ErrorCode::State:
    case ErrorCode::Forked: {
      HttpAnswer answer = error_answer(
          {.status = 503, .message = "Service Unavailable", .description = error.message});
      answer.headers.push_back({"Retry-After", "1"});
      return answer;
    }
    default:
      return error_answer({.status = 500,
                           .message = "Internal Server Error",
                           .description = error.message,
                           .code = "1500"});
  }
}

HttpAnswer verify_error(const engine::Outcome& outcome, bool has_details) {
  const engine::VerifyAnswer& answer = *outcome.verify_answer;
  const bool is_network = answer.status == 0;
  std::string message = outcome.error.message;
  if (answer.is_of_token) {
    message = "POST to webhook tokens URL failed";
  } else if (is_network) {
    message =
        fmt::format("POST to webhook target URL failed with error code {}", answer.network_name);
  }
  std::string body;
  json::Writer writer(body);
  writer.begin_object().key("errors").begin_array().begin_object();
  if (is_network) {
    writer.string("code", answer.network_name);
  } else {
    writer.int64("code", 400);
  }
  writer.string("message", message);
  if (!is_network) write_response(writer, answer);
  if (has_details) {
    writer.string("description", outcome.error.message);
    writer.string("phase", phase_name(answer.phase));
    write_request(writer, answer);
  }
  writer.end_object().end_array().end_object();
  return json_answer(400, std::move(body));
}

}  // namespace posthaste::api
