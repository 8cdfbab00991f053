#include "core/webhook.h"

#include "core/wipe.h"

#include <algorithm>

namespace posthaste::core {

Webhook::~Webhook() {
  for (std::string* secret :
       {&credentials, &auth_token, &settings.auth_password, &settings.auth_bearer,
        &settings.oauth2_client_secret, &settings.oauth2_parameters, &settings.tls_key_password,
        &settings.proxy, &settings.signing_secrets}) {
    wipe(*secret);
  }
  for (auto& header : headers) wipe(header.second);
  for (auto& override : overrides) wipe(override.second);
}

const char* state_name(WebhookState state) {
  switch (state) {
    case WebhookState::Activating:
      return "activating";
    case WebhookState::Active:
      return "active";
    case WebhookState::Inactive:
      return "inactive";
    case WebhookState::Paused:
      return "paused";
    case WebhookState::Disabled:
      return "disabled";
  }
  return "?";
}

bool is_same_declaration(const Webhook& a, const Webhook& b) {
  return a.name == b.name && a.target == b.target && a.credentials == b.credentials &&
         a.events == b.events && a.auth_token == b.auth_token && a.headers == b.headers &&
         a.active == b.active && a.overrides == b.overrides && a.settings == b.settings &&
         a.source_file == b.source_file;
}

Result<EventSelection> select_events(const EventCatalogue& catalogue,
                                     const std::vector<std::string>& names) {
  if (names.empty()) return {ErrorCode::BadEvents, "the event list is empty", "events"};
  EventSelection selection;
  for (const std::string& name : names) {
    if (name == "*") {
      selection.types.set();
      continue;
    }
    const TypeMatch match = catalogue.find(name);
    if (match.id == kNoEventType) {
      return {ErrorCode::BadEvents, "unknown event type '" + name.substr(0, kEventNameMax) + "'",
              "events"};
    }
    if (!selection.types[match.id]) selection.events.emplace_back(catalogue.name(match.id));
    selection.types.set(match.id);
  }
  if (selection.types.all()) selection.events = {"*"};
  return selection;
}

}  // namespace posthaste::core
