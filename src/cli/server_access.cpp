#include "cli/server_access.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/console.h"
#include "cli/json_members.h"
#include "cli/settings_list.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;
using json::Value;

constexpr size_t kKeyFileMax = size_t{64} << 10;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// What the file says where flags and environment say nothing.
core::Result<> fill_from_file(ServerOptions& options) {
  std::string path = environment("POSTHASTE_CONFIG");
  if (path.empty()) {
    path = environment("HOME") + "/.config/posthaste";
    if (::access(path.c_str(), F_OK) != 0) return {};
  }
  const auto settings = read_settings_file(path);
  if (!settings) return settings.error();
  const bool has_key = !options.api_key.empty() || !options.api_key_file.empty();
  for (const Setting& setting : *settings) {
    if (setting.key == "url") {
      if (options.url.empty()) options.url = setting.value;
    } else if (setting.key == "api-key") {
      if (!has_key) options.api_key = setting.value;
    } else if (setting.key == "api-key-file") {
      if (!has_key) options.api_key_file = setting.value;
    } else {
      return {ErrorCode::BadFile,
              path + ": unknown key '" + setting.key + "'; there are url, api-key, api-key-file"};
    }
  }
  return {};
}

// What the receiver of a verification answered, and what was sent.
void print_exchange(const Value& exchange, const char* title) {
  std::string text = fmt::format("  {}:\n", title);
  if (const std::string url = text_member(exchange, "url"); !url.empty()) {
    text += fmt::format("    {} {}\n", text_member(exchange, "method"), printable(url));
  }
  if (exchange.find("status")) text += "    status " + text_member(exchange, "status") + "\n";
  const Value* headers = exchange.find("headers");
  if (headers && headers->as_object()) {
    for (const auto& [name, value] : *headers->as_object()) {
      text += fmt::format("    {}: {}\n", printable(name), printable(text_of(&value)));
    }
  }
  const std::string body = text_member(exchange, "body");
  if (!body.empty()) text += "    " + printable(body, Lines::Keep) + "\n";
  std::fputs(text.c_str(), stderr);
}

std::string one_line(const Value& error) {
  std::string text = text_member(error, "message");
  if (const std::string more = text_member(error, "description"); !more.empty()) {
    text += (text.empty() ? "" : ": ") + more;
  }
  while (text.ends_with('.')) text.pop_back();
  return text.empty() ? "no reason given" : text;
}

}  // namespace

core::Result<std::string> read_first_line(const std::string& path) {
  auto text = read_file(path, kKeyFileMax);
  if (!text) return text.error();
  std::string line = text->substr(0, text->find('\n'));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  if (line.empty()) return {ErrorCode::BadFile, path + ": its first line is empty"};
  return line;
}

core::Result<std::string> secret_value(const std::string& text) {
  if (!text.starts_with('@')) return text;
  return read_first_line(text.substr(1));
}

core::Result<Server> Server::find(const ServerOptions& given) {
  ServerOptions options = given;
  if (options.url.empty()) options.url = environment("POSTHASTE_URL");
  if (options.api_key.empty() && options.api_key_file.empty()) {
    options.api_key = environment("POSTHASTE_API_KEY");
  }
  if (auto done = fill_from_file(options); !done) return done.error();
  if (options.api_key.empty() && !options.api_key_file.empty()) {
    auto key = read_first_line(options.api_key_file);
    if (!key) return key.error();
    // The file may be one of serve's, with a grant behind the key.
    options.api_key = key->substr(0, key->find(' '));
  }
  const bool is_plain =
      std::all_of(options.api_key.begin(), options.api_key.end(),
                  [](char character) { return character > ' ' && character < '\x7f'; });
  if (!is_plain) {
    return {ErrorCode::BadValue, "the API key must be of visible ASCII characters without blanks"};
  }
  Server server;
  server.url_ = options.url.empty() ? kServerDefault : options.url;
  while (server.url_.ends_with('/')) server.url_.pop_back();
  server.api_key_ = options.api_key;
  server.subaccount_ = options.subaccount;
  server.timeout_ms_ = options.timeout_ms;
  return server;
}

core::Result<HttpResponse> Server::ask(const std::string& method, const std::string& target,
                                       const std::string& body, const std::string& content_type) {
  HttpRequest request;
  request.method = method;
  request.url = url_ + target;
  request.body = body;
  request.timeout_ms = timeout_ms_;
  if (!api_key_.empty()) request.headers.emplace_back("Authorization", api_key_);
  if (!subaccount_.empty()) request.headers.emplace_back("X-MSYS-SUBACCOUNT", subaccount_);
  if (!body.empty()) request.headers.emplace_back("Content-Type", content_type);
  return client_.send(request);
}

Exit unreachable(const core::Error& error) {
  const bool is_usage = error.code == ErrorCode::BadFile || error.code == ErrorCode::BadValue;
  return fail(is_usage ? Exit::Usage : Exit::Unreachable, error.message);
}

Exit refused(const HttpResponse& response, bool is_json) {
  const bool is_denied = response.status == 401 || response.status == 403 || response.status == 429;
  const Exit status = is_denied ? Exit::Denied : Exit::Failed;
  const auto body = parse_answer(response.body);
  const Value::Array* errors = body ? &array_member(*body, "errors") : nullptr;
  if (is_json && body) print_line(pretty(*body));
  if (!errors || errors->empty()) {
    return fail(status, fmt::format("the server answered {}", response.status));
  }
  for (const Value& error : *errors) {
    fail(status, fmt::format("the server answered {}: {}", response.status, one_line(error)));
    if (is_json) continue;
    if (const std::string phase = text_member(error, "phase"); !phase.empty()) {
      std::fputs(fmt::format("  phase: {}\n", printable(phase)).c_str(), stderr);
    }
    if (const Value* sent = error.find("request")) print_exchange(*sent, "what was sent");
    if (const Value* answer = error.find("response")) print_exchange(*answer, "what came back");
  }
  return status;
}

Exit ask_server(const ServerOptions& options, const std::string& method, const std::string& target,
                const std::string& body, const std::function<Exit(const Value&)>& show) {
  auto server = Server::find(options);
  if (!server) return unreachable(server.error());
  const auto response = server->ask(method, target, body);
  if (!response) return unreachable(response.error());
  if (response->status < 200 || response->status > 299) return refused(*response, options.is_json);
  if (response->body.empty()) return show(Value());
  const auto answer = parse_answer(response->body);
  const Value* results = answer ? answer->find("results") : nullptr;
  if (!results) return fail(Exit::Failed, "the server's answer is not one of Posthaste");
  if (options.is_json) {
    print_line(pretty(*results));
    return Exit::Ok;
  }
  return show(*results);
}

std::string url_escaped(const std::string& text) {
  std::string out;
  for (const char character : text) {
    const bool is_plain = (character >= 'a' && character <= 'z') ||
                          (character >= 'A' && character <= 'Z') ||
                          (character >= '0' && character <= '9') || character == '-' ||
                          character == '_' || character == '.' || character == '~';
    if (is_plain) {
      out += character;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(character));
    }
  }
  return out;
}

}  // namespace posthaste::cli
