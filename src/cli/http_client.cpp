#include "cli/http_client.h"

#include <curl/curl.h>
#include <strings.h>

namespace posthaste::cli {
namespace {

using core::ErrorCode;

constexpr size_t kAnswerMax = size_t{256} << 20;
constexpr long kConnectMs = 10'000;

struct CurlFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

size_t take_body(char* data, size_t, size_t size, void* user_data) {
  std::string& body = static_cast<HttpResponse*>(user_data)->body;
  if (body.size() + size > kAnswerMax) return 0;
  body.append(data, size);
  return size;
}

size_t take_header(char* data, size_t, size_t size, void* user_data) {
  auto& response = *static_cast<HttpResponse*>(user_data);
  std::string line(data, size);
  line.erase(line.find_last_not_of(" \r\n") + 1);
  const size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) response.headers.clear();  // an interim answer came before
  if (colon == std::string::npos) return size;
  const size_t value = line.find_first_not_of(' ', colon + 1);
  response.headers.emplace_back(line.substr(0, colon),
                                value == std::string::npos ? "" : line.substr(value));
  return size;
}

// Scheme, host and port of a URL, without what may be secret.
std::string server_of(const std::string& url) {
  const std::unique_ptr<CURLU, CurlFree> parts(curl_url());
  if (!parts || curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "?";
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                               CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl_url_set(parts.get(), part, nullptr, 0);
  }
  curl_url_set(parts.get(), CURLUPART_PATH, "/", 0);
  char* text = nullptr;
  if (curl_url_get(parts.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return "?";
  std::string server(text);
  curl_free(text);
  if (server.ends_with('/')) server.pop_back();
  return server;
}

}  // namespace

struct HttpClient::State {
  CURL* curl = curl_easy_init();

  State() = default;
  ~State() { curl_easy_cleanup(curl); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&& other) noexcept = default;

std::string HttpResponse::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (strcasecmp(key.c_str(), name.c_str()) == 0) return value;
  }
  return {};
}

core::Result<HttpResponse> HttpClient::send(const HttpRequest& request) {
  CURL* curl = state_->curl;
  if (!curl) return {ErrorCode::NoMemory, "out of memory"};
  curl_easy_reset(curl);
  HttpResponse response;
  curl_slist* raw = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : request.headers) {
    raw = curl_slist_append(raw, (name + ": " + value).c_str());
  }
  const std::unique_ptr<curl_slist, CurlFree> headers(raw);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "posthaste-command/" POSTHASTE_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &response);
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
  if (request.method != "GET" || !request.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    return response;
  }
  const std::string server = server_of(request.url);
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return {ErrorCode::BadValue, "not an http or https URL", {}};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return {ErrorCode::Timeout, "no answer from " + server + " in time"};
  }
  return {ErrorCode::System, "cannot reach " + server + ": " + curl_easy_strerror(code)};
}

}  // namespace posthaste::cli
