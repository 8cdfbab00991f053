// The REST handler and its keys.
#include <fmt/format.h>

#include <algorithm>

#include "api/handler.h"
#include "api/key_shape.h"
#include "capi/guard.h"
#include "core/subaccount.h"

namespace api = posthaste::api;
namespace capi = posthaste::capi;
using posthaste::core::ErrorCode;
using posthaste::core::Result;
using posthaste::engine::Engine;
using posthaste::engine::HttpAnswer;
using posthaste::engine::Outcome;

namespace {

posthaste_response_t* response_of(HttpAnswer answer) {
  return std::make_unique<posthaste_response>(posthaste_response{std::move(answer)}).release();
}

Result<bool> may_modify_by(int32_t grant) {
  if (grant == POSTHASTE_GRANT_VIEW) return false;
  if (grant == POSTHASTE_GRANT_MODIFY) return true;
  return {ErrorCode::Invalid, fmt::format("grant is {}, not one of POSTHASTE_GRANT_*", grant),
          "grant"};
}

Result<std::optional<uint32_t>> subaccount_of(int64_t number) {
  if (number == -1) return std::optional<uint32_t>();
  if (number >= 0 && number <= posthaste::core::kSubaccountMax) {
    return std::optional<uint32_t>(static_cast<uint32_t>(number));
  }
  return {ErrorCode::BadValue,
          fmt::format("subaccount is {}, not -1..{}", number, posthaste::core::kSubaccountMax),
          "subaccount"};
}

Result<api::Identity> identity_of(int32_t grant, int64_t number) {
  const auto may_modify = may_modify_by(grant);
  if (!may_modify) return may_modify.error();
  const auto subaccount = subaccount_of(number);
  if (!subaccount) return subaccount.error();
  return api::Identity{*may_modify, *subaccount};
}

// RFC 9110, section 5.6.2.
bool is_token(std::string_view name) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const auto may_stand = [](unsigned char character) {
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z') ||
           kMarks.find(static_cast<char>(character)) != std::string_view::npos;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), may_stand);
}

bool has_control(std::string_view value) {
  return std::any_of(value.begin(), value.end(), [](unsigned char character) {
    return (character < ' ' && character != '\t') || character == 0x7f;
  });
}

}  // namespace

posthaste_request_t* posthaste_request_new(const char* method, const char* target) {
  if (method == nullptr || target == nullptr) return nullptr;
  return capi::value_or<posthaste_request_t*>(nullptr, [&] {
    auto request = std::make_unique<posthaste_request>();
    request->request.method = method;
    request->request.target = target;
    return request.release();
  });
}

void posthaste_request_free(posthaste_request_t* request) {
  delete request;
}

int32_t posthaste_request_add_header(posthaste_request_t* request, const char* name,
                                     const char* value) {
  return capi::guarded(__func__, {{"request", request}, {"name", name}, {"value", value}}, nullptr,
                       [&]() -> Result<> {
                         request->request.headers.emplace_back(name, value);
                         return {};
                       });
}

int32_t posthaste_request_set_body(posthaste_request_t* request, const char* body, size_t size) {
  const char* const bytes = size == 0 ? "" : body;
  return capi::guarded(__func__, {{"request", request}, {"body", bytes}}, nullptr,
                       [&]() -> Result<> {
                         request->request.body.assign(bytes, size);
                         return {};
                       });
}

int32_t posthaste_request_set_peer(posthaste_request_t* request, const char* address) {
  return capi::guarded(__func__, {{"request", request}, {"address", address}}, nullptr,
                       [&]() -> Result<> {
                         request->request.peer = address;
                         return {};
                       });
}

int32_t posthaste_request_set_scheme(posthaste_request_t* request, const char* scheme) {
  return capi::guarded(__func__, {{"request", request}, {"scheme", scheme}}, nullptr,
                       [&]() -> Result<> {
                         const std::string text = scheme;
                         if (text != "http" && text != "https") {
                           return {ErrorCode::BadValue, "scheme must be http or https", "scheme"};
                         }
                         request->request.scheme = text;
                         return {};
                       });
}

int32_t posthaste_request_set_identity(posthaste_request_t* request, int32_t grant,
                                       int64_t subaccount) {
  return capi::guarded(__func__, {{"request", request}}, nullptr, [&]() -> Result<> {
    const auto identity = identity_of(grant, subaccount);
    if (!identity) return identity.error();
    request->request.identity = *identity;
    return {};
  });
}

const char* posthaste_request_method(const posthaste_request_t* request) {
  return request != nullptr ? request->request.method.c_str() : "";
}

const char* posthaste_request_target(const posthaste_request_t* request) {
  return request != nullptr ? request->request.target.c_str() : "";
}

const char* posthaste_request_peer(const posthaste_request_t* request) {
  return request != nullptr ? request->request.peer.c_str() : "";
}

size_t posthaste_request_header_count(const posthaste_request_t* request) {
  return request != nullptr ? request->request.headers.size() : 0;
}

const char* posthaste_request_header_name(const posthaste_request_t* request, size_t index) {
  if (index >= posthaste_request_header_count(request)) return nullptr;
  return request->request.headers[index].first.c_str();
}

const char* posthaste_request_header_value(const posthaste_request_t* request, size_t index) {
  if (index >= posthaste_request_header_count(request)) return nullptr;
  return request->request.headers[index].second.c_str();
}

const char* posthaste_request_body(const posthaste_request_t* request, size_t* out_size) {
  if (out_size != nullptr) *out_size = request != nullptr ? request->request.body.size() : 0;
  return request != nullptr ? request->request.body.c_str() : "";
}

int32_t posthaste_api_handle(posthaste_t* ph, const posthaste_request_t* request,
                             int32_t timeout_ms, posthaste_response_t** out,
                             posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"request", request}, {"out", out}}, error,
                           [&](Engine&) -> Result<> {
                             *out = response_of(ph->api->handle(request->request, timeout_ms));
                             return {};
                           });
}

int32_t posthaste_api_handle_ticket(posthaste_t* ph, const posthaste_request_t* request,
                                    uint64_t* out_ticket, posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(
      __func__, ph, {{"request", request}, {"out_ticket", out_ticket}}, error, [&](Engine& engine) {
        return capi::give_number(
            out_ticket, engine.give_ticket([&](const auto& done, const auto& claim) {
              const auto reply = [done](HttpAnswer answer) {
                Outcome outcome;
                outcome.http_answer = std::make_shared<HttpAnswer>(std::move(answer));
                done(std::move(outcome));
              };
              ph->api->begin(request->request, reply, claim);
            }));
      });
}

int32_t posthaste_report_response(posthaste_report_t* report, posthaste_response_t** out) {
  capi::clear(out);
  return capi::guarded(__func__, {{"report", report}, {"out", out}}, nullptr, [&]() -> Result<> {
    auto answer = std::exchange(report->report.outcome.http_answer, nullptr);
    if (!answer) return {ErrorCode::NotFound, "the report has no response"};
    *out = response_of(std::move(*answer));
    return {};
  });
}

int32_t posthaste_response_status(const posthaste_response_t* response) {
  return response != nullptr ? response->answer.status : 0;
}

size_t posthaste_response_header_count(const posthaste_response_t* response) {
  return response != nullptr ? response->answer.headers.size() : 0;
}

const char* posthaste_response_header_name(const posthaste_response_t* response, size_t index) {
  if (index >= posthaste_response_header_count(response)) return nullptr;
  return response->answer.headers[index].name.c_str();
}

const char* posthaste_response_header_value(const posthaste_response_t* response, size_t index) {
  if (index >= posthaste_response_header_count(response)) return nullptr;
  return response->answer.headers[index].value.c_str();
}

const char* posthaste_response_body(const posthaste_response_t* response, size_t* out_size) {
  if (out_size != nullptr) *out_size = response != nullptr ? response->answer.body.size() : 0;
  return response != nullptr ? response->answer.body.c_str() : "";
}

void posthaste_response_free(posthaste_response_t* response) {
  delete response;
}

posthaste_response_t* posthaste_response_new(int32_t status) {
  if (status < 200 || status > 599) return nullptr;
  return capi::make_handle<posthaste_response>(HttpAnswer{status, {}, {}});
}

int32_t posthaste_response_add_header(posthaste_response_t* response, const char* name,
                                      const char* value) {
  return capi::guarded(
      __func__, {{"response", response}, {"name", name}, {"value", value}}, nullptr,
      [&]() -> Result<> {
        if (!is_token(name) || has_control(value)) {
          return {ErrorCode::BadHeader, "a header that HTTP does not allow", "name"};
        }
        response->answer.headers.push_back({name, value});
        return {};
      });
}

int32_t posthaste_response_set_body(posthaste_response_t* response, const char* body, size_t size) {
  const char* const bytes = size == 0 ? "" : body;
  return capi::guarded(__func__, {{"response", response}, {"body", bytes}}, nullptr,
                       [&]() -> Result<> {
                         response->answer.body.assign(bytes, size);
                         return {};
                       });
}

int32_t posthaste_key_create(posthaste_t* ph, const char* name, int32_t grant, int64_t subaccount,
                             posthaste_text_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(
      __func__, ph, {{"name", name}, {"out", out}}, error, [&](Engine& engine) -> Result<> {
        const auto identity = identity_of(grant, subaccount);
        if (!identity) return identity.error();
        const auto keys = engine.api_keys();
        if (!keys) return keys.error();
        const auto made =
            (*keys)->create(name, identity->may_modify, identity->subaccount, engine.wall_now());
        if (!made) return made.error();
        capi::give_text(out, api::key_json(made->row, &made->key));
        return {};
      });
}

int32_t posthaste_key_put(posthaste_t* ph, const char* name, const char* key, int32_t grant,
                          int64_t subaccount, posthaste_text_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(
      __func__, ph, {{"name", name}, {"key", key}}, error, [&](Engine& engine) -> Result<> {
        const auto identity = identity_of(grant, subaccount);
        if (!identity) return identity.error();
        const auto keys = engine.api_keys();
        if (!keys) return keys.error();
        const auto row =
            (*keys)->put(name, key, identity->may_modify, identity->subaccount, engine.wall_now());
        if (!row) return row.error();
        if (out != nullptr) capi::give_text(out, api::key_json(*row));
        return {};
      });
}

int32_t posthaste_key_list(const posthaste_t* ph, posthaste_text_t** out,
                           posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, error, [&](Engine& engine) -> Result<> {
    const auto keys = engine.api_keys();
    if (!keys) return keys.error();
    capi::give_text(out, api::keys_json((*keys)->list()));
    return {};
  });
}

int32_t posthaste_key_revoke(posthaste_t* ph, const char* id, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"id", id}}, error, [&](Engine& engine) -> Result<> {
    const auto keys = engine.api_keys();
    if (!keys) return keys.error();
    return (*keys)->revoke(id);
  });
}
