#include "config/webhook_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/property_table.h"
#include "config/text_rules.h"
#include "config/value_text.h"
#include "config/webhook_auth_json.h"
#include "core/subaccount.h"
#include "json/text.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::config {

namespace {

using core::Error;
using core::ErrorCode;
using core::Result;
using core::WebhookSpec;

Error wrong_kind(std::string_view field, std::string_view wanted, const json::Value& value) {
  return {ErrorCode::BadValue, fmt::format("{} is {}, not {}", field, value.kind_name(), wanted),
          std::string(field)};
}

Result<> take_text(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const std::string* text = value.as_string();
  if (text == nullptr) return wrong_kind(field, "a string", value);
  return set_webhook_key(spec, field, *text);
}

Result<> take_events(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const json::Value::Array* items = value.as_array();
  if (items == nullptr) return wrong_kind(field, "an array", value);
  std::vector<std::string> names;
  for (const json::Value& item : *items) {
    const std::string* name = item.as_string();
    if (name == nullptr) {
      return wrong_kind(fmt::format("{}[{}]", field, names.size()), "a string", item);
    }
    names.push_back(*name);
  }
  return set_events(spec, std::move(names));
}

// The API of the original takes numbers as values of headers too.
std::optional<std::string> header_text(const json::Value& value) {
  if (const std::string* text = value.as_string()) return *text;
  if (const int64_t* number = value.as_int64()) return std::to_string(*number);
  if (const double* number = value.as_double()) {
    std::string text;
    json::append_double(text, *number);
    return text;
  }
  return std::nullopt;
}

Result<> take_headers(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const json::Value::Object* members = value.as_object();
  if (members == nullptr) return wrong_kind(field, "an object", value);
  spec.replace_headers = true;
  spec.headers.clear();
  for (const auto& [name, member] : *members) {
    const std::optional<std::string> text = header_text(member);
    if (!text) {
      return Error{ErrorCode::BadValue,
                   fmt::format("{}: {} is {}, not a string or a number", field, quote(name),
                               member.kind_name()),
                   name};
    }
    const size_t count = spec.headers.size();
    const Result<> taken = set_header(spec, name, *text);
    if (!taken) return taken;
    if (spec.headers.size() == count) {
      return {ErrorCode::BadHeader, fmt::format("{}: {} comes twice", field, quote(name)), name};
    }
  }
  return {};
}

Result<> take_active(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const bool* is_active = value.as_bool();
  if (is_active == nullptr) return wrong_kind(field, "a boolean", value);
  spec.active = *is_active;
  return {};
}

// Numbers, and texts of numbers, since listings show the exceptions as texts.
std::optional<int64_t> subaccount_number(const json::Value& value) {
  if (const int64_t* number = value.as_int64()) return *number;
  const std::string* text = value.as_string();
  const auto number = text == nullptr ? std::nullopt : parse_count(*text);
  if (!number || *number > core::kSubaccountMax) return std::nullopt;
  return static_cast<int64_t>(*number);
}

// -1: the primary account and all subaccounts.
Result<> take_subaccount(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const int64_t* number = value.as_int64();
  if (number == nullptr) return wrong_kind(field, "a number", value);
  if (*number < -1 || *number > core::kSubaccountMax) {
    return {ErrorCode::BadValue,
            fmt::format("{}: {} is not in -1..{}", field, *number, core::kSubaccountMax),
            std::string(field)};
  }
  return set_webhook_key(spec, "subaccount", *number < 0 ? "all" : std::to_string(*number));
}

Result<> take_exceptions(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const json::Value::Array* items = value.as_array();
  if (items == nullptr) return wrong_kind(field, "an array", value);
  std::vector<std::string> numbers;
  for (const json::Value& item : *items) {
    const auto number = subaccount_number(item);
    if (!number || *number < 0 || *number > core::kSubaccountMax) {
      return {ErrorCode::BadValue,
              fmt::format("{}[{}] is not the number of a subaccount", field, numbers.size()),
              std::string(field)};
    }
    numbers.push_back(std::to_string(*number));
  }
  if (auto taken =
          set_webhook_key(spec, "subaccount.except", fmt::format("{}", fmt::join(numbers, ",")));
      !taken) {
    return {ErrorCode::BadValue,
            fmt::format("{} must name at most {} subaccounts, none twice", field,
                        core::kExceptionSubaccountsMax),
            std::string(field)};
  }
  return {};
}

// Keys of the property table, as texts; null goes back to the engine's value.
Result<> take_settings(WebhookSpec& spec, std::string_view field, const json::Value& value) {
  const json::Value::Object* members = value.as_object();
  if (members == nullptr) return wrong_kind(field, "an object", value);
  for (const auto& [key, member] : *members) {
    const Property* property = find_property(key);
    if (property == nullptr || property->scope() != Scope::Webhook) {
      return {ErrorCode::UnknownKey,
              fmt::format("{}: {} is no key of a webhook", field, quote(key)),
              fmt::format("{}.{}", field, key)};
    }
    std::optional<std::string> text;
    if (const std::string* string = member.as_string()) {
      text = *string;
    } else if (const int64_t* number = member.as_int64()) {
      text = std::to_string(*number);
    } else if (const bool* boolean = member.as_bool()) {
      text = *boolean ? "true" : "false";
    } else if (!member.is_null()) {
      return wrong_kind(fmt::format("{}.{}", field, key), "a string", member);
    }
    if (auto taken = set_webhook_key(spec, key, text); !taken) {
      return {taken.error().code, taken.error().message, fmt::format("{}.{}", field, key)};
    }
  }
  return {};
}

struct Field {
  std::string_view name;
  Result<> (*take)(WebhookSpec& spec, std::string_view field, const json::Value& value);
};

constexpr Field kFields[] = {{"name", take_text},
                             {"target", take_text},
                             {"events", take_events},
                             {"auth_token", take_text},
                             {"auth_type", take_auth_type},
                             {"auth_credentials", take_auth_credentials},
                             {"auth_request_details", take_auth_request_details},
                             {"custom_headers", take_headers},
                             {"active", take_active},
                             {"subaccount_id", take_subaccount},
                             {"exception_subaccounts", take_exceptions},
                             {"settings", take_settings}};

Result<> take_fields(WebhookSpec& spec, const json::Value& object) {
  for (const Field& field : kFields) {
    const json::Value* value = object.find(field.name);
    if (value == nullptr) continue;
    const Result<> taken = field.take(spec, field.name, *value);
    if (!taken) return taken;
  }
  return {};
}

// The entry as a person finds it in the file: its number, counted from 1, and its name.
std::string entry_label(size_t index, const json::Value& entry) {
  const json::Value* name = entry.find("name");
  const std::string* text = name == nullptr ? nullptr : name->as_string();
  const std::string number = fmt::format("entry {}", index + 1);
  return text == nullptr ? number : fmt::format("{} ({})", number, quote(*text));
}

Result<WebhookSpec> parse_entry(const json::Value& entry) {
  if (entry.as_object() == nullptr) return wrong_kind("it", "an object", entry);
  WebhookSpec spec;
  const Result<> taken = take_fields(spec, entry);
  if (!taken) return taken.error();
  for (const std::string_view field : {"target", "events"}) {
    if (entry.find(field) != nullptr) continue;
    return {ErrorCode::MissingField, fmt::format("{} is missing", field), std::string(field)};
  }
  return spec;
}

void write_time(json::Writer& writer, std::string_view name,
                const std::optional<core::WallTime>& time) {
  writer.key(name);
  if (time) {
    writer.string(format_time(*time));
  } else {
    writer.null();
  }
}

void write_subaccounts(json::Writer& writer, const WebhookSpec& spec) {
  const auto choice = get_webhook_key(spec, "subaccount");
  if (choice) writer.int64("subaccount_id", *choice == "all" ? -1 : std::stoll(*choice));
  const auto exceptions = get_webhook_key(spec, "subaccount.except");
  if (!exceptions) return;
  writer.key("exception_subaccounts").begin_array();
  for (const std::string_view number : split_list(*exceptions)) {
    if (!number.empty()) writer.string(number);
  }
  writer.end_array();
}

// Those that have no field of their own.
bool has_field(std::string_view key) {
  if (key == "auth.header" || key == "oauth2.body") return false;
  return key.starts_with("auth.") || key.starts_with("oauth2.") || key.starts_with("subaccount");
}

void write_settings(json::Writer& writer, const WebhookSpec& spec) {
  std::map<std::string_view, std::string_view> shown;
  for (const auto& [key, text] : spec.overrides) {
    if (text && !has_field(key)) shown.emplace(key, *text);
  }
  if (shown.empty()) return;
  writer.key("settings").begin_object();
  for (const auto& [key, text] : shown) writer.string(key, text);
  writer.end_object();
}

}  // namespace

Result<> set_webhook_json(WebhookSpec& spec, std::string_view text) {
  const Result<json::Value> object = json::parse_value(text);
  if (!object) return object.error();
  return set_webhook_json(spec, *object);
}

Result<> set_webhook_json(WebhookSpec& spec, const json::Value& object) {
  if (object.as_object() == nullptr) {
    return {ErrorCode::BadJson, fmt::format("the text is {}, not an object", object.kind_name())};
  }
  WebhookSpec changed = spec;
  const Result<> taken = take_fields(changed, object);
  if (taken) spec = std::move(changed);
  return taken;
}

Result<WebhookSpec> spec_from_json(std::string_view text) {
  WebhookSpec spec;
  const Result<> taken = set_webhook_json(spec, text);
  if (!taken) return taken.error();
  return spec;
}

Result<std::vector<WebhookSpec>> parse_webhooks_file(std::string_view text) {
  const Result<json::Value> root = json::parse_value(text);
  if (!root) return {ErrorCode::BadFile, root.error().message, root.error().key};
  const json::Value::Array* entries = root->as_array();
  if (entries == nullptr) {
    return {ErrorCode::BadFile, fmt::format("the file is {}, not an array", root->kind_name())};
  }
  std::vector<WebhookSpec> specs;
  for (const json::Value& entry : *entries) {
    Result<WebhookSpec> spec = parse_entry(entry);
    if (!spec) {
      return {ErrorCode::BadFile,
              fmt::format("{}: {}", entry_label(specs.size(), entry), spec.error().message),
              spec.error().key};
    }
    specs.push_back(std::move(*spec));
  }
  return specs;
}

void write_webhook_fields(json::Writer& writer, const WebhookSpec& spec) {
  if (spec.name) writer.string("name", *spec.name);
  if (spec.target) writer.string("target", *spec.target);
  if (spec.events) {
    writer.key("events").begin_array();
    for (const std::string& name : *spec.events) writer.string(name);
    writer.end_array();
  }
  write_auth(writer, spec);
  if (spec.auth_token) writer.string("auth_token", *spec.auth_token);
  const bool has_headers = std::any_of(spec.headers.begin(), spec.headers.end(),
                                       [](const auto& header) { return header.second; });
  if (spec.replace_headers || has_headers) {
    writer.key("custom_headers").begin_object();
    for (const auto& [name, value] : spec.headers) {
      if (value) writer.string(name, *value);
    }
    writer.end_object();
  }
  if (spec.active) writer.boolean("active", *spec.active);
  write_subaccounts(writer, spec);
  write_settings(writer, spec);
}

std::string webhook_json(const WebhookSpec& spec, const WebhookFacts* facts) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  if (facts != nullptr) writer.string("id", facts->id);
  write_webhook_fields(writer, spec);
  if (facts != nullptr) {
    writer.string("state", core::state_name(facts->state));
    writer.string("created", format_time(facts->created));
    write_time(writer, "last_successful", facts->last_successful);
    write_time(writer, "last_failure", facts->last_failure);
  }
  writer.end_object();
  return out;
}

}  // namespace posthaste::config
