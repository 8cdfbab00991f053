// Version, error codes and error objects, texts.
#include <algorithm>

#include "capi/guard.h"

using posthaste::core::ErrorCode;
namespace capi = posthaste::capi;
namespace transport = posthaste::transport;

namespace {

struct CodeInfo {
  int32_t code;
  ErrorCode inside;
  const char* name;
  const char* text;
};

constexpr CodeInfo kCodes[] = {
    {POSTHASTE_OK, ErrorCode::Ok, "POSTHASTE_OK", "success"},
    {POSTHASTE_E_INVALID, ErrorCode::Invalid, "POSTHASTE_E_INVALID",
     "an argument is null or out of range"},
    {POSTHASTE_E_STATE, ErrorCode::State, "POSTHASTE_E_STATE",
     "not possible in the present state of the engine"},
    {POSTHASTE_E_FORKED, ErrorCode::Forked, "POSTHASTE_E_FORKED",
     "the engine was started in the parent of this process"},
    {POSTHASTE_E_NO_MEMORY, ErrorCode::NoMemory, "POSTHASTE_E_NO_MEMORY", "out of memory"},
    {POSTHASTE_E_TIMEOUT, ErrorCode::Timeout, "POSTHASTE_E_TIMEOUT", "it took longer than allowed"},
    {POSTHASTE_E_EMPTY, ErrorCode::Empty, "POSTHASTE_E_EMPTY", "no report waits"},
    {POSTHASTE_E_QUEUE_FULL, ErrorCode::QueueFull, "POSTHASTE_E_QUEUE_FULL",
     "the queue is full, try again later"},
    {POSTHASTE_E_INTERNAL, ErrorCode::Internal, "POSTHASTE_E_INTERNAL", "a bug of the library"},
    {POSTHASTE_E_SYSTEM, ErrorCode::System, "POSTHASTE_E_SYSTEM",
     "the operating system refused a request"},
    {POSTHASTE_E_TLS_BACKEND, ErrorCode::TlsBackend, "POSTHASTE_E_TLS_BACKEND",
     "libcurl uses a TLS library other than OpenSSL"},
    {POSTHASTE_E_UNSUPPORTED, ErrorCode::Unsupported, "POSTHASTE_E_UNSUPPORTED",
     "this build cannot do that"},
    {POSTHASTE_E_UNKNOWN_KEY, ErrorCode::UnknownKey, "POSTHASTE_E_UNKNOWN_KEY",
     "there is no such key"},
    {POSTHASTE_E_BAD_VALUE, ErrorCode::BadValue, "POSTHASTE_E_BAD_VALUE",
     "the value does not parse or is out of range"},
    {POSTHASTE_E_NOT_CHANGEABLE, ErrorCode::NotChangeable, "POSTHASTE_E_NOT_CHANGEABLE",
     "the key cannot change any more"},
    {POSTHASTE_E_NOT_FOUND, ErrorCode::NotFound, "POSTHASTE_E_NOT_FOUND",
     "there is no webhook with this id"},
    {POSTHASTE_E_EXISTS, ErrorCode::Exists, "POSTHASTE_E_EXISTS", "there is one already"},
    {POSTHASTE_E_VERIFY_FAILED, ErrorCode::VerifyFailed, "POSTHASTE_E_VERIFY_FAILED",
     "the target did not answer the test request as it must"},
    {POSTHASTE_E_BAD_TARGET, ErrorCode::BadTarget, "POSTHASTE_E_BAD_TARGET",
     "the target is not a usable http or https URL"},
    {POSTHASTE_E_BAD_EVENTS, ErrorCode::BadEvents, "POSTHASTE_E_BAD_EVENTS",
     "the event list is empty or names an unknown type"},
    {POSTHASTE_E_BAD_HEADER, ErrorCode::BadHeader, "POSTHASTE_E_BAD_HEADER",
     "a custom header is not allowed"},
    {POSTHASTE_E_MISSING_FIELD, ErrorCode::MissingField, "POSTHASTE_E_MISSING_FIELD",
     "a field that a webhook needs is missing"},
    {POSTHASTE_E_BAD_FILE, ErrorCode::BadFile, "POSTHASTE_E_BAD_FILE",
     "the webhooks file cannot be read or understood"},
    {POSTHASTE_E_BAD_JSON, ErrorCode::BadJson, "POSTHASTE_E_BAD_JSON", "not one JSON object"},
    {POSTHASTE_E_BAD_UTF8, ErrorCode::BadUtf8, "POSTHASTE_E_BAD_UTF8", "ill-formed UTF-8"},
    {POSTHASTE_E_UNKNOWN_TYPE, ErrorCode::UnknownType, "POSTHASTE_E_UNKNOWN_TYPE",
     "an unknown event type, or none"},
    {POSTHASTE_E_TYPE_MISMATCH, ErrorCode::TypeMismatch, "POSTHASTE_E_TYPE_MISMATCH",
     "the payload belongs to another event type"},
    {POSTHASTE_E_TOO_LARGE, ErrorCode::TooLarge, "POSTHASTE_E_TOO_LARGE", "larger than allowed"},
    {POSTHASTE_E_TOO_DEEP, ErrorCode::TooDeep, "POSTHASTE_E_TOO_DEEP", "nested too deeply"},
    {POSTHASTE_E_DUPLICATE_KEY, ErrorCode::DuplicateKey, "POSTHASTE_E_DUPLICATE_KEY",
     "an object has the same key twice"},
    {POSTHASTE_E_BAD_FIELD, ErrorCode::BadField, "POSTHASTE_E_BAD_FIELD",
     "the value does not fit the field"},
    {POSTHASTE_E_SPOOL_FULL, ErrorCode::SpoolFull, "POSTHASTE_E_SPOOL_FULL",
     "the spool has no room"},
    {POSTHASTE_E_SPOOL_IO, ErrorCode::SpoolIo, "POSTHASTE_E_SPOOL_IO", "the spool's disk failed"},
};
static_assert(std::all_of(std::begin(kCodes), std::end(kCodes), [](const CodeInfo& info) {
  return info.code == static_cast<int32_t>(info.inside);
}));

using transport::Phase;
static_assert(static_cast<int32_t>(Phase::None) == POSTHASTE_PHASE_NONE);
static_assert(static_cast<int32_t>(Phase::Dns) == POSTHASTE_PHASE_DNS);
static_assert(static_cast<int32_t>(Phase::Connect) == POSTHASTE_PHASE_CONNECT);
static_assert(static_cast<int32_t>(Phase::Tls) == POSTHASTE_PHASE_TLS);
static_assert(static_cast<int32_t>(Phase::Timeout) == POSTHASTE_PHASE_TIMEOUT);
static_assert(static_cast<int32_t>(Phase::Http) == POSTHASTE_PHASE_HTTP);

const CodeInfo* find_code(int32_t code) {
  const auto* found = std::find_if(std::begin(kCodes), std::end(kCodes),
                                   [code](const CodeInfo& info) { return info.code == code; });
  return found == std::end(kCodes) ? nullptr : found;
}

const posthaste::engine::VerifyAnswer* failure_of(const posthaste_error_t* error) {
  return error != nullptr ? error->verify_answer.get() : nullptr;
}

const transport::HeaderField* header_of(const posthaste_error_t* error, size_t index) {
  const auto* failure = failure_of(error);
  return failure != nullptr && index < failure->headers.size() ? &failure->headers[index] : nullptr;
}

}  // namespace

const char* posthaste_version(void) {
  return POSTHASTE_VERSION;
}

const char* posthaste_error_name(int32_t code) {
  const CodeInfo* info = find_code(code);
  return info != nullptr ? info->name : "POSTHASTE_E_?";
}

const char* posthaste_strerror(int32_t code) {
  const CodeInfo* info = find_code(code);
  return info != nullptr ? info->text : "an unknown error code";
}

posthaste_error_t* posthaste_error_new(void) {
  return capi::make_handle<posthaste_error>();
}

void posthaste_error_free(posthaste_error_t* error) {
  delete error;
}

int32_t posthaste_error_code(const posthaste_error_t* error) {
  return error != nullptr ? static_cast<int32_t>(error->error.code) : POSTHASTE_OK;
}

const char* posthaste_error_message(const posthaste_error_t* error) {
  return error != nullptr ? error->error.message.c_str() : "";
}

const char* posthaste_error_key(const posthaste_error_t* error) {
  return error != nullptr ? error->error.key.c_str() : "";
}

void posthaste_error_set(posthaste_error_t* error, int32_t code, const char* message,
                         const char* key) {
  const auto text = [](const char* given) { return given != nullptr ? given : ""; };
  static_cast<void>(capi::value_or(0, [&] {
    return capi::answer(
        error, posthaste::core::Error{static_cast<ErrorCode>(code), text(message), text(key)});
  }));
}

int32_t posthaste_error_phase(const posthaste_error_t* error) {
  const auto* failure = failure_of(error);
  return failure != nullptr ? static_cast<int32_t>(failure->phase) : POSTHASTE_PHASE_NONE;
}

const char* posthaste_error_network_name(const posthaste_error_t* error) {
  const auto* failure = failure_of(error);
  return failure != nullptr ? failure->network_name.c_str() : "";
}

int32_t posthaste_error_status(const posthaste_error_t* error) {
  const auto* failure = failure_of(error);
  return failure != nullptr ? failure->status : 0;
}

size_t posthaste_error_header_count(const posthaste_error_t* error) {
  const auto* failure = failure_of(error);
  return failure != nullptr ? failure->headers.size() : 0;
}

const char* posthaste_error_header_name(const posthaste_error_t* error, size_t index) {
  const auto* header = header_of(error, index);
  return header != nullptr ? header->name.c_str() : nullptr;
}

const char* posthaste_error_header_value(const posthaste_error_t* error, size_t index) {
  const auto* header = header_of(error, index);
  return header != nullptr ? header->value.c_str() : nullptr;
}

const char* posthaste_error_body(const posthaste_error_t* error, size_t* out_size) {
  const auto* failure = failure_of(error);
  if (out_size != nullptr) *out_size = failure != nullptr ? failure->body.size() : 0;
  return failure != nullptr ? failure->body.c_str() : "";
}

const char* posthaste_text_data(const posthaste_text_t* text) {
  return text != nullptr ? text->data.c_str() : "";
}

size_t posthaste_text_size(const posthaste_text_t* text) {
  return text != nullptr ? text->data.size() : 0;
}

posthaste_text_t* posthaste_text_new(const char* data, size_t size) {
  if (data == nullptr) return nullptr;
  return posthaste::capi::value_or<posthaste_text_t*>(nullptr, [&] {
    return std::make_unique<posthaste_text>(posthaste_text{std::string(data, size)}).release();
  });
}

void posthaste_text_free(posthaste_text_t* text) {
  delete text;
}
