#include "api/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/value_text.h"
#include "json/value.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;

constexpr uint64_t kCountMax = 1'000'000;
constexpr size_t kHostSizeMax = 300;

// Whether a Host header may become part of a link: names, addresses and a port. Whoever forwards
// requests may let others through.
bool is_host(std::string_view text) {
  static constexpr std::string_view kOther = ".-_:[]";
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOther.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kHostSizeMax &&
         std::all_of(text.begin(), text.end(), is_allowed);
}

}  // namespace

std::string Call::link_base() const {
  if (settings.api_links == core::LinkForm::Path) return {};
  if (!settings.api_base_url.empty()) return settings.api_base_url;
  const auto host = request.header("Host");
  return host && is_host(*host) ? fmt::format("{}://{}", request.scheme, *host) : std::string();
}

bool is_visible(const Call& call, const core::Webhook& webhook) {
  return !call.scope || webhook.settings.subaccount == std::to_string(*call.scope);
}

core::Result<engine::Snapshot> find_visible(const Call& call, const std::string& id) {
  auto found = call.engine.find(id);
  if (found && !is_visible(call, *found->webhook)) {
    return {ErrorCode::NotFound, "no webhook with this id", "id"};
  }
  return found;
}

core::Result<std::optional<uint64_t>> count_parameter(const Call& call, std::string_view name) {
  const auto text = call.target.parameter(name);
  if (!text) return std::optional<uint64_t>();
  const auto number = config::parse_count(*text);
  if (!number || *number == 0) {
    return {ErrorCode::BadValue, fmt::format("{} must be a number from 1 on", name),
            std::string(name)};
  }
  return std::optional<uint64_t>(std::min(*number, kCountMax));
}

core::Result<uint64_t> after_parameter(const Call& call) {
  const auto text = call.target.parameter("after");
  if (!text) return uint64_t{0};
  const auto number = config::parse_count(*text);
  if (!number) return {ErrorCode::BadValue, "after must be a sequence", "after"};
  return *number;
}

Body parse_body(const Call& call) {
  const auto type = call.request.header("Content-Type");
  if (type && !is_content_type(*type, "application/json")) {
    return {std::nullopt, error_answer({.status = 415,
                                        .message = "Unsupported Media Type",
                                        .description = "the body must be application/json",
                                        .code = "1700"})};
  }
  auto value = json::parse_value(call.request.body);
  if (value) return {std::move(*value), {}};
  switch (value.code()) {
    case ErrorCode::BadUtf8:
      return {std::nullopt, error_answer({.status = 400,
                                          .message = "Request body is not UTF-8",
                                          .description = value.error().message,
                                          .code = "1305"})};
    case ErrorCode::TooLarge:
      return {std::nullopt, error_answer({.status = 413, .message = "Request body is too large"})};
    default:
      return {std::nullopt,
              error_answer({.status = 400,
                            .message = fmt::format("Request body parsing failed [Attached error "
                                                   "message: {}]",
                                                   value.error().message)})};
  }
}

}  // namespace posthaste::api
