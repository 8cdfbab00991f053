#include "cli/api_call.h"

namespace posthaste::cli {
namespace {

struct Free {
  void operator()(posthaste_request_t* request) const { posthaste_request_free(request); }
  void operator()(posthaste_response_t* response) const { posthaste_response_free(response); }
};

}  // namespace

core::Result<ApiAnswer> call_api(posthaste_t* engine, const char* method, const char* target,
                                 std::string_view body, int32_t timeout_ms) {
  const std::unique_ptr<posthaste_request_t, Free> request(posthaste_request_new(method, target));
  posthaste_request_set_identity(request.get(), POSTHASTE_GRANT_MODIFY, -1);
  if (!body.empty()) {
    posthaste_request_add_header(request.get(), "Content-Type", "application/x-ndjson");
    posthaste_request_set_body(request.get(), body.data(), body.size());
  }
  ErrorText error;
  posthaste_response_t* raw = nullptr;
  const int32_t code = posthaste_api_handle(engine, request.get(), timeout_ms, &raw, error);
  const std::unique_ptr<posthaste_response_t, Free> response(raw);
  if (code != POSTHASTE_OK) return {static_cast<core::ErrorCode>(code), error.message()};
  size_t size = 0;
  const char* text = posthaste_response_body(raw, &size);
  return ApiAnswer{posthaste_response_status(raw), std::string(text, size)};
}

}  // namespace posthaste::cli
