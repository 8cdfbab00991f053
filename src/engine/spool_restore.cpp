#include "engine/spool_restore.h"

#include <algorithm>
#include <utility>

#include "config/conf.h"

namespace posthaste::engine {

using core::Result;

namespace {

constexpr core::Duration kNoWait{};

// A webhook as the spool kept it, made whole again.
Result<core::WebhookPtr> restored(const RestoreParts& parts, const spool::WebhookRow& row) {
  core::Webhook webhook = row.webhook;
  const auto name_it = [&](core::Error error) {
    error.message = "webhook " + webhook.id + " of the spool: " + error.message;
    return error;
  };
  auto settings = config::webhook_settings(parts.settings, webhook.overrides);
  if (!settings) return name_it(settings.error());
  webhook.settings = std::move(*settings);
  auto selection = core::select_events(parts.catalogue, webhook.events);
  if (!selection) return name_it(selection.error());
  webhook.types = selection->types;
  webhook.activates_at = core::Instant::min();
  if (row.activates) {
    const core::Duration left = *row.activates - parts.clock.wall_now();
    webhook.activates_at =
        parts.clock.now() + std::clamp(left, kNoWait, webhook.settings.activation_delay);
  }
  return std::make_shared<const core::Webhook>(std::move(webhook));
}

}  // namespace

Result<> share_types(spool::Spool& spool, core::EventCatalogue& catalogue) {
  for (const spool::EventTypeRow& type : spool.store().event_types()) {
    if (catalogue.find(type.name).id != core::kNoEventType) continue;
    if (auto id = catalogue.define(type.name, type.class_name); !id) return id.error();
  }
  return spool.define_types(catalogue);
}

Result<> restore(const RestoreParts& parts) {
  const spool::RecoveredState& state = parts.spool.recovered();
  parts.delivery.continue_after(state.greatest_sequence, state.low);
  parts.registry.continue_after(state.greatest_generation);
  for (auto row = state.webhooks.begin(); row != state.webhooks.end();) {
    const uint64_t generation = row->webhook.generation;
    std::vector<core::WebhookPtr> revisions;
    const spool::WebhookRow* last = nullptr;
    for (; row != state.webhooks.end() && row->webhook.generation == generation; ++row) {
      auto webhook = restored(parts, *row);
      if (!webhook) return webhook.error();
      revisions.push_back(std::move(*webhook));
      last = &*row;
    }
    if (!last->is_removed) parts.registry.restore(revisions.back());
    // One that was to be activated takes nothing from before this start.
    const core::StreamPosition takes_from =
        last->activates ? parts.spool.recovered_end() : std::max(last->sealed_to, state.low);
    parts.delivery.restore_webhook(revisions, last->is_removed, takes_from);
  }
  return parts.spool.store().for_each_live(
      [&](const spool::LiveBatch& row) { parts.delivery.restore_batch(row); });
}

}  // namespace posthaste::engine
