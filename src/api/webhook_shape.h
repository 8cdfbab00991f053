// A webhook as the REST API shows it, and what a request's body says of one (spec/momentum.md,
// sections 6 and 7).
#pragma once

#include <optional>
#include <string>

#include "api/call.h"
#include "api/time_zone.h"
#include "core/webhook.h"
#include "engine/engine.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::api {

enum class Links { Webhook, Actions };

// One object of a list, or the whole of a retrieval.
void write_webhook(json::Writer& writer, const Call& call, const engine::Snapshot& snapshot,
                   const TimeZone& zone, Links links);
// {"id", "links"}: what creation and update answer.
std::string webhook_reference(const std::string& base, const std::string& id, Links links);

// What a body asks for, or the answer that refuses it.
struct Wish {
  core::WebhookSpec spec;
  std::optional<HttpAnswer> refusal;
};
// before: the webhook that is to change; null for a new one.
Wish read_wish(const Call& call, const core::Webhook* before);

}  // namespace posthaste::api
