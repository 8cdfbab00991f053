// From a caller's description to a complete, checked webhook: the one place where keys, event
// types, URL, headers and settings are looked at together. Pure but for the URL and header rules of
// transport.
#pragma once

#include <string>
#include <string_view>

#include "core/event_catalogue.h"
#include "core/result.h"
#include "core/settings.h"
#include "core/webhook.h"

namespace posthaste::engine {

struct DraftContext {
  const core::EventCatalogue& catalogue;
  const core::EngineSettings& settings;
};

// A new declaration. A missing name is default_name; with none of those MissingField, as for target
// and events.
core::Result<core::Webhook> draft_webhook(const DraftContext& context, std::string id,
                                          const core::WebhookSpec& spec,
                                          std::string_view default_name);

// A description that came from a listing has masks where secrets stand; this puts those of `known`
// back.
core::WebhookSpec with_secrets_of(const core::Webhook& known, core::WebhookSpec spec);

// An existing webhook with the keys that `change` sets.
core::Result<core::Webhook> edit_webhook(const DraftContext& context, const core::Webhook& before,
                                         const core::WebhookSpec& change);

// What must fit together in a complete webhook: headers against one another and the settings, and
// secrets that can sign. Again when settings of the engine changed under it.
core::Result<> check_webhook(const core::Webhook& webhook);

}  // namespace posthaste::engine
