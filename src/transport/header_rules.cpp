#include "transport/header_rules.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

namespace posthaste::transport {
namespace {

constexpr std::string_view kReserved[] = {
    "Host",    "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Expect",
    "Upgrade", "TE",           "Trailer",        "User-Agent",
};
constexpr std::string_view kSignatureHeaders[] = {"webhook-id", "webhook-timestamp",
                                                  "webhook-signature"};
constexpr std::string_view kReservedPrefix = "X-MessageSystems-";
// Only so much of a wrong name is repeated in a message.
constexpr size_t kEchoedNameBytesMax = 64;

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

bool is_token_character(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

core::Error bad(std::string message, std::string_view name) {
  return {core::ErrorCode::BadHeader, std::move(message), std::string(name)};
}

// For messages about names that may hold anything.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, kEchoedNameBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

core::Result<> check_header_name(std::string_view name) {
  if (name.empty()) return bad("a header has no name", name);
  if (!std::all_of(name.begin(), name.end(), is_token_character)) {
    return bad(fmt::format("header name '{}' has a character that is not allowed", printable(name)),
               printable(name));
  }
  return {};
}

core::Result<> check_header_value(std::string_view name, std::string_view value) {
  const bool has_control = std::any_of(value.begin(), value.end(),
                                       [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
  if (has_control) {
    return bad(fmt::format("the value of header '{}' contains a control character", name), name);
  }
  return {};
}

bool is_signature_header(std::string_view name) {
  return std::any_of(
      std::begin(kSignatureHeaders), std::end(kSignatureHeaders),
      [name](std::string_view reserved) { return equal_ignoring_case(name, reserved); });
}

bool is_reserved_header(std::string_view name, const HeaderContext& context) {
  if (equal_ignoring_case(name.substr(0, kReservedPrefix.size()), kReservedPrefix)) return true;
  if (context.has_authorization && equal_ignoring_case(name, "Authorization")) return true;
  if (!context.token_header.empty() && equal_ignoring_case(name, context.token_header)) return true;
  if (context.is_compressed && equal_ignoring_case(name, "Content-Encoding")) return true;
  if (context.is_signed && is_signature_header(name)) return true;
  return std::any_of(std::begin(kReserved), std::end(kReserved), [name](std::string_view reserved) {
    return equal_ignoring_case(name, reserved);
  });
}

core::Result<> check_custom_headers(const std::vector<std::pair<std::string, std::string>>& headers,
                                    const HeaderContext& context) {
  if (headers.size() > kCustomHeadersMax) {
    return bad(
        fmt::format("{} custom headers, at most {} are allowed", headers.size(), kCustomHeadersMax),
        "");
  }
  size_t total_bytes = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    if (auto checked = check_header_name(name); !checked) return checked;
    if (auto checked = check_header_value(name, value); !checked) return checked;
    if (is_reserved_header(name, context)) {
      return bad(fmt::format("header '{}' is reserved and cannot be used", name), name);
    }
    for (size_t j = 0; j < i; ++j) {
      if (equal_ignoring_case(headers[j].first, name)) {
        return bad(fmt::format("header '{}' is given twice", name), name);
      }
    }
    total_bytes += name.size() + value.size();
  }
  if (total_bytes >= kCustomHeaderBytesLimit) {
    return bad(fmt::format("custom headers have {} bytes together, the limit is {}", total_bytes,
                           kCustomHeaderBytesLimit - 1),
               "");
  }
  return {};
}

}  // namespace posthaste::transport
