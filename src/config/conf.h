// Configuration from keys and texts to finalized settings, and back. posthaste_conf_t holds a Conf;
// the engine takes what finalize gives, changes it by apply_live, and asks webhook_settings what
// each webhook runs with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/settings.h"

namespace posthaste::config {

// Purpose: the keys and values of one configuration, each checked when it is set.
// Ownership: self-contained and copyable.
// Threads: const functions may run concurrently; set needs the object for itself.
// Invariants: each value alone is in its range; whether values fit one another is asked by
// finalize.
class Conf {
 public:
  Conf();

  // nullopt restores the default, a secret's mask keeps the secret. UnknownKey, or BadValue with
  // key, value (unless it is a secret) and what is allowed.
  core::Result<> set(std::string_view key, std::optional<std::string_view> value);
  // The canonical text, a secret masked, which lives until the key is set again; null for an
  // unknown key.
  const std::string* get(std::string_view key) const;
  // BadValue when two keys do not fit one another.
  core::Result<core::EngineSettings> finalize() const;

 private:
  core::EngineSettings settings_;
  std::vector<std::string> texts_;  // in the order of the property table
};

// Whether an engine still stands between posthaste_new and posthaste_start.
enum class EngineStage { BeforeStart, Started };

// Changes one key of an engine's settings, or nothing: UnknownKey, NotChangeable at this stage,
// BadValue (also when the result would not fit the other keys). nullopt restores the default.
core::Result<> apply_live(core::EngineSettings& settings, std::string_view key,
                          std::optional<std::string_view> value,
                          EngineStage stage = EngineStage::Started);

// A key's canonical text in an engine's settings, a secret masked; UnknownKey.
core::Result<std::string> setting_text(const core::EngineSettings& settings, std::string_view key);

// What a webhook runs with: the engine's values under its own. BadValue when they do not fit one
// another.
core::Result<core::DeliverySettings> webhook_settings(
    const core::EngineSettings& settings, const std::map<std::string, std::string>& overrides);

// One key as a JSON object, or all as an array of them: key, scope, type, range, default, unit,
// change, secret, help.
core::Result<std::string> describe(std::optional<std::string_view> key);

// The same of one key, and `value`: its text in an engine's settings, as setting_text has it.
core::Result<std::string> describe_in(const core::EngineSettings& settings, std::string_view key);

core::Error unknown_key(std::string_view key);

}  // namespace posthaste::config
