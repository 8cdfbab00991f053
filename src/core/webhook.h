// A webhook in its two forms. WebhookSpec is a description by keys, as a caller wrote it, with
// unset keys left open; Webhook is a registered one, complete and checked. Both are plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/event_catalogue.h"
#include "core/settings.h"
#include "core/time.h"

namespace posthaste::core {

// Names in the caller's order and case; unique without regard to case.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct WebhookSpec {
  std::optional<std::string> name;
  std::optional<std::string> target;
  std::optional<std::vector<std::string>> events;  // as written; {"*"} is all
  std::optional<std::string> auth_token;           // "" is none
  std::optional<bool> active;
  // Changes to the custom headers, applied in order; a value of nullopt removes. With
  // replace_headers the list starts empty (the REST shape's `custom_headers` replaces).
  bool replace_headers = false;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  // Configuration keys of webhook scope, checked text; nullopt clears to the engine's value.
  std::map<std::string, std::optional<std::string>> overrides;
};

enum class WebhookState { Activating, Active, Inactive, Paused, Disabled };

struct Webhook {
  Webhook() = default;
  ~Webhook();  // overwrites the secrets
  Webhook(const Webhook&) = default;
  Webhook(Webhook&&) = default;
  Webhook& operator=(const Webhook&) = default;
  Webhook& operator=(Webhook&&) = default;

  std::string id;
  std::string name;
  std::string target;       // without credentials and fragment
  std::string origin;       // scheme, host and port of the target
  std::string credentials;  // user:password that stood in the target, sent as basic authentication
  std::vector<std::string>
      events;     // documented names in the given order, without repetition; {"*"} is all
  TypeSet types;  // what `events` amounts to
  std::string auth_token;
  HeaderList headers;
  bool active = true;
  std::map<std::string, std::string> overrides;
  DeliverySettings settings;  // the engine's under `overrides`

  std::string source_file;  // the webhooks file that declared it; empty: none
  uint64_t generation = 0;  // the same id made anew is another generation
  uint64_t target_revision =
      0;  // grows with each change of target; (generation, revision) names an endpoint
  bool is_paused = false;
  bool is_disabled = false;  // by a rule: 410, or nothing but failure for disable.after
  Instant activates_at{};    // takes events from then on
  WallTime created{};
};

// The state of design 2b at `now`.
inline WebhookState state_of(const Webhook& webhook, Instant now) {
  if (!webhook.active) return WebhookState::Inactive;
  if (webhook.is_disabled) return WebhookState::Disabled;
  if (webhook.is_paused) return WebhookState::Paused;
  return now < webhook.activates_at ? WebhookState::Activating : WebhookState::Active;
}

const char* state_name(WebhookState state);

// Whether it gets what is pushed, at once or after its activation.
inline bool takes_events(const Webhook& webhook) {
  return webhook.active && !webhook.is_disabled;
}

// What a caller declares, without state: equal declarations change nothing.
bool is_same_declaration(const Webhook& a, const Webhook& b);

// Checks an event list against the catalogue: raw names become documented ones, repetitions go, `*`
// means all and stands alone. BadEvents names an unknown type, or says that the list is empty.
struct EventSelection {
  std::vector<std::string> events;
  TypeSet types;
};
Result<EventSelection> select_events(const EventCatalogue& catalogue,
                                     const std::vector<std::string>& names);

}  // namespace posthaste::core
