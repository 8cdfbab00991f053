#include "core/webhook_registry.h"

#include <algorithm>
#include <set>
#include <utility>

namespace posthaste::core {
namespace {

constexpr size_t kNone = ~size_t{0};

Error not_found(std::string_view id) {
  return {ErrorCode::NotFound,
          "no webhook with id '" + std::string(id.substr(0, kWebhookIdMax)) + "'", "id"};
}

}  // namespace

RegistryChange WebhookRegistry::put(Webhook draft, WallTime wall_now) {
  const size_t index = index_of(draft.id);
  if (index == kNone) {
    draft.created = wall_now;
    // Before every step that will ever see it: a step may have taken its time before the put did.
    draft.activates_at = Instant::min();
    return add(std::move(draft));
  }
  if (is_same_declaration(*webhooks_[index], draft)) return {};
  return replace(index, std::move(draft));
}

RegistryChange WebhookRegistry::create(Webhook draft, Instant now, WallTime wall_now) {
  draft.created = wall_now;
  // Without a delay its place among the events decides: those that follow may bear a time before
  // `now`, since they are stamped by a clock that lags.
  const bool waits = draft.settings.activation_delay > Duration::zero();
  draft.activates_at = waits ? now + draft.settings.activation_delay : Instant::min();
  return add(std::move(draft));
}

Result<RegistryChange> WebhookRegistry::update(Webhook draft) {
  const size_t index = index_of(draft.id);
  if (index == kNone) return not_found(draft.id);
  if (is_same_declaration(*webhooks_[index], draft)) return RegistryChange{};
  return replace(index, std::move(draft));
}

Result<RegistryChange> WebhookRegistry::remove(std::string_view id) {
  const size_t index = index_of(id);
  if (index == kNone) return not_found(id);
  RegistryChange change{webhooks_[index], nullptr};
  webhooks_.erase(webhooks_.begin() + static_cast<std::ptrdiff_t>(index));
  index_by_id_.clear();
  for (size_t i = 0; i < webhooks_.size(); ++i) index_by_id_[webhooks_[i]->id] = i;
  return change;
}

Result<RegistryChange> WebhookRegistry::set_paused(std::string_view id, bool is_paused) {
  const size_t index = index_of(id);
  if (index == kNone) return not_found(id);
  const Webhook& webhook = *webhooks_[index];
  const bool stays_disabled = webhook.is_disabled && is_paused;
  if (webhook.is_paused == is_paused && webhook.is_disabled == stays_disabled) {
    return RegistryChange{};
  }
  return set_state(index, is_paused, stays_disabled);
}

RegistryChange WebhookRegistry::set_disabled(std::string_view id, uint64_t generation,
                                             bool is_disabled) {
  const size_t index = index_of(id);
  if (index == kNone || webhooks_[index]->generation != generation) return {};
  if (webhooks_[index]->is_disabled == is_disabled) return {};
  return set_state(index, webhooks_[index]->is_paused, is_disabled);
}

RegistryChange WebhookRegistry::set_state(size_t index, bool is_paused, bool is_disabled) {
  auto next = std::make_shared<Webhook>(*webhooks_[index]);
  next->is_paused = is_paused;
  next->is_disabled = is_disabled;
  RegistryChange change{webhooks_[index], next};
  webhooks_[index] = std::move(next);
  return change;
}

std::vector<RegistryChange> WebhookRegistry::reconcile(std::string_view file,
                                                       std::vector<Webhook> drafts,
                                                       WallTime wall_now) {
  std::vector<RegistryChange> changes;
  std::set<std::string, std::less<>> kept;
  for (Webhook& draft : drafts) {
    kept.insert(draft.id);
    draft.source_file = file;
    if (auto change = put(std::move(draft), wall_now); change.is_change()) {
      changes.push_back(std::move(change));
    }
  }
  std::vector<std::string> gone;
  for (const WebhookPtr& webhook : webhooks_) {
    if (webhook->source_file == file && !kept.contains(webhook->id)) gone.push_back(webhook->id);
  }
  for (const std::string& id : gone) changes.push_back(*remove(id));
  return changes;
}

void WebhookRegistry::restore(WebhookPtr webhook) {
  index_by_id_[webhook->id] = webhooks_.size();
  webhooks_.push_back(std::move(webhook));
}

WebhookPtr WebhookRegistry::find(std::string_view id) const {
  const size_t index = index_of(id);
  return index == kNone ? nullptr : webhooks_[index];
}

TypeSet WebhookRegistry::wanted_types() const {
  TypeSet wanted;
  for (const WebhookPtr& webhook : webhooks_) {
    if (takes_events(*webhook)) wanted |= webhook->types;
  }
  return wanted;
}

RegistryChange WebhookRegistry::add(Webhook draft) {
  draft.generation = next_generation_++;
  draft.target_revision = 1;
  auto webhook = std::make_shared<const Webhook>(std::move(draft));
  index_by_id_[webhook->id] = webhooks_.size();
  webhooks_.push_back(webhook);
  return {nullptr, std::move(webhook)};
}

RegistryChange WebhookRegistry::replace(size_t index, Webhook draft) {
  const WebhookPtr before = webhooks_[index];
  draft.generation = before->generation;
  draft.target_revision = before->target_revision + (draft.target == before->target ? 0 : 1);
  draft.is_paused = before->is_paused;
  draft.is_disabled = before->is_disabled;
  draft.activates_at = before->activates_at;
  draft.created = before->created;
  webhooks_[index] = std::make_shared<const Webhook>(std::move(draft));
  return {before, webhooks_[index]};
}

size_t WebhookRegistry::index_of(std::string_view id) const {
  const auto place = index_by_id_.find(std::string(id));
  return place == index_by_id_.end() ? kNone : place->second;
}

}  // namespace posthaste::core
