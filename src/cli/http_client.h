// One HTTP request to a running server, by libcurl. Used by everything that asks a server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace posthaste::cli {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  uint64_t timeout_ms = 60'000;
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // A header's value, names compared without case; empty when there is none.
  std::string header(const std::string& name) const;
};

// Purpose: requests over a connection that is kept. Ownership: owns the connection. Threads: one.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&& other) noexcept;

  // System when the server could not be reached, Timeout when it did not answer in time; the
  // message names the URL's server, never a header.
  core::Result<HttpResponse> send(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthaste::cli
