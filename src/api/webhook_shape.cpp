#include "api/webhook_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "config/conf.h"
#include "config/property_table.h"
#include "config/secret.h"
#include "config/text_rules.h"
#include "config/value_text.h"
#include "config/webhook_json.h"
#include "config/webhook_keys.h"
#include "core/subaccount.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;

constexpr std::string_view kFields[] = {"name",
                                        "target",
                                        "events",
                                        "auth_token",
                                        "auth_type",
                                        "active",
                                        "custom_headers",
                                        "auth_credentials",
                                        "auth_request_details",
                                        "subaccount_id",
                                        "exception_subaccounts",
                                        "settings"};

// Settings that the owner of a webhook of one subaccount may choose: how its own receiver wants to
// be talked to. The rest is about this machine and its network, which belong to the operator.
constexpr std::string_view kOwnerPrefixes[] = {"batch.", "auth.",  "oauth2.",
                                               "rate.",  "retry.", "verify"};
constexpr std::string_view kOwnerKeys[] = {
    "compression",     "dead_letter",        "disable.after",  "http.gone",
    "signing.secrets", "request.keep_alive", "request.timeout"};

std::string webhook_url(const std::string& base, const std::string& id) {
  return base + "/api/v1/webhooks/" + id;
}

void write_link(json::Writer& writer, const std::string& href, std::string_view rel,
                std::initializer_list<std::string_view> methods) {
  writer.begin_object().string("href", href).string("rel", rel).key("method").begin_array();
  for (const std::string_view method : methods) writer.string(method);
  writer.end_array().end_object();
}

void write_time(json::Writer& writer, std::string_view name,
                const std::optional<core::WallTime>& time, const TimeZone& zone) {
  writer.key(name);
  if (time) {
    writer.string(zone.format(*time));
  } else {
    writer.null();
  }
}

// With the fields that a listing always has, whether the description sets them or not.
core::WebhookSpec shown_spec(const Call& call, const core::Webhook& webhook) {
  const bool is_clear = call.settings.api_secrets == core::SecretsShown::Clear;
  core::WebhookSpec spec =
      config::spec_of(webhook, is_clear ? config::Secrets::Clear : config::Secrets::Masked);
  core::EngineSettings settings;
  settings.webhook = webhook.settings;
  if (auto type = config::setting_text(settings, "auth.type")) {
    spec.overrides.try_emplace("auth.type", *type);
  }
  return spec;
}

std::optional<HttpAnswer> check_headers(const json::Value& body) {
  const json::Value* headers = body.find("custom_headers");
  const json::Value::Object* members = headers == nullptr ? nullptr : headers->as_object();
  if (members == nullptr) return std::nullopt;
  if (members->size() > config::kCustomHeadersMax) {
    return error_answer({.status = 422,
                         .message = fmt::format("You may only have up to {} custom headers",
                                                config::kCustomHeadersMax),
                         .parameter = "custom_headers"});
  }
  size_t size = 0;
  for (const auto& [name, value] : *members) {
    if (config::is_reserved_header(name)) {
      return error_answer({.status = 422,
                           .message = "Header is reserved and cannot be used",
                           .parameter = "custom_headers",
                           .value = name});
    }
    size += name.size() + (value.as_string() == nullptr ? 0 : value.as_string()->size());
  }
  if (size <= config::kCustomHeadersSizeMax) return std::nullopt;
  return error_answer({.status = 413,
                       .message = "Custom headers are too large",
                       .code = "10001",
                       .parameter = "custom_headers"});
}

bool is_owners(std::string_view key) {
  return std::any_of(std::begin(kOwnerPrefixes), std::end(kOwnerPrefixes),
                     [&](std::string_view prefix) { return key.starts_with(prefix); }) ||
         std::find(std::begin(kOwnerKeys), std::end(kOwnerKeys), key) != std::end(kOwnerKeys);
}

// A new webhook has no secret that a mask could stand for.
std::optional<HttpAnswer> check_masks(const core::WebhookSpec& spec) {
  std::string_view field;
  if (spec.auth_token == config::kSecretMask) field = "auth_token";
  for (const auto& [name, value] : spec.headers) {
    if (value == config::kSecretMask) field = "custom_headers";
  }
  for (const auto& [key, text] : spec.overrides) {
    const config::Property* property = config::find_property(key);
    if (property != nullptr && property->is_secret && text == config::kSecretMask) field = key;
  }
  if (field.empty()) return std::nullopt;
  return bad_field(fmt::format("{} is the mask of a secret, and a new webhook has none", field));
}

// What a key of one subaccount must not ask for. What it sends back as it was shown is no change.
std::optional<HttpAnswer> check_identity(const Call& call, const core::WebhookSpec& spec,
                                         const core::Webhook* before) {
  if (!call.identity.subaccount) return std::nullopt;
  const core::WebhookSpec shown =
      before == nullptr ? core::WebhookSpec() : shown_spec(call, *before);
  for (const auto& [key, text] : spec.overrides) {
    const bool is_own = key == "subaccount" && text == std::to_string(*call.identity.subaccount);
    const auto known = shown.overrides.find(key);
    const bool is_same = known != shown.overrides.end() && known->second == text;
    if (is_own || is_same || is_owners(key)) continue;
    ApiError error = forbidden();
    error.description = fmt::format("{} takes a key that is not bound to a subaccount", key);
    return error_answer(error);
  }
  return std::nullopt;
}

// The subaccount that a new webhook is for: the header's, and with a key of one subaccount only
// that (spec/momentum.md, section 5).
void take_scope(const Call& call, core::WebhookSpec& spec) {
  if (call.scope) spec.overrides["subaccount"] = std::to_string(*call.scope);
  if (!call.identity.subaccount) return;
  const bool is_public = call.settings.api_subaccount_address_rule == core::AddressRule::Public;
  spec.overrides["address.policy"] = is_public ? "public" : "any";
}

}  // namespace

void write_webhook(json::Writer& writer, const Call& call, const engine::Snapshot& snapshot,
                   const TimeZone& zone, Links links) {
  const core::Webhook& webhook = *snapshot.webhook;
  writer.begin_object();
  writer.string("id", webhook.id);
  config::write_webhook_fields(writer, shown_spec(call, webhook));
  writer.string("state", core::state_name(snapshot.facts.state));
  writer.string("created", zone.format(webhook.created));
  write_time(writer, "last_successful", snapshot.facts.last_successful, zone);
  write_time(writer, "last_failure", snapshot.facts.last_failure, zone);
  const std::string url = webhook_url(call.link_base(), webhook.id);
  writer.key("links").begin_array();
  if (links == Links::Webhook) {
    write_link(writer, url, "urn.msys.webhooks.webhook", {"GET", "PUT"});
  } else {
    write_link(writer, url + "/validate", "urn.msys.webhooks.validate", {"POST"});
    write_link(writer, url + "/batch-status", "urn.msys.webhooks.batches", {"GET"});
  }
  writer.end_array().end_object();
}

std::string webhook_reference(const std::string& base, const std::string& id, Links links) {
  const std::string url = webhook_url(base, id);
  std::string out;
  json::Writer writer(out);
  writer.begin_object().string("id", id).key("links").begin_array();
  if (links == Links::Webhook) {
    write_link(writer, url, "urn.msys.webhooks.webhook", {"GET", "PUT"});
  } else {
    write_link(writer, url + "/validate", "urn.msys.webhooks.validate", {"POST"});
  }
  writer.end_array().end_object();
  return out;
}

Wish read_wish(const Call& call, const core::Webhook* before) {
  const bool is_new = before == nullptr;
  Wish wish;
  const Body body = parse_body(call);
  if (!body.value) {
    wish.refusal = body.refusal;
    return wish;
  }
  if (body.value->as_object() == nullptr) {
    wish.refusal = bad_field(fmt::format("the body is {}, not an object", body.value->kind_name()));
    return wish;
  }
  const bool is_known =
      std::any_of(std::begin(kFields), std::end(kFields),
                  [&](std::string_view f) { return body.value->find(f) != nullptr; });
  if (!is_new && !is_known) {
    wish.refusal = error_answer({.status = 400, .message = "no valid fields in body"});
    return wish;
  }
  for (const std::string_view field : {"name", "target", "events"}) {
    if (is_new && body.value->find(field) == nullptr) {
      wish.refusal = missing_field(field);
      return wish;
    }
  }
  const json::Value* exceptions = body.value->find("exception_subaccounts");
  const bool is_empty =
      exceptions != nullptr && exceptions->as_array() != nullptr && exceptions->as_array()->empty();
  if (is_new && is_empty) {
    wish.refusal = bad_field("exception_subaccounts must not be empty");
    return wish;
  }
  wish.refusal = check_headers(*body.value);
  if (wish.refusal) return wish;
  if (auto taken = config::set_webhook_json(wish.spec, *body.value); !taken) {
    wish.refusal = engine_error(taken.error());
    return wish;
  }
  if (is_new) wish.refusal = check_masks(wish.spec);
  if (wish.refusal) return wish;
  wish.refusal = check_identity(call, wish.spec, before);
  if (is_new) take_scope(call, wish.spec);
  return wish;
}

}  // namespace posthaste::api
