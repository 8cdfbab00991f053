// See receiver_print.h. Written by hand because the body must appear as it came, which a parser
// would not keep.
#include "receiver_print.h"

#include <cstdio>
#include <string_view>

namespace posthaste::testing {
namespace {

// A JSON text with line breaks and indentation; nothing when its brackets do not match, or when it
// is no array or object at all.
std::optional<std::string> indented(std::string_view json) {
  std::string text;
  std::string open;  // the closing brackets still to come, innermost last
  bool is_in_string = false;
  const auto break_line = [&] { text.append(1, '\n').append(2 * open.size(), ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (is_in_string) {
      text += c;
      if (c == '"') is_in_string = false;
      if (c == '\\' && i + 1 < json.size()) text += json[++i];
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (open.empty() && (!text.empty() || (c != '[' && c != '{'))) return std::nullopt;
    if (c == '}' || c == ']') {
      if (open.back() != c) return std::nullopt;
      open.pop_back();
      const bool is_empty = text.back() == '[' || text.back() == '{';
      if (!is_empty) break_line();
    } else if (text.ends_with('[') || text.ends_with('{')) {
      break_line();
    }
    text += c;
    if (c == '[' || c == '{') open += c == '[' ? ']' : '}';
    if (c == ',') break_line();
    if (c == ':') text += ' ';
    is_in_string = c == '"';
  }
  if (text.empty() || !open.empty()) return std::nullopt;
  return text;
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      json += escape;
    } else {
      json += c;
    }
  }
  return json + '"';
}

}  // namespace

std::string printed_request(const Request& request) {
  std::string text = request.method + " " + request.target + "\n";
  for (const Header& header : request.headers) text += header.name + ": " + header.value + "\n";
  return text + "\n" + indented(request.body).value_or(request.body) + "\n";
}

std::string recorded_line(const Request& request) {
  std::string headers;
  for (const Header& header : request.headers) {
    if (!headers.empty()) headers += ',';
    headers += "[" + quoted(header.name) + "," + quoted(header.value) + "]";
  }
  return "{\"connection_index\":" + std::to_string(request.connection_index) +
         ",\"request_index\":" + std::to_string(request.request_index) +
         ",\"method\":" + quoted(request.method) + ",\"target\":" + quoted(request.target) +
         ",\"headers\":[" + headers + "],\"body\":" + quoted(request.body) + "}";
}

}  // namespace posthaste::testing
