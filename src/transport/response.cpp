#include "transport/response.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace posthaste::transport {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

void Response::reset(bool keep_response, size_t kept_body_bytes_max) {
  *this = Response();
  keep_response_ = keep_response;
  kept_body_bytes_max_ = kept_body_bytes_max;
}

Response::Verdict Response::take_head_line(std::string_view line) {
  head_bytes_ += line.size();
  if (is_head_over_limit()) return Verdict::Enough;
  // What follows the final head are trailers of a chunked body (RFC 9110 section 6.5): nobody asked
  // for them.
  if (head_ended_ && has_final_status()) return Verdict::More;
  if (line.starts_with("HTTP/")) {
    begin_head(line);
  } else if (trim(line).empty()) {
    head_ended_ = true;
  } else if (line.front() == ' ' || line.front() == '\t') {
    take_continuation(trim(line));
  } else {
    take_field(line);
  }
  return Verdict::More;
}

Response::Verdict Response::take_body(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (keep_response_ && body_.size() < kept_body_bytes_max_) {
    body_.append(bytes.substr(0, kept_body_bytes_max_ - body_.size()));
  }
  return is_body_at_limit() ? Verdict::Enough : Verdict::More;
}

bool Response::is_known_complete() const {
  if (!head_ended_ || !has_final_status()) return false;
  if (status_ == 204 || status_ == 304) return true;
  return !is_chunked_ && announced_bytes_.has_value() && body_bytes_ >= *announced_bytes_;
}

void Response::move_kept_to(Completion& completion) {
  completion.retry_after = std::move(retry_after_);
  completion.location = std::move(location_);
  completion.response_headers = std::move(headers_);
  completion.response_body = std::move(body_);
}

void Response::begin_head(std::string_view line) {
  const auto space = line.find(' ');
  const std::string_view digits = space == std::string_view::npos ? "" : line.substr(space + 1, 3);
  status_ = parse_number<int32_t>(digits).value_or(0);
  head_ended_ = false;
  is_chunked_ = false;
  announced_bytes_.reset();
  retry_after_.clear();
  location_.clear();
  headers_.clear();
}

void Response::take_field(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = trim(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (equal_ignoring_case(name, "Content-Length")) {
    announced_bytes_ = parse_number<uint64_t>(value);
  } else if (equal_ignoring_case(name, "Transfer-Encoding")) {
    is_chunked_ = true;
  } else if (equal_ignoring_case(name, "Retry-After") && retry_after_.empty()) {
    retry_after_ = value;
  } else if (equal_ignoring_case(name, "Location") && location_.empty()) {
    location_ = value;
  }
  if (keep_response_) headers_.push_back({std::string(name), std::string(value)});
}

// Obsolete line folding (RFC 9112 section 5.2): the line belongs to the field before it.
void Response::take_continuation(std::string_view text) {
  if (!keep_response_ || headers_.empty()) return;
  headers_.back().value.append(" ").append(text);
}

}  // namespace posthaste::transport
