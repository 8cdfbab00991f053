#include "engagement/context.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "json/value.h"
#include "json/writer.h"

namespace posthaste::engagement {
namespace {

using core::ErrorCode;
using json::Value;

// Links are short: more never fits.
constexpr size_t kContextSizeMax = 16 * 1024;
constexpr size_t kContextValuesMax = 1024;

constexpr std::string_view kRequestFields[] = {
    "type",       "event_id",          "timestamp", "target_link_url", "target_link_name",
    "user_agent", "user_agent_parsed", "geo_ip",    "ip_address",      "accept_language"};
constexpr std::string_view kEssentialFields[] = {"message_id",  "transmission_id", "rcpt_to",
                                                 "customer_id", "subaccount_id",   "campaign_id",
                                                 "template_id", "template_version"};
constexpr const char* kTypes[] = {"open", "initial_open", "click", "list_unsubscribe",
                                  "link_unsubscribe"};

struct EventFree {
  void operator()(posthaste_event_t* event) const { posthaste_event_free(event); }
};
using Event = std::unique_ptr<posthaste_event_t, EventFree>;
struct TextFree {
  void operator()(posthaste_text_t* text) const { posthaste_text_free(text); }
};
struct ErrorFree {
  void operator()(posthaste_error_t* error) const { posthaste_error_free(error); }
};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_empty(const Value& value) {
  return value.is_null() || (value.as_string() && value.as_string()->empty());
}

// Fields that the catalogue does not know are the host's own.
bool is_engagement_field(std::string_view name, const core::EventCatalogue& catalogue) {
  if (core::builtin_field_kind(name) == core::FieldKind::Any) return true;
  return std::any_of(std::begin(kTypes), std::end(kTypes), [&](const char* type) {
    return has_field(catalogue.type_info(catalogue.find(type).id), name);
  });
}

std::string text_of(const Value& value) {
  std::string text;
  json::Writer writer(text);
  json::write_value(writer, value);
  return text;
}

void set_json(posthaste_event_t* event, const std::string& key, const std::string& text) {
  posthaste_event_set_json(event, key.c_str(), text.data(), text.size());
}

// What the builder made of the fields, without its type.
core::Result<std::string> finish(posthaste_event_t* event) {
  const std::unique_ptr<posthaste_error_t, ErrorFree> error(posthaste_error_new());
  posthaste_text_t* made = nullptr;
  const int32_t code = posthaste_event_json(event, &made, error.get());
  const std::unique_ptr<posthaste_text_t, TextFree> text(made);
  if (code != POSTHASTE_OK) {
    return {static_cast<ErrorCode>(code),
            std::string("context: ") + posthaste_error_message(error.get()),
            posthaste_error_key(error.get())};
  }
  const std::string_view json(posthaste_text_data(made), posthaste_text_size(made));
  constexpr std::string_view kPrefix = R"({"type":"click")";
  const std::string_view rest = json.substr(kPrefix.size());
  return "{" + std::string(rest.substr(rest.starts_with(',') ? 1 : 0));
}

std::string domain_of(const Value& context, std::string_view field) {
  const Value* const value = context.find(field);
  const std::string* const address = value ? value->as_string() : nullptr;
  const size_t at = address ? address->rfind('@') : std::string::npos;
  return at == std::string::npos ? std::string() : address->substr(at + 1);
}

}  // namespace

bool has_field(const core::EventTypeInfo& type, std::string_view name) {
  return std::any_of(type.fields.begin(), type.fields.end(),
                     [&](const core::EventFieldInfo& field) { return field.name == name; });
}

core::Result<Context> Context::parse(std::string_view json, const Tracking* tracking,
                                     const core::EventCatalogue& catalogue) {
  json::ValueLimits limits;
  limits.size_max = kContextSizeMax;
  limits.values_max = kContextValuesMax;
  const auto value = json::parse_value(json, limits);
  if (!value) return {value.code(), "context: " + value.error().message, {}};
  const Value::Object* const object = value->as_object();
  if (!object) return {ErrorCode::BadJson, "context: not a JSON object", {}};
  const Event full(posthaste_event_new("click"));
  const Event essential(posthaste_event_new("click"));
  if (!full || !essential) return {ErrorCode::NoMemory, "out of memory", {}};
  for (const auto& [key, member] : *object) {
    if (is_empty(member) || is_one_of(key, kRequestFields) ||
        !is_engagement_field(key, catalogue)) {
      continue;
    }
    const std::string text = text_of(member);
    set_json(full.get(), key, text);
    if (is_one_of(key, kEssentialFields)) set_json(essential.get(), key, text);
  }
  const auto add = [&](const char* key, bool is_on) {
    if (!value->find(key)) posthaste_event_set_bool(full.get(), key, is_on ? 1 : 0);
  };
  if (tracking) {
    add("open_tracking", tracking->has_open);
    add("click_tracking", tracking->has_click);
    add("initial_pixel", tracking->has_initial);
  }
  auto full_text = finish(full.get());
  if (!full_text) return full_text.error();
  auto essential_text = finish(essential.get());
  if (!essential_text) return essential_text.error();
  return Context{std::move(*full_text), std::move(*essential_text)};
}

void set_context(std::string_view context, const core::EventTypeInfo& type,
                 posthaste_event_t* event) {
  const auto value = json::parse_value(context);
  const Value::Object* const object = value ? value->as_object() : nullptr;
  if (!object) return;
  for (const auto& [key, member] : *object) {
    // Whoever has the key may have made the link without parse.
    if (is_one_of(key, kRequestFields)) continue;
    const bool is_known = core::builtin_field_kind(key) != core::FieldKind::Any;
    if (!is_known || has_field(type, key)) set_json(event, key, text_of(member));
  }
  const auto derive = [&](const char* key, const std::string& text) {
    if (text.empty() || value->find(key) || !has_field(type, key)) return;
    posthaste_event_set_text(event, key, text.data(), text.size());
  };
  derive("recipient_domain", domain_of(*value, "rcpt_to"));
  derive("sending_domain", domain_of(*value, "friendly_from"));
  const Value* const sender = value->find("msg_from");
  if (sender && sender->as_string()) derive("mailfrom", *sender->as_string());
}

}  // namespace posthaste::engagement
