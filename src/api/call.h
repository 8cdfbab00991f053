// One call of the REST API on its way through a route: the request, who asks, and the answer that
// is given once, at once or later. Routes are plain functions; handler.cpp has their table.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "api/answers.h"
#include "api/http_request.h"
#include "core/settings.h"
#include "core/webhook.h"
#include "engine/engine.h"
#include "json/value.h"

namespace posthaste::api {

// Called once, on the caller's thread or the delivery thread.
using Reply = std::function<void(HttpAnswer)>;

// Purpose: what a route works with. Ownership: refers to request and engine, for the time of the
// route's own call; what a route hands to the engine copies what it needs. Threads: the caller's.
struct Call {
  engine::Engine& engine;
  const HttpRequest& request;
  const Target& target;
  core::EngineSettings settings;
  Identity identity;              // of routes that need a key
  std::optional<uint32_t> scope;  // only webhooks of this subaccount; none: all
  std::string id;                 // the path's variable segment
  Reply reply;
  engine::Claim claim;

  // What links begin with: scheme and host, or "" when they are paths, also for want of a host.
  std::string link_base() const;
  bool has_details() const { return target.parameter("detail") == "true"; }
};

using Route = void (*)(Call& call);

// routes_webhooks.cpp
void create_webhook(Call& call);
void list_webhooks(Call& call);
void show_webhook(Call& call);
void update_webhook(Call& call);
void remove_webhook(Call& call);
void validate_webhook(Call& call);
void pause_webhook(Call& call);
void resume_webhook(Call& call);
void retry_webhook(Call& call);

// routes_batches.cpp
void show_batch_status(Call& call);
void show_attempts(Call& call);
void list_dead_letters(Call& call);
void show_dead_letter(Call& call);
void replay_dead_letter(Call& call);
void replay_dead_letters(Call& call);
void remove_dead_letter(Call& call);

// routes_events.cpp
void document_events(Call& call);
void show_samples(Call& call);
void push_events(Call& call);

// routes_engine.cpp
void show_stats(Call& call);
void show_metrics(Call& call);
void show_health(Call& call);
void show_settings(Call& call);
void show_openapi(Call& call);
void list_keys(Call& call);
void create_key(Call& call);
void revoke_key(Call& call);

// A webhook that the call may see, else NotFound.
core::Result<engine::Snapshot> find_visible(const Call& call, const std::string& id);
bool is_visible(const Call& call, const core::Webhook& webhook);

// A parameter that counts, from 1 on, more than 1,000,000 being that; nothing when it is not given;
// BadValue.
core::Result<std::optional<uint64_t>> count_parameter(const Call& call, std::string_view name);

// The parameter `after`: the sequence that a page begins behind, 0 when it is not given; BadValue.
core::Result<uint64_t> after_parameter(const Call& call);

// The body as a JSON value; the answer that refuses it.
struct Body {
  std::optional<json::Value> value;
  HttpAnswer refusal;
};
Body parse_body(const Call& call);

}  // namespace posthaste::api
