// The one table of configuration keys. Everything about a key stands in its row: scope, type,
// range, when it may change, help, and the member of the settings it is stored in. Configuration
// handles, webhook descriptions, the describe call and the generated page all read this table; only
// the rules on keys that must fit one another (conf.cpp) name keys beside it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/settings.h"

namespace posthaste::config {

// Webhook: a key of a webhook's description, and of the engine as the default of every webhook.
enum class Scope : uint8_t { Engine, Webhook };
enum class PropertyType : uint8_t {
  Duration,
  Size,
  Count,
  Boolean,
  Choice,
  Text,
  Schedule,  // a list of durations
  Kinds      // a list of report kinds
};
// Until when a key may change: New, until posthaste_new; Start, until posthaste_start; Live, at any
// time.
enum class Change : uint8_t { New, Start, Live };

struct Choice {
  std::string_view name;
  uint64_t number;  // as stored
};

// A parsed value. Counts, sizes, truth values, choices and sets of kinds are numbers.
using Value = std::variant<uint64_t, core::Duration, std::string, std::vector<core::Duration>>;

// Where a key is stored; made from a pointer to member.
struct Binding {
  Scope scope;
  void (*store)(core::EngineSettings& settings, const Value& value);
  Value (*load)(const core::EngineSettings& settings);
};

struct Property {
  std::string_view key;
  PropertyType type;
  Change change;
  // Of a duration in milliseconds, of a size in bytes, of a text in characters, of a schedule's
  // steps in milliseconds.
  uint64_t minimum;
  uint64_t maximum;
  std::span<const Choice> choices;         // of a choice, and the names of kinds with their bits
  bool (*accepts)(std::string_view text);  // a text's further rule; may be null
  std::string_view unit;  // what a count counts, the unit names of durations and sizes
  std::string_view help;
  Binding binding;
  bool is_secret = false;  // a text that no listing, description or error repeats

  Scope scope() const { return binding.scope; }
};

std::span<const Property> properties();
// Null when there is no such key.
const Property* find_property(std::string_view key);
// Whether listings show the mask instead of this text of the key.
bool is_hidden(std::string_view key, std::string_view text);

// BadValue names the key, the text unless it is a secret, and what is allowed.
core::Result<Value> parse_value(const Property& property, std::string_view text);
// As a value would be written; parsing it gives the value again.
std::string format_value(const Property& property, const Value& value);
// For listings: a secret is masked.
std::string current_text(const Property& property, const core::EngineSettings& settings);
std::string default_text(const Property& property);
// What is allowed: "1ms..1d", "on|off", "none|equal".
std::string range_text(const Property& property);

const char* scope_name(Scope scope);
const char* type_name(PropertyType type);
const char* change_name(Change change);

}  // namespace posthaste::config
