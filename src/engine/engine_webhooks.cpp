// The registry's operations: check, verify where that is asked for, change, and give the change its
// place in the order of events.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "config/webhook_json.h"
#include "core/limits.h"
#include "engine/engine.h"
#include "engine/webhook_drafts.h"

namespace posthaste::engine {

using core::ErrorCode;
using core::Result;

namespace {

core::Error closed() {
  return {ErrorCode::State, "the engine is closed", {}};
}

Result<> check_id(std::string_view id) {
  const bool is_sized = !id.empty() && id.size() <= core::kWebhookIdMax;
  const bool is_plain = id.find_first_not_of(
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789._-") == std::string_view::npos;
  if (is_sized && is_plain) return {};
  return {ErrorCode::Invalid,
          "a webhook id is 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'", "id"};
}

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             std::fclose);
  if (!file)
    return {ErrorCode::BadFile, "cannot open " + path + ": " + std::strerror(errno), "path"};
  std::string text;
  char buffer[16384];
  while (const size_t size = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, size);
    if (text.size() > core::kJsonTextSizeMax)
      return {ErrorCode::BadFile, path + " is too large", "path"};
  }
  if (std::ferror(file.get())) {
    return {ErrorCode::BadFile, "cannot read " + path + ": " + std::strerror(errno), "path"};
  }
  return text;
}

// Two spellings of one file must not double its webhooks.
std::string canonical_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : path;
}

}  // namespace

// The caller holds the lock.
Result<core::WebhookPtr> Engine::registered(std::string_view id) const {
  if (core::WebhookPtr webhook = registry_.find(id)) return webhook;
  return {ErrorCode::NotFound,
          "no webhook with id '" + std::string(id.substr(0, core::kWebhookIdMax)) + "'", "id"};
}

Result<core::WebhookPtr> Engine::find_registered(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  return registered(id);
}

// The caller holds the lock.
Result<> Engine::publish(core::RegistryChange change, bool drops_queued) {
  if (!change.is_change()) return {};
  refresh_wanted();
  if (!post(WebhookControl{std::move(change), drops_queued})) return closed();
  return {};
}

// By the rules of the delivery step, or because a verification passed. Called on its thread.
void Engine::set_disabled(const std::string& id, uint64_t generation, bool is_disabled) {
  const std::lock_guard lock(mutex_);
  // Refused only by an engine that is closed, which needs it no more.
  (void)publish(registry_.set_disabled(id, generation, is_disabled), false);
}

void Engine::refresh_wanted() {
  const core::TypeSet types = registry_.wanted_types();
  for (size_t i = 0; i < types.size(); ++i) wanted_[i].store(types[i], std::memory_order_relaxed);
  is_anything_wanted_.store(types.any(), std::memory_order_relaxed);
}

// Before the start of durable mode a change is remembered besides, since the registry that it is
// meant for is in the spool.
void Engine::declare(std::function<Result<>()> change) {
  if (open_spool_ && state_.load() == State::New) declarations_.push_back(std::move(change));
}

Result<> Engine::put(std::string_view id, const core::WebhookSpec& spec) {
  if (auto usable = check_usable(true); !usable) return usable;
  if (auto valid = check_id(id); !valid) return valid;
  const std::lock_guard lock(mutex_);
  const core::WebhookPtr known = registry_.find(id);
  auto draft = draft_webhook({catalogue_, settings_}, std::string(id),
                             known ? with_secrets_of(*known, spec) : spec, id);
  if (!draft) return draft.error();
  declare(
      [this, draft = *draft] { return publish(registry_.put(draft, clock_->wall_now()), false); });
  return publish(registry_.put(std::move(*draft), clock_->wall_now()), false);
}

Result<> Engine::remove(std::string_view id, bool drops_queued) {
  if (auto usable = check_usable(true); !usable) return usable;
  const std::lock_guard lock(mutex_);
  auto change = registry_.remove(id);
  if (!change) return change.error();
  declare([this, id = std::string(id), drops_queued]() -> Result<> {
    auto again = registry_.remove(id);
    return again ? publish(std::move(*again), drops_queued) : Result<>(again.error());
  });
  store().forget_webhook(id);
  return publish(std::move(*change), drops_queued);
}

Result<> Engine::set_paused(std::string_view id, bool is_paused) {
  if (auto usable = check_usable(true); !usable) return usable;
  const std::lock_guard lock(mutex_);
  auto change = registry_.set_paused(id, is_paused);
  if (!change) return change.error();
  declare([this, id = std::string(id), is_paused]() -> Result<> {
    auto again = registry_.set_paused(id, is_paused);
    return again ? publish(std::move(*again), false) : Result<>(again.error());
  });
  return publish(std::move(*change), false);
}

Outcome Engine::create(const core::WebhookSpec& spec, int32_t timeout_ms) {
  return wait_for(timeout_ms, [&](Done done, Claim claim) {
    begin_create(spec, std::move(done), std::move(claim));
  });
}

Result<uint64_t> Engine::create_ticket(const core::WebhookSpec& spec) {
  return give_ticket(
      [&](Done done, Claim claim) { begin_create(spec, std::move(done), std::move(claim)); });
}

void Engine::begin_create(const core::WebhookSpec& spec, Done done, Claim claim) {
  Result<core::Webhook> draft = [&] {
    const std::lock_guard lock(mutex_);
    return draft_webhook({catalogue_, settings_}, ids_.next(clock_->wall_now()), spec, {});
  }();
  if (!draft) {
    done({draft.error(), nullptr, {}});
    return;
  }
  auto webhook = std::make_shared<const core::Webhook>(std::move(*draft));
  verify_then(webhook, webhook->settings.verify, std::move(done), std::move(claim),
              [this, webhook] { return commit_create(*webhook); });
}

Outcome Engine::commit_create(const core::Webhook& draft) {
  const std::lock_guard lock(mutex_);
  auto done = publish(registry_.create(draft, clock_->now(), clock_->wall_now()), false);
  return {done ? core::Error{} : done.error(), nullptr, draft.id};
}

Outcome Engine::update(std::string_view id, const core::WebhookSpec& change, int32_t timeout_ms) {
  return wait_for(timeout_ms, [&](Done done, Claim claim) {
    begin_update(std::string(id), change, std::move(done), std::move(claim));
  });
}

Result<uint64_t> Engine::update_ticket(std::string_view id, const core::WebhookSpec& change) {
  return give_ticket([&](Done done, Claim claim) {
    begin_update(std::string(id), change, std::move(done), std::move(claim));
  });
}

void Engine::begin_update(const std::string& id, const core::WebhookSpec& change, Done done,
                          Claim claim) {
  auto before = find_registered(id);
  if (!before) {
    done({before.error(), nullptr, id});
    return;
  }
  Result<core::Webhook> draft = [&] {
    const std::lock_guard lock(mutex_);
    return edit_webhook({catalogue_, settings_}, **before, change);
  }();
  if (!draft) {
    done({draft.error(), nullptr, id});
    return;
  }
  const bool verifies = draft->settings.verify && draft->target != (*before)->target;
  auto webhook = std::make_shared<const core::Webhook>(std::move(*draft));
  verify_then(webhook, verifies, std::move(done), std::move(claim),
              [this, id, change] { return commit_update(id, change); });
}

// Edits what is registered now, which another update may have changed during the verification.
Outcome Engine::commit_update(const std::string& id, const core::WebhookSpec& change) {
  const std::lock_guard lock(mutex_);
  const core::WebhookPtr before = registry_.find(id);
  if (!before)
    return {{ErrorCode::NotFound, "the webhook was removed meanwhile", "id"}, nullptr, id};
  auto draft = edit_webhook({catalogue_, settings_}, *before, change);
  if (!draft) return {draft.error(), nullptr, id};
  auto changed = registry_.update(std::move(*draft));
  if (!changed) return {changed.error(), nullptr, id};
  auto done = publish(std::move(*changed), false);
  return {done ? core::Error{} : done.error(), nullptr, id};
}

// Sends the test POST if asked to, and commits when it passed and the caller still waits.
void Engine::verify_then(const core::WebhookPtr& webhook, bool verifies, Done done, Claim claim,
                         std::function<Outcome()> commit) {
  if (!verifies) {
    done(commit());
    return;
  }
  const Done verified = [done, claim = std::move(claim),
                         commit = std::move(commit)](Outcome outcome) {
    if (outcome.error.code != ErrorCode::Ok) {
      done(std::move(outcome));
    } else if (claim()) {
      Outcome committed = commit();
      committed.verify_answer = std::move(outcome.verify_answer);
      done(std::move(committed));
    }
  };
  post_verification(webhook, std::string(kPing), verified);
}

void Engine::post_verification(const core::WebhookPtr& webhook, std::string body, Done done) {
  bool is_posted = false;
  {
    const std::lock_guard lock(mutex_);
    is_posted = post(VerifyControl{webhook, std::move(body), done});
  }
  if (!is_posted) done({closed(), nullptr, webhook->id});
}

Outcome Engine::verify(std::string_view id, int32_t timeout_ms) {
  return wait_for(timeout_ms, [&](Done done, const Claim&) {
    begin_verify(std::string(id), std::string(kPing), std::move(done));
  });
}

Result<uint64_t> Engine::verify_ticket(std::string_view id) {
  return give_ticket([&](Done done, const Claim&) {
    begin_verify(std::string(id), std::string(kPing), std::move(done));
  });
}

void Engine::begin_verify(const std::string& id, std::string body, Done done) {
  auto webhook = find_registered(id);
  if (!webhook) {
    done({webhook.error(), nullptr, id});
    return;
  }
  const uint64_t generation = (*webhook)->generation;
  post_verification(*webhook, std::move(body),
                    [this, id, generation, done = std::move(done)](Outcome outcome) {
                      if (outcome.error.code == ErrorCode::Ok) set_disabled(id, generation, false);
                      done(std::move(outcome));
                    });
}

Result<Snapshot> Engine::find(std::string_view id) const {
  if (auto readable = check_readable(); !readable) return readable.error();
  auto webhook = find_registered(id);
  if (!webhook) return webhook.error();
  return snapshot(*webhook);
}

Result<std::vector<Snapshot>> Engine::list() const {
  if (auto readable = check_readable(); !readable) return readable.error();
  const std::vector<core::WebhookPtr> webhooks = [&] {
    const std::lock_guard lock(mutex_);
    return registry_.list();
  }();
  std::vector<Snapshot> snapshots;
  snapshots.reserve(webhooks.size());
  for (const core::WebhookPtr& webhook : webhooks) snapshots.push_back(snapshot(webhook));
  return snapshots;
}

Snapshot Engine::snapshot(const core::WebhookPtr& webhook) const {
  Snapshot result;
  result.webhook = webhook;
  result.facts.id = webhook->id;
  result.facts.state = core::state_of(*webhook, clock_->now());
  result.facts.created = webhook->created;
  const spool::WebhookHistory history = store().history(webhook->id);
  result.facts.last_successful = history.last_successful;
  result.facts.last_failure = history.last_failure;
  return result;
}

Result<LoadSummary> Engine::load(const std::string& path) {
  if (auto usable = check_usable(true); !usable) return usable.error();
  auto text = read_file(path);
  if (!text) return text.error();
  auto specs = config::parse_webhooks_file(*text);
  if (!specs) return specs.error();

  const std::string file = canonical_path(path);
  const std::lock_guard lock(mutex_);
  std::vector<core::Webhook> drafts;
  std::map<std::string, int> ordinals;
  for (const core::WebhookSpec& spec : *specs) {
    // The id is the same at every load: of the name, else the target, and an ordinal among equals
    // (design 2b).
    const std::string key = spec.name.value_or(spec.target.value_or(""));
    const std::string id = core::uuid_of_name(key + '\n' + std::to_string(ordinals[key]++));
    auto draft = draft_webhook({catalogue_, settings_}, id, spec, "webhook");
    if (!draft) {
      core::Error error = draft.error();
      error.message =
          "entry " + std::to_string(drafts.size() + 1) + " of " + path + ": " + error.message;
      return error;
    }
    if (!spec.name) draft->name = draft->target.substr(0, core::kWebhookNameMax);
    drafts.push_back(std::move(*draft));
  }
  declare([this, file, drafts]() -> Result<> {
    for (auto& change : registry_.reconcile(file, drafts, clock_->wall_now())) {
      if (auto done = publish(std::move(change), false); !done) return done;
    }
    return {};
  });
  LoadSummary summary;
  summary.unchanged_count = drafts.size();
  for (core::RegistryChange& change :
       registry_.reconcile(file, std::move(drafts), clock_->wall_now())) {
    if (!change.before) {
      ++summary.added_count;
    } else if (change.after) {
      ++summary.changed_count;
    } else {
      ++summary.removed_count;
    }
    if (change.after) --summary.unchanged_count;
    if (auto done = publish(std::move(change), false); !done) return done.error();
  }
  return summary;
}

}  // namespace posthaste::engine
