// No more of HTTP/1.1 than the clients of the benchmarks send.
#include "sink_request.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace posthaste::bench {
namespace {

bool is_same(std::string_view text, std::string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  const size_t end = std::min(path.find('?'), path.size());
  for (size_t begin = 0; begin < end;) {
    const size_t slash = std::min(path.find('/', begin), end);
    if (slash > begin) segments.push_back(path.substr(begin, slash - begin));
    begin = slash + 1;
  }
  return segments;
}

void read_header(std::string_view line, SinkRequest& out) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (is_same(name, "content-length")) {
    out.size_bytes = std::strtoull(std::string(value).c_str(), nullptr, 10);
  } else if (is_same(name, "transfer-encoding")) {
    out.is_chunked = is_same(value, "chunked");
  } else if (is_same(name, "expect")) {
    out.wants_continue = true;
  } else if (is_same(name, "connection")) {
    out.wants_close = is_same(value, "close");
  }
}

}  // namespace

bool SinkFault::strikes(uint64_t turn) const {
  if (every > 0 && turn % static_cast<uint64_t>(every) != 0) return false;
  return first < 0 || turn <= static_cast<uint64_t>(first);
}

bool read_head(const std::string& head, SinkRequest& out) {
  out = SinkRequest();
  const size_t line_end = head.find("\r\n");
  const size_t before = head.find(' ');
  if (line_end == std::string::npos || before == std::string::npos) return false;
  const size_t after = head.find(' ', before + 1);
  if (after == std::string::npos || after > line_end) return false;
  out.path = head.substr(before + 1, after - before - 1);
  for (size_t begin = line_end + 2; begin < head.size();) {
    const size_t end = std::min(head.find("\r\n", begin), head.size());
    read_header(std::string_view(head).substr(begin, end - begin), out);
    begin = end + 2;
  }
  return true;
}

SinkFault read_fault(const std::string& path) {
  SinkFault fault;
  const std::vector<std::string> segments = segments_of(path);
  for (size_t i = 0; i < segments.size(); ++i) {
    const int value = i + 1 < segments.size() ? std::atoi(segments[i + 1].c_str()) : 0;
    if (segments[i] == "status") fault.status = value;
    if (segments[i] == "delay") fault.delay_ms = value;
    if (segments[i] == "retry-after") fault.retry_after_s = value;
    if (segments[i] == "every") fault.every = value;
    if (segments[i] == "first") fault.first = value;
    if (segments[i] == "down") fault.down = static_cast<uint64_t>(value);
    if (segments[i] == "hang") fault.is_hanging = true;
    if (segments[i] == "drop") fault.is_dropping = true;
  }
  return fault;
}

std::string make_answer(const SinkFault& fault, const std::string& body, bool closes) {
  const char* const phrase = fault.status == 200 ? "OK" : fault.status < 400 ? "Other" : "Error";
  std::string answer = "HTTP/1.1 " + std::to_string(fault.status) + " " + phrase +
                       "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  if (!body.empty()) answer += "Content-Type: application/json\r\n";
  if (fault.retry_after_s >= 0) {
    answer += "Retry-After: " + std::to_string(fault.retry_after_s) + "\r\n";
  }
  if (closes) answer += "Connection: close\r\n";
  return answer + "\r\n" + body;
}

}  // namespace posthaste::bench
