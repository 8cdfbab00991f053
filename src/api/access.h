// Who asks: the API key of a request, and the brake on those who guess.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/answers.h"
#include "api/http_request.h"
#include "core/time.h"
#include "engine/engine.h"

namespace posthaste::api {

// Purpose: counts failed attempts per address, those of an IPv6 network of 64 bits together.
// Threads: any. Invariants: bounded memory: when too many addresses fail at once the oldest is
// forgotten; who has a valid key is never asked.
class FailureBrake {
 public:
  // Counts one failure. True: it is one too many within the last minute.
  bool fail(std::string_view peer, core::Instant now);

 private:
  struct Failures {
    uint32_t count = 0;
    core::Instant since{};
  };

  std::mutex mutex_;
  std::unordered_map<std::string, Failures> failures_;
};

// The identity behind a request's key, or the answer that refuses it: 401, 429 when its address has
// failed too often, 503 when the engine does not run.
struct Access {
  std::optional<Identity> identity;
  HttpAnswer refusal;
};
Access identify(const HttpRequest& request, engine::Engine& engine, FailureBrake& brake);

}  // namespace posthaste::api
