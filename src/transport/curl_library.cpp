#include "transport/curl_library.h"

#include <curl/curl.h>

#include <mutex>
#include <string>
#include <string_view>

namespace posthaste::transport {
namespace {

// Constant-initialised and trivially destroyed: no static constructor or destructor in the host.
constinit std::mutex library_mutex;
constinit bool is_initialised = false;  // guarded by library_mutex

// The first with CURLOPT_QUICK_EXIT.
constexpr unsigned kVersionMin = 0x075700;

core::Result<> check(const curl_version_info_data& info) {
  if (info.version_num < kVersionMin) {
    return {core::ErrorCode::Unsupported,
            std::string("libcurl ") + info.version + " is too old, 7.87.0 is needed"};
  }
  // With several backends compiled in, those not chosen are listed in parentheses.
  const std::string_view backend = info.ssl_version != nullptr ? info.ssl_version : "";
  if (!backend.starts_with("OpenSSL/")) {
    return {core::ErrorCode::TlsBackend, "libcurl uses the tls backend '" + std::string(backend) +
                                             "', only OpenSSL is supported"};
  }
  if ((info.features & CURL_VERSION_ASYNCHDNS) == 0) {
    return {core::ErrorCode::Unsupported, "libcurl was built without an asynchronous resolver"};
  }
  return {};
}

}  // namespace

core::Result<> CurlLibrary::acquire() {
  const std::lock_guard lock(library_mutex);
  if (!is_initialised) {
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
      return {core::ErrorCode::System,
              std::string("libcurl cannot be initialised: ") + curl_easy_strerror(code)};
    }
    is_initialised = true;
  }
  return check(*curl_version_info(CURLVERSION_NOW));
}

const char* CurlLibrary::version_text() {
  return curl_version();
}

}  // namespace posthaste::transport
