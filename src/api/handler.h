// The REST API: a request in, an answer out, no sockets. posthaste_api_handle wraps it; the HTTP
// listener and any host's own server sit in front of it. docs/rest-api.md is its manual.
#pragma once

#include "api/access.h"
#include "api/call.h"
#include "api/http_request.h"
#include "engine/engine.h"

namespace posthaste::api {

// Purpose: routes requests. Ownership: refers to the engine. Threads: any number at once.
// Invariants: every request is answered exactly once, whatever it is; nothing is looked at for
// whom has no valid key but what needs none.
class Handler {
 public:
  explicit Handler(engine::Engine& engine) : engine_(engine) {}

  // The request may go when begin returns. claim: asked before something is created or changed
  // that took time.
  void begin(const HttpRequest& request, const Reply& reply, const engine::Claim& claim);

  // Waits up to timeout_ms; then the answer is 504, and nothing that waited takes effect.
  HttpAnswer handle(const HttpRequest& request, int32_t timeout_ms);

 private:
  engine::Engine& engine_;
  FailureBrake brake_;
};

}  // namespace posthaste::api
