#include "config/conf.h"

#include <fmt/format.h>

#include <variant>

#include "config/property_table.h"
#include "config/secret.h"
#include "config/value_text.h"
#include "json/writer.h"

namespace posthaste::config {

namespace {

using core::DeliverySettings;
using core::EngineSettings;
using core::Error;
using core::ErrorCode;
using core::Result;

// `larger` must be at least `factor` times `smaller`.
struct FitRule {
  std::string_view larger;
  uint64_t factor;
  std::string_view smaller;
};

constexpr FitRule kFitRules[] = {
    {"batch.max_bytes", 1, "event.max_bytes"},
    {"intake.max_bytes", 4, "event.max_bytes"},
    // One in flight, one open, one that waits and one to give way (design 2c).
    {"webhook.max_waiting_bytes", 4, "batch.max_bytes"},
    {"waiting.max_bytes", 4, "batch.max_bytes"},
    {"request.max_time", 1, "connect.timeout"},
    {"request.max_time", 1, "request.timeout"},
    {"retry.max", 1, "retry.base"},
};

uint64_t magnitude(const Property& property, const EngineSettings& settings) {
  const Value value = property.binding.load(settings);
  const auto* length = std::get_if<core::Duration>(&value);
  return length != nullptr ? to_ms(*length) : std::get<uint64_t>(value);
}

Result<> check_fit(const EngineSettings& settings) {
  for (const FitRule& rule : kFitRules) {
    const Property& larger = *find_property(rule.larger);
    const Property& smaller = *find_property(rule.smaller);
    if (magnitude(larger, settings) / rule.factor >= magnitude(smaller, settings)) continue;
    const std::string times = rule.factor == 1 ? "" : fmt::format("{} times ", rule.factor);
    return {ErrorCode::BadValue,
            fmt::format("{} is {}, but must be at least {}{}, which is {}", larger.key,
                        current_text(larger, settings), times, smaller.key,
                        current_text(smaller, settings)),
            std::string(larger.key)};
  }
  return {};
}

Result<> store_text(const Property& property, std::optional<std::string_view> text,
                    EngineSettings& settings) {
  if (!text) {
    property.binding.store(settings, property.binding.load(EngineSettings{}));
    return {};
  }
  // A listing written back keeps the secret.
  if (property.is_secret && *text == kSecretMask &&
      current_text(property, settings) == kSecretMask) {
    return {};
  }
  const Result<Value> value = parse_value(property, *text);
  if (!value) return value.error();
  property.binding.store(settings, *value);
  return {};
}

void write_property(json::Writer& writer, const Property& property,
                    const EngineSettings* settings = nullptr) {
  writer.begin_object();
  writer.string("key", property.key);
  writer.string("scope", scope_name(property.scope()));
  writer.string("type", type_name(property.type));
  writer.string("range", range_text(property));
  writer.string("default", default_text(property));
  if (settings) writer.string("value", current_text(property, *settings));
  writer.string("unit", property.unit);
  writer.string("change", change_name(property.change));
  writer.boolean("secret", property.is_secret);
  writer.string("help", property.help);
  writer.end_object();
}

}  // namespace

Conf::Conf() {
  texts_.reserve(properties().size());
  for (const Property& property : properties()) texts_.push_back(default_text(property));
}

Result<> Conf::set(std::string_view key, std::optional<std::string_view> value) {
  const Property* property = find_property(key);
  if (property == nullptr) return unknown_key(key);
  const Result<> stored = store_text(*property, value, settings_);
  if (stored) {
    texts_[static_cast<size_t>(property - properties().data())] =
        current_text(*property, settings_);
  }
  return stored;
}

const std::string* Conf::get(std::string_view key) const {
  const Property* property = find_property(key);
  if (property == nullptr) return nullptr;
  return &texts_[static_cast<size_t>(property - properties().data())];
}

Result<EngineSettings> Conf::finalize() const {
  const Result<> fit = check_fit(settings_);
  if (!fit) return fit.error();
  return settings_;
}

Result<> apply_live(EngineSettings& settings, std::string_view key,
                    std::optional<std::string_view> value, EngineStage stage) {
  const Property* property = find_property(key);
  if (property == nullptr) return unknown_key(key);
  const bool is_open = property->change == Change::Live ||
                       (property->change == Change::Start && stage == EngineStage::BeforeStart);
  if (!is_open) {
    return {ErrorCode::NotChangeable,
            fmt::format("{} cannot change any more, it is fixed when the engine is {}", key,
                        property->change == Change::New ? "made" : "started"),
            std::string(key)};
  }
  EngineSettings changed = settings;
  const Result<> stored = store_text(*property, value, changed);
  if (!stored) return stored;
  const Result<> fit = check_fit(changed);
  if (!fit) return fit;
  settings = std::move(changed);
  return {};
}

Result<std::string> setting_text(const EngineSettings& settings, std::string_view key) {
  const Property* property = find_property(key);
  if (property == nullptr) return unknown_key(key);
  return current_text(*property, settings);
}

Result<DeliverySettings> webhook_settings(const EngineSettings& settings,
                                          const std::map<std::string, std::string>& overrides) {
  EngineSettings merged = settings;
  for (const auto& [key, text] : overrides) {
    const Property* property = find_property(key);
    if (property == nullptr || property->scope() != Scope::Webhook) return unknown_key(key);
    const Result<> stored = store_text(*property, text, merged);
    if (!stored) return stored.error();
  }
  const Result<> fit = check_fit(merged);
  if (!fit) return fit.error();
  return std::move(merged.webhook);
}

Result<std::string> describe(std::optional<std::string_view> key) {
  std::string out;
  json::Writer writer(out);
  if (key) {
    const Property* property = find_property(*key);
    if (property == nullptr) return unknown_key(*key);
    write_property(writer, *property);
    return out;
  }
  writer.begin_array();
  for (const Property& property : properties()) write_property(writer, property);
  writer.end_array();
  return out;
}

Result<std::string> describe_in(const EngineSettings& settings, std::string_view key) {
  const Property* property = find_property(key);
  if (property == nullptr) return unknown_key(key);
  std::string out;
  json::Writer writer(out);
  write_property(writer, *property, &settings);
  return out;
}

Error unknown_key(std::string_view key) {
  return {ErrorCode::UnknownKey, fmt::format("unknown key {}", quote(key)), std::string(key)};
}

}  // namespace posthaste::config
