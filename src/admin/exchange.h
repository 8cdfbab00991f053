// One request and its answer, on their way from the listener's thread to a worker and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "posthaste/posthaste.h"

struct MHD_Connection;

namespace posthaste::admin {

struct Connection;
struct Mount;

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int status = 0;
  Headers headers;
  std::string body;
};

// Ownership: shared by the listener, while its connection is open, and the worker that answers.
// Threads: the listener's until it is handed over, then the worker's until it comes back finished.
struct Exchange {
  std::string method;
  std::string target;  // as it stood in the request line
  Headers headers;
  std::string body;
  std::string peer;
  std::string origin;  // a listed one, which gets CORS headers; else empty
  bool is_https = false;
  bool accepts_gzip = false;
  const Mount* mount = nullptr;  // who answers; null: the API

  Answer answer;  // status 0 until there is one

  // The listener's own notes.
  MHD_Connection* http = nullptr;  // null once the connection is gone
  Connection* connection = nullptr;
  core::Instant began{};
  uint64_t body_bytes_max = 0;
  uint64_t received_bytes = 0;  // of the body, kept or not
  bool is_resting = false;      // suspended in the middle of its body
  bool was_judged = false;      // the header fields were looked at

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  const std::string* header(std::string_view name) const;
};

// The API's form of an error. Both texts are our own and need no escaping.
Answer error_answer(int status, const char* message, const std::string& description = {});

// Asks the engine or who is mounted, then compresses what is worth it.
struct HandlerCall {
  posthaste_t* engine = nullptr;
  int32_t timeout_ms = 0;
  bool has_gzip = true;
};
void answer_by_handler(const HandlerCall& call, Exchange& exchange);

}  // namespace posthaste::admin
