#include "api/http_request.h"

#include <algorithm>

#include "config/text_rules.h"

namespace posthaste::api {
namespace {

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0) return std::nullopt;
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return decoded;
}

// The next part of a list, which is taken off its front.
std::string_view next_part(std::string_view& list, char separator) {
  const size_t end = std::min(list.find(separator), list.size());
  const std::string_view part = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  return part;
}

// RFC 4648, section 4; nothing for other characters.
std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string decoded;
  uint32_t bits = 0;
  int bits_count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    bits_count += 6;
    if (bits_count < 8) continue;
    bits_count -= 8;
    decoded.push_back(static_cast<char>((bits >> bits_count) & 0xff));
  }
  return decoded;
}

// What stands behind a scheme of authentication; nothing when it is another.
std::optional<std::string_view> behind_scheme(std::string_view value, std::string_view scheme) {
  if (value.size() <= scheme.size() || value[scheme.size()] != ' ') return std::nullopt;
  if (!config::equal_ignoring_case(value.substr(0, scheme.size()), scheme)) return std::nullopt;
  return trim(value.substr(scheme.size()));
}

}  // namespace

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
  for (const auto& [each, value] : headers) {
    if (config::equal_ignoring_case(each, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Target::parameter(std::string_view name) const {
  for (const auto& [each, value] : query) {
    if (each == name) return value;
  }
  return std::nullopt;
}

std::optional<Target> parse_target(std::string_view target) {
  Target parsed;
  std::string_view path = target.substr(0, target.find('?'));
  std::string_view query = target.substr(std::min(path.size() + 1, target.size()));
  query = query.substr(0, query.find('#'));
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  while (!path.empty()) {
    auto segment = percent_decode(next_part(path, '/'), false);
    if (!segment) return std::nullopt;
    parsed.segments.push_back(std::move(*segment));
  }
  while (!query.empty()) {
    std::string_view value = next_part(query, '&');
    auto name = percent_decode(next_part(value, '='), true);
    auto decoded = percent_decode(value, true);
    if (!name || !decoded) return std::nullopt;
    if (!name->empty()) parsed.query.emplace_back(std::move(*name), std::move(*decoded));
  }
  return parsed;
}

std::string api_key_of(const HttpRequest& request) {
  const auto value = request.header("Authorization");
  if (!value) return {};
  if (const auto encoded = behind_scheme(trim(*value), "Basic")) {
    const auto decoded = base64_decode(*encoded);
    return decoded ? decoded->substr(0, decoded->find(':')) : std::string();
  }
  if (const auto token = behind_scheme(trim(*value), "Bearer")) return std::string(*token);
  return std::string(trim(*value));
}

bool is_acceptable(std::string_view accept, std::string_view type) {
  const std::string_view family = type.substr(0, type.find('/'));
  // The most specific range that fits decides.
  int best = -1;
  bool is_accepted = false;
  while (!accept.empty()) {
    std::string_view parameters = next_part(accept, ',');
    const std::string_view range = trim(next_part(parameters, ';'));
    const bool is_family = range.size() == family.size() + 2 && range.ends_with("/*") &&
                           config::equal_ignoring_case(range.substr(0, family.size()), family);
    const int fit = config::equal_ignoring_case(range, type) ? 2
                    : is_family                              ? 1
                    : range == "*/*"                         ? 0
                                                             : -1;
    if (fit < 0 || fit < best) continue;
    best = fit;
    is_accepted = true;
    while (!parameters.empty()) {
      const std::string_view parameter = trim(next_part(parameters, ';'));
      if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
      is_accepted = parameter.find_first_of("123456789") != std::string_view::npos;
    }
  }
  return is_accepted;
}

bool is_content_type(std::string_view content_type, std::string_view type) {
  return config::equal_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), type);
}

}  // namespace posthaste::api
