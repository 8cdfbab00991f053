#include "config/webhook_auth_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "config/value_text.h"
#include "core/form.h"

namespace posthaste::config {

namespace {

using core::ErrorCode;
using core::Result;
using core::WebhookSpec;

struct KeyOfMember {
  std::string_view member;
  std::string_view key;
};

constexpr KeyOfMember kCredentials[] = {{"username", "auth.user"}, {"password", "auth.password"}};
// Of `body`; what is not here goes into oauth2.parameters.
constexpr KeyOfMember kParameters[] = {{"grant_type", "oauth2.grant_type"},
                                       {"client_id", "oauth2.client_id"},
                                       {"client_secret", "oauth2.client_secret"},
                                       {"scope", "oauth2.scope"},
                                       {"audience", "oauth2.audience"}};

core::Error wrong_kind(std::string_view field, std::string_view wanted, const json::Value& value) {
  return {ErrorCode::BadValue, fmt::format("{} is {}, not {}", field, value.kind_name(), wanted),
          std::string(field)};
}

Result<> take_member(WebhookSpec& spec, std::string_view field, std::string_view member,
                     std::string_view key, const json::Value& value) {
  const std::string* text = value.as_string();
  if (text == nullptr) return wrong_kind(fmt::format("{}.{}", field, member), "a string", value);
  return set_webhook_key(spec, key, *text);
}

Result<> take_body(WebhookSpec& spec, const json::Value& body) {
  constexpr std::string_view kField = "auth_request_details.body";
  const json::Value::Object* members = body.as_object();
  if (members == nullptr) return wrong_kind(kField, "an object", body);
  core::FormFields others;
  for (const auto& [name, value] : *members) {
    const std::string_view member = name;
    const auto known =
        std::find_if(std::begin(kParameters), std::end(kParameters),
                     [member](const KeyOfMember& each) { return each.member == member; });
    if (known != std::end(kParameters)) {
      if (auto taken = take_member(spec, kField, name, known->key, value); !taken) return taken;
    } else if (const std::string* text = value.as_string()) {
      others.emplace_back(name, *text);
    } else {
      return wrong_kind(fmt::format("{}: {}", kField, quote(name)), "a string", value);
    }
  }
  // A listing does not show them, so a body without them leaves them as they are.
  if (others.empty()) return {};
  return set_webhook_key(spec, "oauth2.parameters", core::format_form(others));
}

void write_members(json::Writer& writer, const WebhookSpec& spec,
                   std::span<const KeyOfMember> members) {
  for (const KeyOfMember& each : members) {
    if (const auto text = get_webhook_key(spec, each.key)) writer.string(each.member, *text);
  }
}

void write_body(json::Writer& writer, const WebhookSpec& spec) {
  writer.key("body").begin_object();
  write_members(writer, spec, kParameters);
  const std::string parameters = get_webhook_key(spec, "oauth2.parameters").value_or("");
  for (const auto& [name, value] : core::parse_form(parameters).value_or(core::FormFields())) {
    writer.string(name, value);
  }
  writer.end_object();
}

}  // namespace

Result<> take_auth_type(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const std::string* text = value.as_string();
  if (text == nullptr) return wrong_kind(field, "a string", value);
  if (auto taken = set_webhook_key(spec, "auth.type", *text); !taken) {
    return {ErrorCode::BadValue,
            fmt::format("{}: {} is not allowed, it must be none, basic, bearer or oauth2", field,
                        quote(*text)),
            std::string(field)};
  }
  return {};
}

// The original shows the token it holds as access_token and expires_in; sent back, they are
// nothing.
Result<> take_auth_credentials(WebhookSpec& spec, std::string_view field,
                               const json::Value& value) {
  if (value.as_object() == nullptr) return wrong_kind(field, "an object", value);
  for (const KeyOfMember& each : kCredentials) {
    const json::Value* member = value.find(each.member);
    if (member == nullptr) continue;
    if (auto taken = take_member(spec, field, each.member, each.key, *member); !taken) return taken;
  }
  const json::Value* token = value.find("access_token");
  const bool is_bearer = get_webhook_key(spec, "auth.type") == "bearer";
  if (token == nullptr || !is_bearer) return {};
  return take_member(spec, field, "access_token", "auth.bearer", *token);
}

Result<> take_auth_request_details(WebhookSpec& spec, std::string_view field,
                                   const json::Value& value) {
  if (value.as_object() == nullptr) return wrong_kind(field, "an object", value);
  if (const json::Value* url = value.find("url")) {
    if (auto taken = take_member(spec, field, "url", "oauth2.url", *url); !taken) return taken;
  }
  const json::Value* body = value.find("body");
  return body == nullptr ? Result<>() : take_body(spec, *body);
}

void write_auth(json::Writer& writer, const WebhookSpec& spec) {
  const auto type = get_webhook_key(spec, "auth.type");
  if (!type) return;
  writer.string("auth_type", *type);
  writer.key("auth_request_details").begin_object();
  if (*type == "oauth2") {
    if (const auto url = get_webhook_key(spec, "oauth2.url")) writer.string("url", *url);
    write_body(writer, spec);
  }
  writer.end_object();
  writer.key("auth_credentials").begin_object();
  if (*type == "basic") write_members(writer, spec, kCredentials);
  const auto bearer = get_webhook_key(spec, "auth.bearer");
  if (*type == "bearer" && bearer) writer.string("access_token", *bearer);
  writer.end_object();
}

}  // namespace posthaste::config
