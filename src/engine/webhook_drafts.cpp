#include "engine/webhook_drafts.h"

#include <utility>

#include "config/conf.h"
#include "config/property_table.h"
#include "config/text_rules.h"
#include "config/webhook_keys.h"
#include "core/limits.h"
#include "transport/header_rules.h"
#include "transport/signature.h"
#include "transport/target.h"

namespace posthaste::engine {
namespace {

using core::ErrorCode;
using core::Result;

Result<> set_target(core::Webhook& webhook, const std::string& text) {
  auto target = transport::parse_target(text);
  if (!target) return target.error();
  // Listings show targets without their credentials; the same target written back keeps them.
  if (target->url == webhook.target && !target->credentials) return {};
  webhook.target = target->url;
  webhook.origin = transport::origin_text(target->origin);
  webhook.credentials.clear();
  if (target->credentials) {
    webhook.credentials = target->credentials->user + ":" + target->credentials->password;
  }
  return {};
}

Result<> set_events(core::Webhook& webhook, const core::EventCatalogue& catalogue,
                    const std::vector<std::string>& names) {
  auto selection = core::select_events(catalogue, names);
  if (!selection) return selection.error();
  webhook.events = std::move(selection->events);
  webhook.types = selection->types;
  return {};
}

core::Error misfit(const char* key, std::string message) {
  return {ErrorCode::BadValue, std::move(message), key};
}

Result<> check_token_url(const std::string& url) {
  const auto parsed = transport::parse_target(url);
  if (!parsed) return misfit("oauth2.url", "oauth2.url: " + parsed.error().message);
  if (!parsed->credentials) return {};
  return misfit("oauth2.url",
                "oauth2.url holds credentials, which belong into oauth2.client_id "
                "and oauth2.client_secret");
}

bool is_authorization(const std::string& header) {
  return transport::is_reserved_header(header, {.token_header = {}, .has_authorization = true}) &&
         !transport::is_reserved_header(header, {});
}

// Whether the type of authentication has what it needs, and is the only one.
Result<> check_auth(const core::Webhook& webhook) {
  const core::DeliverySettings& settings = webhook.settings;
  const bool has_credentials = !webhook.credentials.empty();
  const bool is_authorized = has_credentials || settings.auth_type != core::AuthType::None;
  if (is_authorized && !webhook.auth_token.empty() && is_authorization(settings.auth_header)) {
    return misfit("auth.header",
                  "auth.header is Authorization, which another type of authentication sends");
  }
  switch (settings.auth_type) {
    case core::AuthType::None:
      return {};
    case core::AuthType::Basic:
      if (has_credentials && !settings.auth_user.empty()) break;
      if (has_credentials || !settings.auth_user.empty()) return {};
      return misfit("auth.user", "auth.type is basic, but auth.user is empty");
    case core::AuthType::Bearer:
      if (has_credentials) break;
      if (!settings.auth_bearer.empty()) return {};
      return misfit("auth.bearer", "auth.type is bearer, but auth.bearer is empty");
    case core::AuthType::OAuth2:
      if (has_credentials) break;
      if (!settings.oauth2_url.empty()) return check_token_url(settings.oauth2_url);
      return misfit("oauth2.url", "auth.type is oauth2, but oauth2.url is empty");
  }
  return misfit("auth.type", "the target holds credentials, which auth.type would replace");
}

}  // namespace

core::WebhookSpec with_secrets_of(const core::Webhook& known, core::WebhookSpec spec) {
  if (spec.auth_token == config::kSecretMask && !known.auth_token.empty()) {
    spec.auth_token = known.auth_token;
  }
  for (auto& [name, value] : spec.headers) {
    if (value != config::kSecretMask) continue;
    for (const auto& [known_name, known_value] : known.headers) {
      if (config::equal_ignoring_case(known_name, name)) value = known_value;
    }
  }
  for (auto& [key, text] : spec.overrides) {
    if (text != config::kSecretMask) continue;
    const auto found = known.overrides.find(key);
    if (found != known.overrides.end() && config::is_hidden(key, found->second)) {
      text = found->second;
    }
  }
  return spec;
}

Result<core::Webhook> edit_webhook(const DraftContext& context, const core::Webhook& before,
                                   const core::WebhookSpec& masked_change) {
  core::Webhook webhook = before;
  const core::WebhookSpec change = with_secrets_of(before, masked_change);
  if (change.name) webhook.name = *change.name;
  if (change.target) {
    if (auto done = set_target(webhook, *change.target); !done) return done.error();
  }
  if (change.events) {
    if (auto done = set_events(webhook, context.catalogue, *change.events); !done)
      return done.error();
  }
  if (change.auth_token) webhook.auth_token = *change.auth_token;
  if (change.active) webhook.active = *change.active;
  webhook.headers = config::merge_headers(before.headers, change);
  for (const auto& [key, value] : change.overrides) {
    if (value) {
      webhook.overrides[key] = *value;
    } else {
      webhook.overrides.erase(key);
    }
  }
  auto settings = config::webhook_settings(context.settings, webhook.overrides);
  if (!settings) return settings.error();
  webhook.settings = std::move(*settings);
  if (auto done = check_webhook(webhook); !done) return done.error();
  return webhook;
}

Result<> check_webhook(const core::Webhook& webhook) {
  const core::DeliverySettings& settings = webhook.settings;
  if (auto done = check_auth(webhook); !done) return done;
  transport::HeaderContext context;
  context.has_authorization =
      !webhook.credentials.empty() || settings.auth_type != core::AuthType::None;
  context.is_signed = !settings.signing_secrets.empty();
  context.is_compressed = settings.compression != core::Compression::None;
  const bool is_taken = context.is_signed && !webhook.auth_token.empty() &&
                        transport::is_signature_header(settings.auth_header);
  if (is_taken) {
    return {ErrorCode::BadValue,
            "auth.header: " + settings.auth_header + " is the name of a header of signatures",
            "auth.header"};
  }
  context.token_header = settings.auth_header;
  if (auto done = transport::check_custom_headers(webhook.headers, context); !done) return done;
  if (auto secrets = transport::parse_signing_secrets(settings.signing_secrets); !secrets)
    return secrets.error();
  return {};
}

Result<core::Webhook> draft_webhook(const DraftContext& context, std::string id,
                                    const core::WebhookSpec& spec, std::string_view default_name) {
  core::Webhook empty;
  empty.id = std::move(id);
  empty.name = default_name;
  if (!spec.target) return {ErrorCode::MissingField, "field 'target' is required", "target"};
  if (!spec.events) return {ErrorCode::MissingField, "field 'events' is required", "events"};
  if (!spec.name && default_name.empty()) {
    return {ErrorCode::MissingField, "field 'name' is required", "name"};
  }
  return edit_webhook(context, empty, spec);
}

}  // namespace posthaste::engine
