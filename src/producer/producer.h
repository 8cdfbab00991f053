// The producer role: events of this process go into files of a spool directory, from where an
// engine in another process delivers them. For mail servers that fork for each delivery or run many
// workers. Engines with role=producer and libposthaste_producer are this class; it has no thread,
// no database and no network.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/event_catalogue.h"
#include "core/result.h"
#include "core/settings.h"
#include "envelope/event_ids.h"
#include "envelope/record.h"
#include "journal/posix_file_system.h"
#include "journal/producer_writer.h"
#include "platform/clock.h"

namespace posthaste::producer {

// Purpose: one producer. Ownership: owns its files; what a forked child inherited it leaves to the
// end of the process. Threads: any. Invariants: an event that was answered Ok is in a file; every
// process has descriptors and event ids of its own, a forked child from its next call on.
class Producer {
 public:
  explicit Producer(const core::EngineSettings& settings);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Opens the directory, which is made when it is missing.
  core::Result<> start();
  // Calls that came before may still be at work. A second call does nothing.
  void close() { state_.store(State::Closed, std::memory_order_release); }

  // Before the start.
  core::Result<> define_type(std::string_view type, std::string_view class_name);

  core::ErrorCode push(std::optional<std::string_view> type, std::string_view payload);
  core::ErrorCode push_trusted(std::string_view type, std::string_view payload);
  core::ErrorCode push_enveloped(std::string_view record);
  core::Result<> check(std::optional<std::string_view> type, std::string_view payload) const;
  // What this process pushed before survives a power cut.
  core::Result<> sync();

 private:
  enum class State : int { New, Started, Closed };
  // What belongs to one process.
  struct Process {
    Process(journal::FileSystem& file_system, const journal::ProducerOptions& options,
            uint32_t generation_, Process* inherited_);

    const uint32_t generation;
    Process* const inherited;  // of the parent, which may have been at work: never touched
    envelope::EventIds event_ids;
    journal::ProducerWriter writer;
  };

  core::Result<> check_started() const;
  Process& process();
  core::ErrorCode write(const envelope::RecordPlan& plan);

  const core::EngineSettings settings_;
  const platform::SystemClock clock_;
  core::EventCatalogue catalogue_;
  journal::PosixFileSystem files_;
  journal::ProducerOptions options_;
  std::mutex life_mutex_;  // guards what comes before the start
  std::atomic<State> state_{State::New};
  std::atomic<Process*> process_{nullptr};
};

}  // namespace posthaste::producer
