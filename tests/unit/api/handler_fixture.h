// The REST handler in front of an engine whose network answers at once: for its tests and its
// fuzzer.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "api/handler.h"
#include "spool/memory_store.h"
#include "unit/engine/quick_transport.h"

namespace posthaste::test {

// Purpose: one engine in memory mode and its handler. Ownership: its own. Threads: those of the
// engine. Invariants: the engine is closed before it goes.
class HandlerHost {
 public:
  enum class State { New, Started };

  explicit HandlerHost(State state = State::Started)
      : engine_(settings(), parts_of(network_)), handler_(engine_) {
    if (state == State::Started) static_cast<void>(engine_.start());
  }
  ~HandlerHost() { static_cast<void>(engine_.close(kCloseMs)); }
  HandlerHost(const HandlerHost&) = delete;
  HandlerHost& operator=(const HandlerHost&) = delete;

  // Asked by whoever may do everything, unless the request says who asks.
  engine::HttpAnswer answer(api::HttpRequest request, int32_t timeout_ms = kPatienceMs) {
    if (!request.identity) request.identity = api::Identity{true, std::nullopt};
    return handler_.handle(request, timeout_ms);
  }
  engine::HttpAnswer answer(const std::string& method, const std::string& target,
                            std::string body = {}) {
    api::HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = std::move(body);
    return answer(std::move(request));
  }

  QuickNetwork& network() { return *network_; }
  engine::Engine& engine() { return engine_; }
  api::Handler& handler() { return handler_; }

 private:
  static constexpr int32_t kPatienceMs = 30'000;
  static constexpr int32_t kCloseMs = 100;  // nothing that waits matters

  static core::EngineSettings settings() {
    core::EngineSettings settings;
    settings.webhook.activation_delay = core::Duration::zero();
    return settings;
  }
  static engine::EngineParts parts_of(const std::shared_ptr<QuickNetwork>& network) {
    engine::EngineParts parts;
    parts.clock = std::make_unique<platform::SystemClock>();
    parts.store = std::make_unique<spool::MemoryStore>(std::chrono::hours(24), 4u << 20);
    parts.make_transport =
        [network](
            const platform::Clock& clock) -> core::Result<std::unique_ptr<transport::Transport>> {
      return std::unique_ptr<transport::Transport>(
          std::make_unique<QuickTransport>(network, clock));
    };
    return parts;
  }

  std::shared_ptr<QuickNetwork> network_ = std::make_shared<QuickNetwork>();
  engine::Engine engine_;
  api::Handler handler_;
};

}  // namespace posthaste::test
