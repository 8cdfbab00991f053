// All registered webhooks and their states (design 2b). It takes complete, checked webhooks and
// answers with what changed, so that the caller can give each change its place in the order of
// events.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "core/webhook.h"

namespace posthaste::core {

using WebhookPtr = std::shared_ptr<const Webhook>;

// before null: it is new; after null: it is gone; both null: nothing changed.
struct RegistryChange {
  WebhookPtr before;
  WebhookPtr after;
  bool is_change() const { return before || after; }
};

// Purpose: the one list of webhooks. Ownership: hands out immutable snapshots. Threads: one at a
// time (the engine's lock). Invariants: ids are unique; an id made anew gets a greater generation;
// a change of target a greater revision.
class WebhookRegistry {
 public:
  // A host's own declaration: adds, replaces what differs, or does nothing; never touches the
  // state, and never waits for activation. `draft` is complete but for generation, revision and
  // times.
  RegistryChange put(Webhook draft, WallTime wall_now);
  // A verified creation under a new id: takes events after the activation delay.
  RegistryChange create(Webhook draft, Instant now, WallTime wall_now);
  // Replaces settings of an existing webhook.
  Result<RegistryChange> update(Webhook draft);
  Result<RegistryChange> remove(std::string_view id);
  // The end of a pause is the end of being disabled, too.
  Result<RegistryChange> set_paused(std::string_view id, bool is_paused);
  // Of that generation only: the id may be another's by now.
  RegistryChange set_disabled(std::string_view id, uint64_t generation, bool is_disabled);
  // Makes the webhooks of one file those of `drafts`.
  std::vector<RegistryChange> reconcile(std::string_view file, std::vector<Webhook> drafts,
                                        WallTime wall_now);

  // A webhook that a spool kept, complete with generation, revision, state and times.
  void restore(WebhookPtr webhook);
  // Generations up to this one were given out before.
  void continue_after(uint64_t generation) { next_generation_ = generation + 1; }

  WebhookPtr find(std::string_view id) const;
  // In the order of registration.
  const std::vector<WebhookPtr>& list() const { return webhooks_; }
  // Types that some webhook wants: all but the inactive and the disabled ones count.
  TypeSet wanted_types() const;

 private:
  RegistryChange add(Webhook draft);
  RegistryChange replace(size_t index, Webhook draft);
  RegistryChange set_state(size_t index, bool is_paused, bool is_disabled);
  size_t index_of(std::string_view id) const;

  std::vector<WebhookPtr> webhooks_;
  std::unordered_map<std::string, size_t> index_by_id_;
  uint64_t next_generation_ = 1;
};

}  // namespace posthaste::core
