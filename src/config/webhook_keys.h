// The keys of one webhook's description. posthaste_webhook_t holds a WebhookSpec; the engine merges
// specs and makes registered webhooks of them. Checks here need nothing but the text: the URL, the
// event types and whether the settings fit one another are checked by whoever registers. JSON forms
// are webhook_json.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/secret.h"
#include "core/result.h"
#include "core/webhook.h"

namespace posthaste::config {

// Limits of custom headers, those of the original: count, and bytes of all names and values
// together.
inline constexpr size_t kCustomHeadersMax = 5;
inline constexpr size_t kCustomHeadersSizeMax = 2999;

// Sets a key. nullopt goes back to the default: auth_token none, active, header.<name> removed, a
// configuration key the engine's; name, target and events, which have none, are open again.
// UnknownKey, NotChangeable for a read-only key, BadValue, BadTarget, BadEvents, BadHeader; no
// message repeats a secret. On error nothing changes.
core::Result<> set_webhook_key(core::WebhookSpec& spec, std::string_view key,
                               std::optional<std::string_view> value);
// A key's text; nothing when the description leaves it open, or there is no such key.
std::optional<std::string> get_webhook_key(const core::WebhookSpec& spec, std::string_view key);

// The parts of set_webhook_key that the JSON form shares. set_events: BadEvents; set_header:
// BadHeader.
core::Result<> set_events(core::WebhookSpec& spec, std::vector<std::string> names);
core::Result<> set_header(core::WebhookSpec& spec, std::string_view name,
                          std::optional<std::string_view> value);

// `change` over `base`: what the change leaves open stays.
core::WebhookSpec merge(const core::WebhookSpec& base, const core::WebhookSpec& change);

// The custom headers of a webhook after a description's changes.
core::HeaderList merge_headers(const core::HeaderList& base, const core::WebhookSpec& change);
// The limits, and that no custom header is the one of the token as well: BadHeader.
core::Result<> check_headers(const core::HeaderList& headers, std::string_view auth_header);

enum class Secrets { Clear, Masked };

// A registered webhook as a complete description.
core::WebhookSpec spec_of(const core::Webhook& webhook, Secrets secrets);

// What a description of a registered webhook has beside its spec: the read-only keys.
struct WebhookFacts {
  std::string id;
  core::WebhookState state = core::WebhookState::Active;
  core::WallTime created{};
  std::optional<core::WallTime> last_successful;
  std::optional<core::WallTime> last_failure;
};
// The text of id, state, created, last_successful or last_failure; nothing for another key or a
// time that never was.
std::optional<std::string> get_webhook_fact(const WebhookFacts& facts, std::string_view key);

// `YYYY-MM-DD HH:MM:SS` in UTC, as the REST shape writes times.
std::string format_time(core::WallTime time);

}  // namespace posthaste::config
