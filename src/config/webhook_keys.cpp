#include "config/webhook_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "config/conf.h"
#include "config/property_table.h"
#include "config/text_rules.h"
#include "config/value_text.h"
#include "core/limits.h"

namespace posthaste::config {

namespace {

using core::Error;
using core::ErrorCode;
using core::Result;
using core::WebhookSpec;
using HeaderChange = std::pair<std::string, std::optional<std::string>>;

constexpr std::string_view kHeaderPrefix = "header.";
constexpr std::string_view kReadOnlyKeys[] = {"id", "state", "created", "last_successful",
                                              "last_failure"};
constexpr size_t kTokenSizeMax = 2048;
// Header changes of one description, removals included.
constexpr size_t kHeaderChangesMax = 64;

Result<> set_name(WebhookSpec& spec, std::string_view value) {
  if (value.empty() || value.size() > core::kWebhookNameMax || !is_plain_text(value)) {
    return {ErrorCode::BadValue,
            fmt::format("name {} is not allowed, it must be 1..{} bytes of UTF-8 without control "
                        "characters",
                        quote(value), core::kWebhookNameMax),
            "name"};
  }
  spec.name = value;
  return {};
}

// The target may hold credentials, so no message repeats it.
Result<> set_target(WebhookSpec& spec, std::string_view value) {
  if (value.empty() || value.size() > core::kTargetMax || !is_plain_text(value)) {
    return {ErrorCode::BadTarget,
            fmt::format("target must be 1..{} bytes of UTF-8 without control characters",
                        core::kTargetMax),
            "target"};
  }
  spec.target = value;
  return {};
}

Result<> set_events_text(WebhookSpec& spec, std::string_view value) {
  const std::vector<std::string_view> items = split_list(value);
  return set_events(spec, {items.begin(), items.end()});
}

Result<> set_auth_token(WebhookSpec& spec, std::string_view value) {
  if (value.size() > kTokenSizeMax || !is_header_value(value)) {
    return {ErrorCode::BadValue,
            fmt::format("auth_token must be 0..{} bytes of UTF-8 without control characters",
                        kTokenSizeMax),
            "auth_token"};
  }
  spec.auth_token = value;
  return {};
}

Result<> set_active(WebhookSpec& spec, std::string_view value) {
  const std::optional<bool> is_active = parse_boolean(value);
  if (!is_active) {
    return {ErrorCode::BadValue,
            fmt::format("active: {} is not allowed, it must be true|false", quote(value)),
            "active"};
  }
  spec.active = is_active;
  return {};
}

std::optional<std::string> get_events(const WebhookSpec& spec) {
  if (!spec.events) return std::nullopt;
  return fmt::format("{}", fmt::join(*spec.events, ","));
}

std::optional<std::string> get_active(const WebhookSpec& spec) {
  if (!spec.active) return std::nullopt;
  return *spec.active ? "true" : "false";
}

struct SpecKey {
  std::string_view key;
  Result<> (*set)(WebhookSpec& spec, std::string_view value);
  void (*restore)(WebhookSpec& spec);
  std::optional<std::string> (*get)(const WebhookSpec& spec);
};

constexpr SpecKey kSpecKeys[] = {
    {"name", set_name, [](WebhookSpec& spec) { spec.name.reset(); },
     [](const WebhookSpec& spec) { return spec.name; }},
    {"target", set_target, [](WebhookSpec& spec) { spec.target.reset(); },
     [](const WebhookSpec& spec) { return spec.target; }},
    {"events", set_events_text, [](WebhookSpec& spec) { spec.events.reset(); }, get_events},
    {"auth_token", set_auth_token, [](WebhookSpec& spec) { spec.auth_token = ""; },
     [](const WebhookSpec& spec) { return spec.auth_token; }},
    {"active", set_active, [](WebhookSpec& spec) { spec.active = true; }, get_active},
};

const SpecKey* find_spec_key(std::string_view key) {
  const auto found = std::find_if(std::begin(kSpecKeys), std::end(kSpecKeys),
                                  [key](const SpecKey& known) { return known.key == key; });
  return found == std::end(kSpecKeys) ? nullptr : found;
}

std::optional<std::string> header_name(std::string_view key) {
  if (key.substr(0, kHeaderPrefix.size()) != kHeaderPrefix) return std::nullopt;
  return std::string(key.substr(kHeaderPrefix.size()));
}

auto find_header(auto& headers, std::string_view name) {
  return std::find_if(headers.begin(), headers.end(), [name](const auto& header) {
    return equal_ignoring_case(header.first, name);
  });
}

void put_header(std::vector<HeaderChange>& headers, HeaderChange change) {
  const auto found = find_header(headers, change.first);
  if (found == headers.end()) {
    headers.push_back(std::move(change));
  } else {
    *found = std::move(change);
  }
}

core::HeaderList present_headers(const WebhookSpec& spec) {
  core::HeaderList present;
  for (const auto& [name, value] : spec.headers) {
    if (value) present.emplace_back(name, *value);
  }
  return present;
}

Result<> check_header_limits(const core::HeaderList& headers) {
  if (headers.size() > kCustomHeadersMax) {
    return {ErrorCode::BadHeader,
            fmt::format("{} is one custom header too many, {} are allowed",
                        quote(headers[kCustomHeadersMax].first), kCustomHeadersMax),
            headers[kCustomHeadersMax].first};
  }
  size_t size = 0;
  for (const auto& [name, value] : headers) {
    size += name.size() + value.size();
    if (size <= kCustomHeadersSizeMax) continue;
    return {ErrorCode::BadHeader,
            fmt::format("custom headers with {} have more than {} bytes", quote(name),
                        kCustomHeadersSizeMax),
            name};
  }
  return {};
}

Result<> set_property(WebhookSpec& spec, const Property& property,
                      std::optional<std::string_view> value) {
  if (property.scope() != Scope::Webhook) {
    return {ErrorCode::UnknownKey,
            fmt::format("{} is a key of the engine, not of a webhook", property.key),
            std::string(property.key)};
  }
  if (!value) {
    spec.overrides.insert_or_assign(std::string(property.key), std::nullopt);
    return {};
  }
  // A listing written back; whoever knows the webhook puts the secret in its place.
  if (property.is_secret && *value == kSecretMask) {
    spec.overrides.insert_or_assign(std::string(property.key), std::string(kSecretMask));
    return {};
  }
  const Result<Value> parsed = parse_value(property, *value);
  if (!parsed) return parsed.error();
  spec.overrides.insert_or_assign(std::string(property.key), format_value(property, *parsed));
  return {};
}

}  // namespace

Result<> set_events(WebhookSpec& spec, std::vector<std::string> names) {
  if (names.empty() || (names.size() == 1 && names.front().empty())) {
    return {ErrorCode::BadEvents, "events is empty, it must name event types or be *", "events"};
  }
  if (names.size() > core::kEventTypesMax) {
    return {
        ErrorCode::BadEvents,
        fmt::format("events names {} types, {} are allowed", names.size(), core::kEventTypesMax),
        "events"};
  }
  for (const std::string& name : names) {
    const bool is_name = !name.empty() && name.size() <= core::kEventNameMax &&
                         is_plain_text(name) && name.find(',') == std::string::npos;
    if (is_name) continue;
    return {ErrorCode::BadEvents, fmt::format("events: {} is no event type", quote(name)),
            "events"};
  }
  spec.events = std::move(names);
  return {};
}

Result<> set_header(WebhookSpec& spec, std::string_view name,
                    std::optional<std::string_view> value) {
  const auto refuse = [name](std::string_view reason) {
    return Error{ErrorCode::BadHeader, fmt::format("custom header {} {}", quote(name), reason),
                 std::string(name)};
  };
  if (!is_header_name(name)) return refuse("is not a header name");
  if (is_reserved_header(name)) return refuse("is reserved");
  if (value && !is_header_value(*value)) {
    return refuse("has a value that is too large, not UTF-8, or has control characters");
  }
  std::vector<HeaderChange> headers = spec.headers;
  put_header(headers,
             {std::string(name), value ? std::optional<std::string>(*value) : std::nullopt});
  if (headers.size() > kHeaderChangesMax) return refuse("is one header change too many");
  std::swap(spec.headers, headers);
  const Result<> limits = check_header_limits(present_headers(spec));
  if (!limits) std::swap(spec.headers, headers);
  return limits;
}

Result<> set_webhook_key(WebhookSpec& spec, std::string_view key,
                         std::optional<std::string_view> value) {
  if (const SpecKey* known = find_spec_key(key)) {
    if (value) return known->set(spec, *value);
    known->restore(spec);
    return {};
  }
  if (const std::optional<std::string> name = header_name(key)) {
    return set_header(spec, *name, value);
  }
  if (const Property* property = find_property(key)) return set_property(spec, *property, value);
  if (std::find(std::begin(kReadOnlyKeys), std::end(kReadOnlyKeys), key) !=
      std::end(kReadOnlyKeys)) {
    return {ErrorCode::NotChangeable, fmt::format("{} is read only", key), std::string(key)};
  }
  return unknown_key(key);
}

std::optional<std::string> get_webhook_key(const WebhookSpec& spec, std::string_view key) {
  if (const SpecKey* known = find_spec_key(key)) return known->get(spec);
  if (const std::optional<std::string> name = header_name(key)) {
    const auto header = find_header(spec.headers, *name);
    return header == spec.headers.end() ? std::nullopt : header->second;
  }
  const auto found = spec.overrides.find(std::string(key));
  return found == spec.overrides.end() ? std::nullopt : found->second;
}

WebhookSpec merge(const WebhookSpec& base, const WebhookSpec& change) {
  WebhookSpec merged = base;
  if (change.name) merged.name = change.name;
  if (change.target) merged.target = change.target;
  if (change.events) merged.events = change.events;
  if (change.active) merged.active = change.active;
  const bool keeps_token = change.auth_token == kSecretMask && base.auth_token.value_or("") != "";
  if (change.auth_token && !keeps_token) merged.auth_token = change.auth_token;
  for (const auto& [key, text] : change.overrides) {
    const auto before = base.overrides.find(key);
    const bool keeps_secret = text == kSecretMask && before != base.overrides.end() &&
                              is_hidden(key, before->second.value_or(""));
    if (!keeps_secret) merged.overrides.insert_or_assign(key, text);
  }

  if (change.replace_headers) {
    merged.replace_headers = true;
    merged.headers.clear();
  }
  for (const HeaderChange& header : change.headers) {
    const auto before = find_header(base.headers, header.first);
    const bool keeps_value =
        header.second == kSecretMask && before != base.headers.end() && before->second;
    put_header(merged.headers, {header.first, keeps_value ? before->second : header.second});
  }
  return merged;
}

core::HeaderList merge_headers(const core::HeaderList& base, const WebhookSpec& change) {
  WebhookSpec before;
  before.headers.assign(base.begin(), base.end());
  return present_headers(merge(before, change));
}

Result<> check_headers(const core::HeaderList& headers, std::string_view auth_header) {
  const auto token_header = find_header(headers, auth_header);
  if (token_header != headers.end()) {
    return {ErrorCode::BadHeader,
            fmt::format("custom header {} is the one that carries the auth_token",
                        quote(token_header->first)),
            token_header->first};
  }
  return check_header_limits(headers);
}

WebhookSpec spec_of(const core::Webhook& webhook, Secrets secrets) {
  const auto shown = [secrets](const std::string& secret) {
    return secrets == Secrets::Masked ? mask_secret(secret) : secret;
  };
  WebhookSpec spec;
  spec.name = webhook.name;
  spec.target = webhook.target;
  spec.events = webhook.events;
  spec.auth_token = shown(webhook.auth_token);
  spec.active = webhook.active;
  spec.replace_headers = true;
  for (const auto& [name, value] : webhook.headers) spec.headers.emplace_back(name, shown(value));
  for (const auto& [key, text] : webhook.overrides) {
    spec.overrides.emplace(key, is_hidden(key, text) ? shown(text) : text);
  }
  return spec;
}

std::optional<std::string> get_webhook_fact(const WebhookFacts& facts, std::string_view key) {
  const auto time_text = [](const std::optional<core::WallTime>& time) {
    return time ? std::optional<std::string>(format_time(*time)) : std::nullopt;
  };
  if (key == "id") return facts.id;
  if (key == "state") return core::state_name(facts.state);
  if (key == "created") return format_time(facts.created);
  if (key == "last_successful") return time_text(facts.last_successful);
  if (key == "last_failure") return time_text(facts.last_failure);
  return std::nullopt;
}

std::string format_time(core::WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{std::chrono::sys_days(days)};
  const std::chrono::hh_mm_ss clock(seconds - days);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace posthaste::config
