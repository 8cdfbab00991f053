#include "admin/exchange.h"

#include <strings.h>

#include <memory>
#include <new>

#include "admin/gzip.h"
#include "admin/settings.h"

namespace posthaste::admin {
namespace {

// Below this a packet is saved by nothing.
constexpr size_t kGzipSizeMin = 1400;

template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};
using Request = std::unique_ptr<posthaste_request_t, Free<posthaste_request_free>>;
using Response = std::unique_ptr<posthaste_response_t, Free<posthaste_response_free>>;

// Null when memory is short.
Request request_of(const Exchange& exchange) {
  // The listener leaves the body of an answer to HEAD out; the API knows GET.
  const bool is_get = exchange.method == "HEAD" && !exchange.mount;
  const char* const method = is_get ? "GET" : exchange.method.c_str();
  Request request(posthaste_request_new(method, exchange.target.c_str()));
  if (!request) return nullptr;
  int32_t code = posthaste_request_set_peer(request.get(), exchange.peer.c_str());
  if (exchange.is_https) code |= posthaste_request_set_scheme(request.get(), "https");
  for (const auto& [name, value] : exchange.headers) {
    code |= posthaste_request_add_header(request.get(), name.c_str(), value.c_str());
  }
  code |= posthaste_request_set_body(request.get(), exchange.body.data(), exchange.body.size());
  return code == POSTHASTE_OK ? std::move(request) : nullptr;
}

Answer answer_of(const posthaste_response_t* response) {
  Answer answer;
  answer.status = posthaste_response_status(response);
  for (size_t i = 0; i < posthaste_response_header_count(response); ++i) {
    answer.headers.emplace_back(posthaste_response_header_name(response, i),
                                posthaste_response_header_value(response, i));
  }
  size_t size = 0;
  const char* const body = posthaste_response_body(response, &size);
  answer.body.assign(body, size);
  return answer;
}

Answer ask(const HandlerCall& call, Exchange& exchange) {
  const Request request = request_of(exchange);
  // The request has a copy.
  exchange.body = std::string();
  if (!request) return error_answer(503, "Service Unavailable", "memory is short");
  posthaste_response_t* made = nullptr;
  const Mount* const mount = exchange.mount;
  const int32_t code =
      mount ? mount->handler(call.engine, request.get(), call.timeout_ms, &made, mount->user_data)
            : posthaste_api_handle(call.engine, request.get(), call.timeout_ms, &made, nullptr);
  const Response response(made);
  if (code != POSTHASTE_OK) {
    return error_answer(500, "Internal Server Error", posthaste_strerror(code));
  }
  if (!response) return error_answer(500, "Internal Server Error", "no answer was made");
  return answer_of(response.get());
}

void compress(Answer& answer) {
  if (answer.body.size() < kGzipSizeMin) return;
  for (const auto& [name, value] : answer.headers) {
    if (strcasecmp(name.c_str(), "Content-Encoding") == 0) return;
  }
  auto packed = gzip(answer.body);
  if (!packed || packed->size() >= answer.body.size()) return;
  answer.body = std::move(*packed);
  answer.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace

const std::string* Exchange::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) {
      return &value;
    }
  }
  return nullptr;
}

Answer error_answer(int status, const char* message, const std::string& description) {
  std::string body = std::string(R"({"errors":[{"message":")") + message + '"';
  if (!description.empty()) body += R"(,"description":")" + description + '"';
  body += "}]}";
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

void answer_by_handler(const HandlerCall& call, Exchange& exchange) {
  try {
    exchange.answer = ask(call, exchange);
    if (!call.has_gzip) return;
    exchange.answer.headers.emplace_back("Vary", "Accept-Encoding");
    if (exchange.accepts_gzip) compress(exchange.answer);
  } catch (const std::bad_alloc&) {
    exchange.answer = Answer{503, {}, {}};
  }
}

}  // namespace posthaste::admin
