// What a start takes over from a spool: event types, webhooks, and batches that were not over.
#pragma once

#include "core/event_catalogue.h"
#include "core/result.h"
#include "core/settings.h"
#include "core/webhook_registry.h"
#include "engine/delivery.h"
#include "platform/clock.h"
#include "spool/spool.h"

namespace posthaste::engine {

// Gives the catalogue the types that the host defined in an earlier run, since it need not have
// done so again yet, and the spool the numbers of all.
core::Result<> share_types(spool::Spool& spool, core::EventCatalogue& catalogue);

struct RestoreParts {
  spool::Spool& spool;
  const core::EventCatalogue& catalogue;
  const core::EngineSettings& settings;
  const platform::Clock& clock;
  core::WebhookRegistry& registry;
  Delivery& delivery;
};

// Gives a registry that is empty and a delivery step that has not run what the spool has.
core::Result<> restore(const RestoreParts& parts);

}  // namespace posthaste::engine
