#include "transport/token_request.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "core/form.h"
#include "core/wipe.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::transport {
namespace {

using core::ErrorCode;
using core::Result;

constexpr int64_t kLifetimeSecondsMax = 30 * 24 * 3600;

core::Result<Token> bad(const char* message) {
  return {ErrorCode::BadField, message};
}

// As a number, or as text, as some servers write it.
std::optional<int64_t> seconds_of(const json::Value& value) {
  if (const int64_t* number = value.as_int64()) return *number;
  if (const double* number = value.as_double()) {
    return static_cast<int64_t>(std::clamp(*number, 0.0, double{kLifetimeSecondsMax}));
  }
  const std::string* text = value.as_string();
  if (text == nullptr) return std::nullopt;
  int64_t number = 0;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

TokenRequest token_request_of(const core::DeliverySettings& settings) {
  core::FormFields fields = {{"grant_type", settings.oauth2_grant_type},
                             {"client_id", settings.oauth2_client_id},
                             {"client_secret", settings.oauth2_client_secret},
                             {"scope", settings.oauth2_scope},
                             {"audience", settings.oauth2_audience}};
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  for (auto& field : core::parse_form(settings.oauth2_parameters).value_or(core::FormFields())) {
    fields.push_back(std::move(field));
  }
  TokenRequest request;
  request.url = settings.oauth2_url;
  if (settings.oauth2_body == core::TokenBody::Form) {
    request.content_type = "application/x-www-form-urlencoded";
    request.body = core::format_form(fields);
  } else {
    request.content_type = "application/json";
    json::Writer writer(request.body);
    writer.begin_object();
    for (const auto& [name, value] : fields) writer.string(name, value);
    writer.end_object();
  }
  for (auto& field : fields) core::wipe(field.second);
  return request;
}

Result<Token> parse_token(std::string_view body) {
  const auto root = json::parse_value(body);
  if (!root) return bad("the answer is not JSON");
  const json::Value* text = root->find("access_token");
  if (text == nullptr || text->as_string() == nullptr) return bad("the answer has no access_token");
  Token token{*text->as_string(), kTokenLifetimeDefault};
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (token.text.empty() || token.text.size() > kTokenBytesMax ||
      !std::all_of(token.text.begin(), token.text.end(), is_visible)) {
    return bad("the access_token does not fit into a header");
  }
  if (const json::Value* type = root->find("token_type"); type && type->as_string()) {
    std::string name = *type->as_string();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name != "bearer") return bad("the token_type is not bearer");
  }
  if (const json::Value* lifetime = root->find("expires_in"); lifetime && !lifetime->is_null()) {
    const auto seconds = seconds_of(*lifetime);
    if (!seconds || *seconds < 0) return bad("expires_in is not a number of seconds");
    token.lifetime = std::chrono::seconds(std::min(*seconds, kLifetimeSecondsMax));
  }
  return token;
}

}  // namespace posthaste::transport
