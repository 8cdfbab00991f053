// Which server to ask, with which key: from flags, the environment, or a file, in this order.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/exit_status.h"
#include "cli/http_client.h"
#include "core/result.h"
#include "json/value.h"

namespace posthaste::cli {

inline constexpr char kServerDefault[] = "http://127.0.0.1:8420";

inline constexpr char kServerHelp[] =
    "The server and the key come from the flags, else from POSTHASTE_URL and POSTHASTE_API_KEY, "
    "else from the file that POSTHASTE_CONFIG names, else from ~/.config/posthaste, with lines "
    "such as\n"
    "  url = http://127.0.0.1:8420\n"
    "  api-key-file = /var/lib/posthaste/first-api-key";

// What the flags said; empty: nothing.
struct ServerOptions {
  std::string url;
  std::string api_key;
  std::string api_key_file;
  std::string subaccount;
  uint64_t timeout_ms = 60'000;
  bool is_json = false;
};

// Purpose: a server that is asked for JSON. Ownership: owns its connection. Threads: one.
class Server {
 public:
  // BadFile when a file cannot be read.
  static core::Result<Server> find(const ServerOptions& options);

  // target: what follows the server's URL. The answer's headers go with the request's key.
  core::Result<HttpResponse> ask(const std::string& method, const std::string& target,
                                 const std::string& body = {},
                                 const std::string& content_type = "application/json");

 private:
  Server() = default;

  HttpClient client_;
  std::string url_;
  std::string api_key_;
  std::string subaccount_;
  uint64_t timeout_ms_ = 0;
};

// Asks once and hands a good answer's body to `show`, with its `results`; else says what went
// wrong: one line, and behind it what a receiver answered to a verification.
Exit ask_server(const ServerOptions& options, const std::string& method, const std::string& target,
                const std::string& body, const std::function<Exit(const json::Value&)>& show);

// The status for an error of Server::ask, which it prints.
Exit unreachable(const core::Error& error);
// Prints what a refusing answer says.
Exit refused(const HttpResponse& response, bool is_json);

// The text with what may not stand in a path or query escaped.
std::string url_escaped(const std::string& text);

// The first line of a file, for keys; BadFile.
core::Result<std::string> read_first_line(const std::string& path);
// A value of a flag; one that begins with @ is the first line of that file.
core::Result<std::string> secret_value(const std::string& text);

}  // namespace posthaste::cli
