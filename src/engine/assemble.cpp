#include "engine/assemble.h"

#include "journal/posix_file_system.h"
#include "platform/clock.h"
#include "platform/random_seed.h"
#include "producer/producer.h"
#include "spool/memory_store.h"
#include "spool/spool.h"
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
  if (settings->role == core::Role::Producer) {
    parts.producer = std::make_unique<producer::Producer>(*settings);
  } else if (!settings->spool_dir.empty()) {
    parts.open_spool = [files = std::make_shared<journal::PosixFileSystem>(),
                        options = spool::spool_options(*settings)](
                           core::WallTime now, std::vector<std::string>& remarks) {
      return spool::Spool::open(*files, options, &platform::random_seed, now, remarks);
    };
  }
  parts.make_transport =
      [](const platform::Clock& clock) -> core::Result<std::unique_ptr<transport::Transport>> {
    if (auto ready = transport::CurlLibrary::acquire(); !ready) return ready.error();
    return transport::make_curl_transport(clock);
  };
  return std::make_unique<Engine>(*settings, std::move(parts));
}

}  // namespace posthaste::engine
