// What stands behind the opaque handles of the public header: plain holders of the engine's types.
// Only the files of this folder look inside.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/handler.h"
#include "api/http_request.h"
#include "config/conf.h"
#include "config/webhook_keys.h"
#include "core/result.h"
#include "core/webhook.h"
#include "engine/engine.h"
#include "engine/report.h"
#include "envelope/event_builder.h"
#include "posthaste/posthaste.h"

// Threads: any, engine and handler see to it.
struct posthaste_engine {
  std::unique_ptr<posthaste::engine::Engine> engine;
  std::unique_ptr<posthaste::api::Handler> api;
};

struct posthaste_conf {
  posthaste::config::Conf conf;
};

struct posthaste_error {
  posthaste::core::Error error;
  std::shared_ptr<const posthaste::engine::VerifyAnswer> verify_answer;
};

struct posthaste_text {
  std::string data;
};

// Threads: one at a time, reading included, as the public header says.
struct posthaste_webhook {
  posthaste::core::WebhookSpec spec;
  std::optional<posthaste::config::WebhookFacts> facts;  // of a snapshot
  // What posthaste_webhook_get gave out since the last change. As a set it is never larger than
  // the description.
  mutable std::set<std::string> returned_texts;
};

struct posthaste_webhook_list {
  std::vector<posthaste_webhook> webhooks;
};

// Threads: one at a time.
// Invariants: an error that the builder cannot see (a null argument, no memory) sticks here as its
// own do there, until reset, or rewind to a mark before it.
struct posthaste_event {
  posthaste::envelope::EventBuilder builder;
  std::string type;
  posthaste::core::ErrorCode stuck_code = posthaste::core::ErrorCode::Ok;
  const char* stuck_parameter = "";  // static text
};

// Threads: one at a time.
struct posthaste_filter {
  posthaste::spool::DeadLetterFilter filter;
};

// Threads: one at a time.
struct posthaste_request {
  posthaste::api::HttpRequest request;
};

struct posthaste_response {
  posthaste::engine::HttpAnswer answer;
};

struct posthaste_report {
  posthaste::engine::Report report;
};
