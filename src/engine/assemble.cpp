#include "engine/assemble.h"

#include "platform/clock.h"
#include "spool/memory_store.h"
#include "transport/curl_library.h"
#include "transport/curl_transport.h"

namespace posthaste::engine {

core::Result<std::unique_ptr<Engine>> assemble(const config::Conf& conf) {
  auto settings = conf.finalize();
  if (!settings) return settings.error();
  EngineParts parts;
  parts.clock = std::make_unique<platform::SystemClock>();
  parts.store = std::make_unique<spool::MemoryStore>(settings->attempts_max_age,
                                                     settings->attempts_max_bytes);
  parts.make_transport =
      [](const platform::Clock& clock) -> core::Result<std::unique_ptr<transport::Transport>> {
    if (auto ready = transport::CurlLibrary::acquire(); !ready) return ready.error();
    return transport::make_curl_transport(clock);
  };
  return std::make_unique<Engine>(*settings, std::move(parts));
}

}  // namespace posthaste::engine
